//! Releases that clients see again. apt keeps the one that it has where what it finds is dated before it.

use std::time::Duration;

use chrono::NaiveDateTime;
use wharf_core::{Actor, Target};
use wharf_testkit::TestServer;
use wharf_types::SubjectName;

use crate::backend::on_every_database;
use crate::build::deb;
use crate::shop::{Entry, Shop, field};

on_every_database! {
    a_release_that_is_seen_again_is_dated_and_signed_anew,
    a_snapshot_may_be_seen_any_number_of_times,
    a_snapshot_that_clients_see_does_not_run_out,
    a_new_key_signs_what_clients_see_of_a_snapshot_too,
    a_release_is_not_dated_before_the_one_that_it_follows,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

fn target() -> Target {
    Target::new(wharf_apt::NAME, "team/debs".parse().expect("a name"))
}

fn named(name: &str) -> SubjectName {
    name.parse().expect("a name")
}

async fn snap(server: &TestServer, name: &str) {
    server.core().create_snapshot(&target(), "sid", named(name), &Actor::system()).await.expect("a snapshot");
}

async fn show(server: &TestServer, name: &str) {
    server.core().publish_snapshot(&target(), &named(name), &Actor::system()).await.expect("to be published");
}

async fn live(server: &TestServer) {
    server.core().publish_live(&target(), "sid", &Actor::system()).await.expect("to be published");
}

async fn listed(shop: &Shop) -> Vec<String> {
    shop.listed("sid", "main/binary-amd64/Packages").await
}

/// When the current release was made; what it names is all there, and InRelease says the same.
async fn dated(shop: &Shop) -> (NaiveDateTime, Vec<Entry>) {
    let release = shop.release("sid").await;
    let signed = shop.get("dists/sid/InRelease").await.assert_status(200).text();
    assert!(signed.contains(release.trim_end()), "{signed}\n{release}");
    let date = field(&release, "Date").strip_suffix(" UTC").expect("universal time");
    let date = NaiveDateTime::parse_from_str(date, "%a, %d %b %Y %H:%M:%S").expect("a date");
    (date, shop.checked("sid").await)
}

async fn a_release_that_is_seen_again_is_dated_and_signed_anew(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    snap(server, "first").await;
    let (first, tables) = dated(&shop).await;
    server.clock().advance(HOUR);
    shop.add("sid/main", &deb("two", "1")).await;
    let (second, _) = dated(&shop).await;
    server.clock().advance(HOUR);
    show(server, "first").await;
    let (again, same) = dated(&shop).await;
    assert!(first < second && second < again, "{first} {second} {again}");
    assert_eq!((listed(&shop).await, same), (vec!["one 1".to_owned()], tables));
    // Uploads go on, and nobody sees them; what is seen then is newer than all that was seen.
    server.clock().advance(HOUR);
    shop.add("sid/main", &deb("three", "1")).await;
    assert_eq!(dated(&shop).await.0, again);
    live(server).await;
    assert!(dated(&shop).await.0 > again);
    assert_eq!(listed(&shop).await, ["one 1", "three 1", "two 1"]);
    shop.add("sid/main", &deb("four", "1")).await;
    shop.delete("pool/sid/main/two/1/amd64").await.assert_status(204);
    assert_eq!(listed(&shop).await, ["four 1", "one 1", "three 1"]);
    shop.checked("sid").await;
}

async fn a_snapshot_may_be_seen_any_number_of_times(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    snap(server, "first").await;
    snap(server, "same").await;
    shop.add("sid/main", &deb("two", "1")).await;
    let mut last = dated(&shop).await.0;
    for name in ["first", "first", "same", "first"] {
        server.clock().advance(HOUR);
        show(server, name).await;
        let (date, _) = dated(&shop).await;
        assert!(date > last, "{name}");
        assert_eq!(listed(&shop).await, ["one 1"]);
        last = date;
    }
    // Long after, when nothing is kept that nothing needs.
    for _ in 0..3 {
        server.clock().advance(24 * 30 * HOUR);
        server.core().sweep().await.expect("a sweep");
        server.core().collect(None).await.expect("a collection");
    }
    assert_eq!((dated(&shop).await.0, listed(&shop).await), (last, vec!["one 1".to_owned()]));
    live(server).await;
    assert_eq!(listed(&shop).await, ["one 1", "two 1"]);
    live(server).await;
    for name in ["first", "same"] {
        server.core().delete_snapshot(&target(), &named(name), &Actor::system()).await.expect("to be deleted");
    }
    shop.checked("sid").await;
}

async fn a_snapshot_that_clients_see_does_not_run_out(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    let settings = shop.path("dists/sid/settings?wait=1");
    server.admin().put(&settings, r#"{"valid_for": "4d"}"#).await.assert_status(204);
    snap(server, "first").await;
    shop.add("sid/main", &deb("two", "1")).await;
    show(server, "first").await;
    let until = async || field(&shop.release("sid").await, "Valid-Until").to_owned();
    for _ in 0..3 {
        let (before, tables) = (until().await, shop.checked("sid").await);
        server.clock().advance(49 * HOUR);
        while until().await == before {
            tokio::task::yield_now().await;
        }
        assert_eq!(shop.checked("sid").await, tables);
    }
    assert_eq!(listed(&shop).await, ["one 1"]);
}

async fn a_new_key_signs_what_clients_see_of_a_snapshot_too(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    snap(server, "first").await;
    shop.add("sid/main", &deb("two", "1")).await;
    show(server, "first").await;
    server.core().rotate_key(&target(), None, &Actor::system()).await.expect("a new key");
    while field(&shop.release("sid").await, "Signed-By").split(", ").count() < 2 {
        tokio::task::yield_now().await;
    }
    dated(&shop).await;
    assert_eq!(listed(&shop).await, ["one 1"]);
}

async fn a_release_is_not_dated_before_the_one_that_it_follows(server: &TestServer) {
    let shop = Shop::new(server, "team/debs");
    shop.add("sid/main", &deb("one", "1")).await;
    snap(server, "first").await;
    let (first, _) = dated(&shop).await;
    server.clock().set_back(HOUR);
    shop.add("sid/main", &deb("two", "1")).await;
    assert_eq!(dated(&shop).await.0, first);
    server.clock().set_back(HOUR);
    show(server, "first").await;
    assert_eq!(dated(&shop).await.0, first);
    live(server).await;
    assert_eq!(dated(&shop).await.0, first);
}
