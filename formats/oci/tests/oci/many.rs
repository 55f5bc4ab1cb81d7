//! Manifests with very many tags, digests that very many entries of the bin need, and numbers that mean one thing.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_testkit::{Image, TestServer, push_blob};

use crate::backend::on_every_database;
use crate::bin::Bin;

on_every_database! {
    a_manifest_with_thousands_of_tags_goes_and_comes_back_in_few_statements,
    tags_that_are_there_again_stay_when_thousands_come_back,
    a_purge_reviews_the_companions_of_each_entry_once,
    numbers_of_the_bin_are_not_given_again,
    entries_go_with_their_repository_into_another_project,
    a_manifest_of_a_purged_index_stays_if_it_is_tagged,
}

const TAGS: i64 = 3000;

async fn tagged(server: &TestServer) -> String {
    server.project("team").await;
    let digest = Image::new().layer("small").push(&server.admin(), "team/app:v1").await;
    server.tag_often(TAGS).await;
    digest
}

async fn delete(server: &TestServer, digest: &str) {
    server.admin().delete(&format!("/v2/team/app/manifests/{digest}")).await.assert_status(202);
}

async fn a_manifest_with_thousands_of_tags_goes_and_comes_back_in_few_statements(server: &TestServer) {
    let digest = tagged(server).await;
    let (events, reviews) = ("SELECT count(*) FROM events", "SELECT count(*) FROM reviews");
    let before = (server.count(events).await, server.count(reviews).await);
    delete(server, &digest).await;
    assert_eq!(server.count("SELECT count(*) FROM tags").await, 0);
    let metrics = server.admin().get("/metrics").await;
    assert!(metrics.assert_status(200).text().contains("\nwharf_bin_entries 1\n"));
    let told = server.admin().get("/api/v1/collection").await.assert_status(200).json();
    assert!(told["bin"] == 1 && told["bin_from"].is_string() && told["bin_from"] == told["bin_until"], "{told}");
    // An event for each thousand tags and for the manifest; a review of what lost them all.
    assert_eq!((server.count(events).await - before.0, server.count(reviews).await - before.1), (4 + 1, 1));
    let deletions = "SELECT count(*) FROM tag_history WHERE action = 'delete' AND new_digest IS NULL";
    assert_eq!(server.count(deletions).await, TAGS + 1);
    let noted = "SELECT count(DISTINCT subject) FROM audit WHERE action = 'tag.delete' AND repository = 'team/app'";
    assert_eq!(server.count(noted).await, TAGS + 1);

    let restored = Bin(server.admin()).restored("team/app").await;
    assert_eq!(restored["tags"].as_array().unwrap().len() as i64, TAGS + 1);
    assert_eq!(server.count("SELECT count(*) FROM tags").await, TAGS + 1);
    let returns = "SELECT count(DISTINCT tag) FROM tag_history WHERE action = 'restore' AND new_digest IS NOT NULL";
    assert_eq!(server.count(returns).await, TAGS + 1);
    assert_eq!(server.count("SELECT count(*) FROM tag_history WHERE action = 'restore'").await, TAGS + 1);
    server.admin().get("/v2/team/app/manifests/tag-2999").await.assert_status(200);
}

async fn tags_that_are_there_again_stay_when_thousands_come_back(server: &TestServer) {
    let digest = tagged(server).await;
    delete(server, &digest).await;
    let other = Image::new().layer("other").push(&server.admin(), "team/app:tag-7").await;
    let bin = Bin(server.admin());
    let restored = bin.restored("team/app").await;
    assert_eq!(restored["tags"].as_array().unwrap().len() as i64, TAGS);
    assert_eq!(restored["kept"][0]["tag"], "tag-7");
    let there = server.admin().get("/v2/team/app/manifests/tag-7").await;
    assert_eq!(there.assert_status(200).header("docker-content-digest"), Some(other.as_str()));
}

