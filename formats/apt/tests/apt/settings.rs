//! What owners say of their repositories.

use std::time::Duration;

use wharf_auth::Role;
use wharf_testkit::{Answer, TestServer};

use crate::backend::on_every_database;
use crate::build::deb;
use crate::shop::{Shop, field};

on_every_database! {
    a_release_says_what_its_owner_says,
    a_distribution_is_there_before_its_first_package,
    a_release_that_runs_out_is_made_anew,
    other_bytes_take_the_place_of_the_old_ones_where_the_owner_allows_it,
    an_upload_that_names_no_distribution_goes_where_the_owner_says,
    who_may_configure_may_and_nobody_else,
    settings_that_cannot_be_are_refused,
}

async fn set(shop: &Shop, path: &str, text: &str) -> Answer {
    shop.client.put(&shop.path(&format!("{path}?wait=1")), text.to_owned()).await
}

async fn a_release_says_what_its_owner_says(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    shop.add("trixie/main", &deb("one", "1")).await;
    set(&shop, "settings", r#"{"origin": "Example", "description": "of us"}"#).await.assert_status(204);
    let own = r#"{"suite": "unstable", "not_automatic": true, "but_automatic_upgrades": true, "version": "13"}"#;
    set(&shop, "dists/sid/settings", own).await.assert_status(204);
    let release = shop.release("sid").await;
    let expected = "Origin: Example\nLabel: team/debs\nSuite: unstable\nCodename: sid\nVersion: 13\nArchitectures: amd64\n\
                    Components: main\nDescription: of us\nNotAutomatic: yes\nButAutomaticUpgrades: yes\nAcquire-By-Hash: yes\n";
    assert!(release.starts_with(expected), "{release}");
    shop.checked("sid").await;
    shop.add("trixie/main", &deb("two", "1")).await;
    assert!(shop.release("trixie").await.starts_with("Origin: Example\nLabel: team/debs\nSuite: trixie\n"));
    let got = shop.get("dists/sid/settings").await.assert_status(200).json();
    assert_eq!((got["suite"].as_str(), got["origin"].as_str()), (Some("unstable"), None));
    shop.delete("dists/sid/settings").await.assert_status(204);
    assert!(shop.release("sid").await.contains("\nSuite: sid\n"));
}

async fn a_distribution_is_there_before_its_first_package(server: &TestServer) {
    server.project("team").await;
    let shop = Shop::new(server, "team/debs");
    let text = r#"{"architectures": ["amd64", "arm64"], "components": ["main", "contrib"]}"#;
    set(&shop, "dists/sid/settings", text).await.assert_status(204);
    let release = shop.release("sid").await;
    assert!(release.contains("\nArchitectures: amd64 arm64\nComponents: contrib main\n"), "{release}");
    assert_eq!(shop.table("sid", "contrib/binary-arm64/Packages").await, "");
    assert_eq!(shop.checked("sid").await.len(), 16);
}

async fn a_release_that_runs_out_is_made_anew(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    set(&shop, "dists/sid/settings", r#"{"valid_for": "4d"}"#).await.assert_status(204);
    let release = shop.release("sid").await;
    let end = field(&release, "Valid-Until").to_owned();
    assert!(end.ends_with(" UTC"), "{release}");
    let tables = shop.checked("sid").await;
    server.clock().advance(Duration::from_secs(24 * 60 * 60));
    shop.add("trixie/main", &deb("one", "1")).await;
    assert_eq!(shop.release("sid").await, release, "it is good for three days more");
    server.clock().advance(Duration::from_secs(25 * 60 * 60));
    let renewed = async || field(&shop.release("sid").await, "Valid-Until") != end;
    while !renewed().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(shop.checked("sid").await, tables);
}

async fn other_bytes_take_the_place_of_the_old_ones_where_the_owner_allows_it(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    let hello = deb("hello", "1.0");
    let other = hello.clone().file("./usr/share/doc/hello", "more");
    shop.add("sid/main", &hello).await;
    shop.add("trixie/main", &hello).await;
    shop.put("sid/main", other.bytes()).await.assert_status(409);
    set(&shop, "settings", r#"{"same_version": "replace"}"#).await.assert_status(204);
    shop.put("sid/main", other.bytes()).await.assert_status(201);
    let size = async |distribution: &str| {
        assert_eq!(shop.listed(distribution, "main/binary-amd64/Packages").await, ["hello 1.0"]);
        let table = shop.table(distribution, "main/binary-amd64/Packages").await;
        let (path, size) = (field(&table, "Filename").to_owned(), field(&table, "Size").to_owned());
        assert_eq!(shop.get(&path).await.assert_status(200).body.len().to_string(), size);
        size
    };
    assert_eq!(size("sid").await, other.bytes().len().to_string());
    assert_eq!(size("trixie").await, hello.bytes().len().to_string(), "another distribution keeps its own");
    shop.put("trixie/main", other.bytes()).await.assert_status(201);
    assert_eq!(size("trixie").await, other.bytes().len().to_string());
    shop.get(&hello.path()).await.assert_status(404);
}

async fn an_upload_that_names_no_distribution_goes_where_the_owner_says(server: &TestServer) {
    server.project("team").await;
    let shop = Shop::new(server, "team/debs");
    set(&shop, "settings", r#"{"distribution": "bookworm", "component": "extra"}"#).await.assert_status(204);
    server.admin().post("/repository/team:debs/", deb("hello", "1.0").bytes()).await.assert_status(201);
    assert_eq!(shop.listed("bookworm", "extra/binary-amd64/Packages").await, ["hello 1.0"]);
}

async fn who_may_configure_may_and_nobody_else(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    for (role, read, write) in [(Role::Viewer, 200, 403), (Role::Pusher, 200, 403), (Role::Maintainer, 200, 204)] {
        let who = Shop::at(&server.user_with(&format!("{role}-of-team"), role, "team").await, "/apt/team/debs");
        assert_eq!(who.get("settings").await.status, read, "{role}");
        assert_eq!(set(&who, "settings", r#"{"origin": "x"}"#).await.status, write, "{role}");
    }
    server.anonymous().get(&shop.path("settings")).await.assert_status(401);
    server.admin().get("/apt/team/other/settings").await.assert_status(404);
}

async fn settings_that_cannot_be_are_refused(server: &TestServer) {
    server.project("team").await;
    let shop = Shop::new(server, "team/debs");
    let answer = set(&shop, "settings", r#"{"orign": "x"}"#).await;
    assert!(answer.assert_status(400).text().starts_with("invalid settings: unknown field `orign`"), "{answer}");
    set(&shop, "dists/sid/settings", r#"{"same_version": "replace"}"#).await.assert_status(400);
    set(&shop, "settings", &" ".repeat(20_000)).await.assert_status(413);
    server.admin().post(&shop.path("settings"), "{}").await.assert_status(405);
    server.admin().put("/apt/nobodys/debs/settings", "{}").await.assert_status(404);
}
