//! Packages go in, come out as they were, and go.

use wharf_auth::Role;
use wharf_testkit::{TestServer, sha256};

use crate::backend::on_every_database;
use crate::shelf::{Shelf, built, package};

on_every_database! {
    a_package_is_served_as_it_came_and_listed_where_it_lies,
    any_path_takes_a_package_and_finds_it_again,
    the_same_package_again_changes_nothing_and_another_of_its_name_is_refused,
    a_package_is_taken_out,
    an_upload_says_what_it_is_and_who_has_signed_it,
    other_bytes_take_the_place_of_a_package_where_the_owner_allows_it,
    who_may_only_pull_neither_adds_nor_deletes,
}

async fn a_package_is_served_as_it_came_and_listed_where_it_lies(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let file = package("tool", "1.0~rc1-2^git");
    let added = shelf.put("upload?wait=1", file.clone()).await;
    let path = "Packages/t/tool-1.0~rc1-2^git.noarch.rpm";
    assert_eq!(added.assert_status(201).location(), shelf.path(path));
    let served = shelf.get(path).await;
    served.assert_status(200).assert_header("content-type", "application/x-rpm").assert_body(&file);
    let primary = shelf.metadata().await.remove("primary").expect("primary");
    assert!(primary.contains(&format!("<location href=\"{path}\"/>")), "{primary}");
    assert!(primary.contains(sha256(&file).trim_start_matches("sha256:")), "{primary}");
    let part = shelf.client.request(http::Method::GET, &shelf.path(path)).header(http::header::RANGE, "bytes=96-99");
    part.send().await.assert_status(206).assert_body(&file[96..100]);
}

async fn any_path_takes_a_package_and_finds_it_again(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let file = package("Tool", "1-1");
    shelf.put("9/x86_64/Tool-1-1.noarch.rpm", file.clone()).await.assert_status(201);
    for path in ["9/x86_64/Tool-1-1.noarch.rpm", "Tool-1-1.noarch.rpm", "Packages/t/Tool-1-1.noarch.rpm"] {
        shelf.get(path).await.assert_status(200).assert_body(&file);
    }
    shelf.get("Tool-2-1.noarch.rpm").await.assert_status(404);
}

async fn the_same_package_again_changes_nothing_and_another_of_its_name_is_refused(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let path = shelf.add(package("tool", "1-1")).await;
    shelf.put("upload?wait=1", package("tool", "1-1")).await.assert_status(200);
    let refused = shelf.put("upload", built("tool", "1-1", 0, "other")).await;
    refused.assert_status(409).assert_body(format!("{path} exists already with other content\n"));
    // Another epoch is another package.
    let epoch = shelf.add(built("tool", "1-1", 2, "other")).await;
    assert_eq!(epoch, "Packages/t/epoch-2/tool-1-1.noarch.rpm");
    assert_eq!(shelf.listed().await, ["tool", "tool"]);
}

async fn a_package_is_taken_out(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let path = shelf.add(package("a", "1-1")).await;
    shelf.add(package("b", "1-1")).await;
    shelf.delete(&format!("{path}?wait=1")).await.assert_status(204);
    assert_eq!(shelf.listed().await, ["b"]);
    shelf.get(&path).await.assert_status(404);
    shelf.delete(&path).await.assert_status(404);
    shelf.delete("b-1-1.noarch.rpm?wait=1").await.assert_status(204);
    assert!(shelf.listed().await.is_empty());
}

async fn an_upload_says_what_it_is_and_who_has_signed_it(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let file = built("tool", "1.5-2", 7, "");
    let said = shelf.put("upload", file.clone()).await.assert_status(201).json();
    assert_eq!(said["name"], "tool");
    assert_eq!((said["epoch"].as_u64(), &said["version"], &said["release"]), (Some(7), &"1.5".into(), &"2".into()));
    assert_eq!((said["signed"].as_bool(), said["size"].as_u64()), (Some(false), Some(file.len() as u64)));
    let path = said["path"].as_str().expect("a path");
    assert_eq!(shelf.get(&format!("info/{path}")).await.assert_status(200).json(), said);
}

async fn other_bytes_take_the_place_of_a_package_where_the_owner_allows_it(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let [old, new] = ["old", "new"].map(|content| built("tool", "1-1", 0, content));
    let path = shelf.add(old.clone()).await;
    shelf.put("upload", new.clone()).await.assert_status(409);
    shelf.put("settings", r#"{"same_version": "always"}"#).await.assert_status(400);
    shelf.put("settings", r#"{"same_version": "replace"}"#).await.assert_status(204);
    assert_eq!(shelf.get("settings").await.assert_status(200).json()["same_version"], "replace");
    shelf.put("upload?wait=1", new.clone()).await.assert_status(201);
    shelf.get(&path).await.assert_status(200).assert_body(new.clone());
    assert_eq!(shelf.listed().await, ["tool"]);
    let primary = shelf.metadata().await["primary"].clone();
    assert!(primary.contains(sha256(&new).trim_start_matches("sha256:")), "{primary}");
    // The same package again is no other one.
    shelf.put("upload", new).await.assert_status(200);
    shelf.delete("settings").await.assert_status(204);
    shelf.put("upload", old).await.assert_status(409);
    for (role, read, write) in [(Role::Viewer, 200, 403), (Role::Pusher, 200, 403), (Role::Maintainer, 200, 204)] {
        let who = shelf.of(&server.user_with(&format!("{role}-of-team"), role, "team").await);
        assert_eq!(who.get("settings").await.status, read, "{role}");
        assert_eq!(who.put("settings", "{}").await.status, write, "{role}");
    }
    shelf.of(&server.anonymous()).get("settings").await.assert_status(401);
    Shelf::new(server, "team/other").get("settings").await.assert_status(404);
}

async fn who_may_only_pull_neither_adds_nor_deletes(server: &TestServer) {
    let shelf = Shelf::new(server, "team/el9");
    let path = shelf.add(package("a", "1-1")).await;
    let public = serde_json::json!({ "public": true });
    server.admin().patch_json("/api/v1/projects/team", &public).await.assert_status(200);
    let anybody = shelf.of(&server.anonymous());
    anybody.get(&path).await.assert_status(200);
    assert_eq!(anybody.listed().await, ["a"]);
    for answer in [
        anybody.put("upload", package("b", "1-1")).await,
        anybody.put("updateinfo.xml", "<updates/>").await,
        anybody.delete(&path).await,
    ] {
        answer.assert_status(401).assert_header("www-authenticate", "Basic realm=\"wharf\", charset=\"UTF-8\"");
    }
    let hidden = Shelf::new(server, "secret/el9");
    hidden.add(package("a", "1-1")).await;
    hidden.of(&server.anonymous()).get("repodata/repomd.xml").await.assert_status(401);
}