async fn a_purge_reviews_the_companions_of_each_entry_once(server: &TestServer) {
    const IMAGES: i64 = 150;
    server.project("team").await;
    let mut layer = String::new();
    for number in 0..IMAGES {
        let image = Image::new().layer("the base").layer(format!("its own {number}"));
        let digest = image.push(&server.admin(), "team/app:v1").await;
        let manifest = server.admin().get(&format!("/v2/team/app/manifests/{digest}")).await;
        layer = manifest.assert_status(200).json()["layers"][0]["digest"].as_str().unwrap().to_owned();
        delete(server, &digest).await;
    }
    let before = server.count("SELECT count(*) FROM reviews").await;
    let purge = json!({ "digest": layer, "reason": "a test" });
    let told = server.admin().post_json("/api/v1/purges", &purge).await.assert_status(200).json();
    assert_eq!(told["bin"], IMAGES);
    // Manifest, configuration and two layers of each.
    assert!(server.count("SELECT count(*) FROM reviews").await - before <= IMAGES * 4);
    assert_eq!(Bin(server.admin()).list("bin?limit=10").await, Vec::<Value>::new());
}

async fn numbers_of_the_bin_are_not_given_again(server: &TestServer) {
    server.project("team").await;
    let (admin, bin) = (server.admin(), Bin(server.admin()));
    let first = Image::new().layer("first").push(&admin, "team/app:v1").await;
    delete(server, &first).await;
    let number = bin.newest().await;
    let purge = json!({ "digest": first, "reason": "a test" });
    admin.post_json("/api/v1/purges", &purge).await.assert_status(200);
    let second = Image::new().layer("second").push(&admin, "team/app:v1").await;
    delete(server, &second).await;
    assert!(bin.newest().await > number);
    bin.restore("team/app", number, json!({})).await.assert_status(410);

    let number = bin.newest().await;
    let purge = json!({ "repository": "team/app", "reason": "a test" });
    admin.post_json("/api/v1/purges", &purge).await.assert_status(200);
    let third = Image::new().layer("third").push(&admin, "team/app:v1").await;
    delete(server, &third).await;
    assert!(bin.newest().await > number);
}

async fn entries_go_with_their_repository_into_another_project(server: &TestServer) {
    let (admin, bin) = (server.admin(), Bin(server.admin()));
    server.project("team").await;
    server.project("other").await;
    let image = Image::new().layer("first").push(&admin, "team/app:v1").await;
    delete(server, &image).await;
    push_blob(&admin, "team/app", "more").await;
    admin.delete("/api/v1/repositories/oci/team/app").await.assert_status(204);
    let entry = bin.newest().await;
    bin.restore("team/app", entry, json!({ "as": "other/app" })).await.assert_status(200);
    assert_eq!(bin.list("projects/team/bin").await, Vec::<Value>::new());
    assert_eq!(bin.list("projects/other/bin").await[0]["name"], image);
}

async fn a_manifest_of_a_purged_index_stays_if_it_is_tagged(server: &TestServer) {
    server.project("team").await;
    let admin = server.admin();
    let mut index = wharf_testkit::Index::new();
    for name in ["tagged", "plain"] {
        let image = Image::new().layer(name);
        let tag = if name == "tagged" { "team/app:kept" } else { "team/app:gone" };
        image.push(&admin, tag).await;
        index = index.image(&image, "linux/amd64");
    }
    admin.delete("/v2/team/app/manifests/gone").await.assert_status(202);
    server.clock().advance(Duration::from_secs(1));
    let digest = index.push(&admin, "team/app:all").await;
    let purge = json!({ "digest": digest, "force": true, "reason": "a test" });
    admin.post_json("/api/v1/purges", &purge).await.assert_status(200);
    admin.get("/v2/team/app/manifests/kept").await.assert_status(200);
    admin.get("/v2/team/app/manifests/all").await.assert_status(404);
    // A purge that was told of but did not happen would take it away in a restore.
    let said = "SELECT count(*) FROM purges p JOIN blobs b ON b.digest = p.digest WHERE b.created_at <= p.at";
    assert_eq!(server.count(said).await, 0);
}
