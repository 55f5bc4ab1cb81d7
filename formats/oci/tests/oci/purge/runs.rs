//! Purges that are cut off, or cannot be told to the place of backups, go on.

use std::time::Duration;

use serde_json::json;
use wharf_core::Depot;
use wharf_testkit::{Backend, Folder, Image, Index, Store, TestServer};

use super::{order, purge};
use crate::backend::options;
use crate::blob::{Blob, LARGE};
use crate::remains::assert_objects;
use crate::repository::Repository;

/// From now on no blob's row can be removed, as if the database had died in the middle.
async fn stand_in_the_way(server: &TestServer) {
    server.execute("CREATE TRIGGER broken BEFORE DELETE ON blobs BEGIN SELECT RAISE(ABORT, 'broken'); END").await;
}

async fn step_aside(server: &TestServer) {
    server.execute("DROP TRIGGER broken").await;
}

async fn states(server: &TestServer) -> Vec<String> {
    let list = server.admin().get("/api/v1/purges").await.assert_status(200).json();
    let items = list["items"].as_array().expect("a list").iter();
    items.map(|item| item["state"].as_str().expect("a state").to_owned()).collect()
}

/// Takes whatever nothing uses any more, with the bytes left for later.
async fn let_the_collector_be_first(server: &TestServer) {
    for _ in 0..2 {
        server.clock().advance(Duration::from_secs(25 * 60 * 60));
        server.core().collect(None).await.expect("a collection");
    }
}

/// Does what is put off.
async fn go_on(server: &TestServer) {
    server.clock().advance(Duration::from_secs(10));
    while server.core().run_one("test").await.expect("a job") {}
    let waiting = server.core().jobs(false, 0, 10).await.expect("jobs");
    assert!(waiting.iter().all(|job| job.kind != "purge"), "{waiting:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_of_an_image_that_was_cut_off_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::start(options().depot(folder.path()).without_workers()).await;
    let repository = Repository::new(&server, "team/app");
    let (secret, shared) = (Blob::noise(1, LARGE), Blob::noise(2, LARGE));
    let bad = Image::new().layer(shared.content.clone()).layer(secret.content.clone());
    let other = Image::new().layer(shared.content.clone());
    bad.push(&repository.client, "team/app").await;
    other.push(&repository.client, "team/app:v2").await;
    let index = Index::new().image(&bad, "linux/amd64").image(&other, "linux/amd64");
    let digest = index.push(&repository.client, "team/app:all").await;
    server.back_up(folder.path()).await;
    server.clock().advance(Duration::from_secs(1));

    stand_in_the_way(&server).await;
    order(&server, json!({ "digest": digest })).await.assert_status(500);
    repository.head("manifests/all").await.assert_status(404);
    assert_eq!(states(&server).await, ["under way"]);
    step_aside(&server).await;
    let_the_collector_be_first(&server).await;
    go_on(&server).await;

    assert!(states(&server).await.iter().all(|state| state == "done"));
    repository.head(&format!("manifests/{}", bad.digest())).await.assert_status(404);
    repository.head(&format!("blobs/{}", secret.digest)).await.assert_status(404);
    repository.get("manifests/v2").await.assert_status(200);
    assert_objects(&server, 1).await;
    let restored = server.restored(options(), folder.path()).await;
    let restored = Repository::new(&restored, "team/app");
    for gone in [format!("manifests/{}", bad.digest()), format!("blobs/{}", secret.digest), "manifests/all".into()] {
        restored.head(&gone).await.assert_status(404);
    }
    restored.get("manifests/v2").await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_of_a_repository_that_was_cut_off_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::start(options().depot(folder.path()).without_workers()).await;
    let (one, two) = (Repository::new(&server, "team/one"), Repository::new(&server, "team/two"));
    let (secret, shared) = (Blob::noise(3, LARGE), Blob::noise(4, LARGE));
    let bad = Image::new().layer(shared.content.clone()).layer(secret.content.clone());
    bad.push(&one.client, "team/one:v1").await;
    Image::new().layer(shared.content.clone()).push(&two.client, "team/two:v1").await;
    server.back_up(folder.path()).await;
    server.clock().advance(Duration::from_secs(1));

    stand_in_the_way(&server).await;
    order(&server, json!({ "repository": "team/one" })).await.assert_status(500);
    step_aside(&server).await;
    // The name is free meanwhile, and what is pushed there now is no part of the order.
    let new = Image::new().layer("new");
    new.push(&one.client, "team/one:v1").await;
    let_the_collector_be_first(&server).await;
    go_on(&server).await;
    one.get("manifests/v1").await.assert_status(200).assert_body(new.manifest());
    assert_objects(&server, 1).await;

    let restored = server.restored(options().without_workers(), folder.path()).await;
    go_on(&restored).await;
    // Also what another repository has of it is not in this one.
    for gone in ["tags/list".into(), format!("blobs/{}", shared.digest), format!("blobs/{}", secret.digest)] {
        Repository::new(&restored, "team/one").get(&gone).await.assert_status(404);
    }
    assert_eq!(restored.count("SELECT count(*) FROM blobs WHERE damaged_at IS NOT NULL").await, 0);
    Repository::new(&restored, "team/two").get("manifests/v1").await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pushed_again_stays_when_a_purge_goes_on() {
    let server = TestServer::start(options().without_workers()).await;
    let repository = Repository::new(&server, "team/app");
    let image = Image::new().layer(Blob::noise(5, LARGE).content);
    let digest = image.push(&repository.client, "team/app:v1").await;
    server.clock().advance(Duration::from_secs(1));
    stand_in_the_way(&server).await;
    order(&server, json!({ "digest": digest })).await.assert_status(500);
    step_aside(&server).await;
    // As if the row had gone before it was cut off.
    for sql in ["DELETE FROM manifests", "DELETE FROM blob_links", "DELETE FROM blobs"] {
        server.execute(sql).await;
    }
    server.clock().advance(Duration::from_secs(1));
    image.push(&repository.client, "team/app:v1").await;
    go_on(&server).await;
    repository.get("manifests/v1").await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_that_is_taken_up_and_may_not_go_on_says_so_in_the_audit_log() {
    let server = TestServer::start(options().without_workers()).await;
    let repository = Repository::new(&server, "team/app");
    let secret = Blob::noise(11, LARGE);
    repository.push(&secret).await;
    server.clock().advance(Duration::from_secs(1));
    stand_in_the_way(&server).await;
    order(&server, json!({ "digest": secret.digest })).await.assert_status(500);
    step_aside(&server).await;
    // As if it had been cut off before it took anything, and somebody had made an image of it meanwhile.
    let image = Image::new().layer(secret.content.clone());
    image.push(&repository.client, "team/app:v1").await;
    go_on(&server).await;
    repository.get("manifests/v1").await.assert_status(200);
    repository.get(&format!("blobs/{}", secret.digest)).await.assert_status(200);
    let about = "/api/v1/audit?action=content.purge-refused";
    let audit = server.admin().get(&format!("{about}&outcome=failed")).await.assert_status(200).json();
    let line = &audit["items"][0];
    assert_eq!(line["outcome"], "failed", "{audit}");
    for (query, shown) in [("outcome=failed", true), ("outcome=ok", false), ("outcome=denied", false)] {
        let lines = server.admin().get(&format!("/api/v1/audit?{query}")).await.assert_status(200).json();
        let found = lines["items"].as_array().expect("lines").contains(line);
        assert_eq!(found, shown, "{query}: {lines}");
    }
    assert_eq!((&line["digest"], &line["actor"]), (&json!(secret.digest), &json!("admin")), "{audit}");
    assert!(line["detail"].as_str().is_some_and(|why| why.contains("team/app")), "{audit}");
    assert_eq!(states(&server).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_of_backups_that_was_away_is_told_when_it_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (place, elsewhere) = (folder.path().join("backups"), folder.path().join("elsewhere"));
    let server = TestServer::start(options().depot(&place).without_workers()).await;
    let repository = Repository::new(&server, "team/app");
    let secret = Blob::noise(6, LARGE);
    repository.push(&secret).await;
    server.admin().post_json("/api/v1/backups", &json!({})).await.assert_status(201);
    go_on(&server).await;
    server.clock().advance(Duration::from_secs(1));
    std::fs::rename(&place, &elsewhere).expect("to be moved");
    let told = purge(&server, json!({ "digest": secret.digest })).await;
    assert!(told["backups"].as_str().is_some_and(|told| told.contains("could not be noted")), "{told}");
    repository.head(&format!("blobs/{}", secret.digest)).await.assert_status(404);
    assert_eq!(states(&server).await, ["under way"]);
    // What is written into the empty place is no copy, and would be taken for the one that is away.
    server.admin().post_json("/api/v1/backups", &json!({})).await.assert_status(201);
    while server.core().run_one("test").await.expect("a job") {}
    let made = server.admin().get("/api/v1/backups?limit=1").await.assert_status(200).json();
    let error = made["items"][0]["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("is it mounted") && error.contains("--anew"), "{made}");
    if place.exists() {
        std::fs::remove_dir_all(&place).expect("to be removed");
    }
    std::fs::rename(&elsewhere, &place).expect("to be moved");
    go_on(&server).await;
    assert_eq!(states(&server).await, ["done"]);
    assert!(Folder::new(&place).list("purged").await.is_ok_and(|noted| noted.len() == 1));
    let restored = server.restored(options().backend(Backend::Sqlite).store(Store::Memory), &place).await;
    let path = format!("/v2/team/app/blobs/{}", secret.digest);
    restored.admin().head(&path).await.assert_status(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_does_not_wait_for_a_place_of_backups_that_was_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("backups");
    let server = TestServer::start(options().depot(&place).without_workers()).await;
    let (admin, secret) = (server.admin(), Blob::noise(10, LARGE));
    Repository::new(&server, "team/app").push(&secret).await;
    admin.delete("/api/v1/backups").await.assert_status(400);
    admin.delete("/api/v1/backups?to=").await.assert_status(404);
    admin.post_json("/api/v1/backups", &json!({})).await.assert_status(201);
    admin.delete("/api/v1/backups?to=").await.assert_status(409);
    go_on(&server).await;
    std::fs::remove_dir_all(&place).expect("to be removed");
    purge(&server, json!({ "digest": secret.digest })).await;
    assert_eq!(states(&server).await, ["under way"]);

    // Its whole name means it too.
    admin.delete(&format!("/api/v1/backups?to={}", place.display())).await.assert_status(204);
    while server.core().run_one("test").await.expect("a job") {}
    assert_eq!(states(&server).await, ["done"]);
    let audit = admin.get("/api/v1/audit?action=backup.forget&outcome=ok").await.assert_status(200).json();
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(1), "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_of_backups_that_is_to_begin_anew_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("backups");
    let server = TestServer::start(options().depot(&place).without_workers()).await;
    Repository::new(&server, "team/app").push(&Blob::noise(7, LARGE)).await;
    for anew in [false, true] {
        server.admin().post_json("/api/v1/backups", &json!({ "anew": anew })).await.assert_status(201);
        go_on(&server).await;
        let made = server.admin().get("/api/v1/backups?limit=1").await.assert_status(200).json();
        assert_eq!(made["items"][0]["state"], "done", "{made}");
        std::fs::remove_dir_all(&place).expect("to be removed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_only_had_the_name_before_comes_back_from_a_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::start(options().depot(folder.path()).without_workers()).await;
    let admin = server.admin();
    let good = Image::new().layer(Blob::noise(8, LARGE).content);
    good.push(&admin, "team/app:v1").await;
    server.back_up(folder.path()).await;
    server.clock().advance(Duration::from_secs(1));
    // It gets another name, and what gets its name is purged.
    admin.delete("/api/v1/repositories/oci/team/app").await.assert_status(204);
    let bin = admin.get("/api/v1/projects/team/bin").await.assert_status(200).json();
    let path = format!("/api/v1/repositories/oci/team/app/-/bin/{}/restore", bin["items"][0]["id"]);
    let back = admin.post_json(&path, &json!({ "as": "team/old" })).await;
    assert!(back.status.is_success(), "{back}");
    Image::new().layer(Blob::noise(9, LARGE).content).push(&admin, "team/app:v1").await;
    purge(&server, json!({ "repository": "team/app" })).await;

    let restored = server.restored(options().without_workers(), folder.path()).await;
    go_on(&restored).await;
    let found = Repository::new(&restored, "team/app").get("manifests/v1").await;
    found.assert_status(200).assert_body(good.manifest());
}
