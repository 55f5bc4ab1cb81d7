//! Where a tag pointed, and the way back.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_auth::Role;
use wharf_testkit::{Answer, Client, Image, TestServer};

use crate::backend::on_every_database;
use crate::bin::Bin;
use crate::repository::Repository;

on_every_database! {
    the_history_tells_every_move_and_pages,
    a_rollback_goes_back_one_move_and_twice_is_none,
    a_rollback_goes_to_any_manifest_that_is_there,
    a_deleted_tag_is_rolled_back_to_where_it_was,
    a_rollback_takes_a_deleted_manifest_out_of_the_bin,
    there_is_no_way_back_to_what_is_gone,
    old_moves_are_forgotten,
}

const TAG: &str = "/api/v1/repositories/oci/team/app/-/tags/v1";

/// Three images pushed to one tag, one after the other; their digests.
async fn pushed(server: &TestServer) -> [String; 3] {
    let admin = server.admin();
    let mut digests = Vec::new();
    for layer in ["one", "two", "three"] {
        digests.push(Image::new().layer(layer).push(&admin, "team/app:v1").await);
    }
    digests.try_into().expect("three")
}

async fn rollback(client: &Client, how: Value) -> Answer {
    client.post_json(&format!("{TAG}/rollback"), &how).await
}

async fn assert_at(server: &TestServer, digest: &str) {
    let head = Repository::new(server, "team/app").head("manifests/v1").await;
    head.assert_status(200).assert_header("docker-content-digest", digest);
}

async fn delete(server: &TestServer, reference: &str) {
    Repository::new(server, "team/app").delete(&format!("manifests/{reference}")).await.assert_status(202);
}

async fn history(server: &TestServer) -> Vec<Value> {
    server.admin().get(&format!("{TAG}/history")).await.assert_status(200).json()["items"].as_array().unwrap().clone()
}

async fn the_history_tells_every_move_and_pages(server: &TestServer) {
    let [one, two, three] = pushed(server).await;
    // The same push again is no move.
    Image::new().layer("three").push(&server.admin(), "team/app:v1").await;
    delete(server, "v1").await;
    rollback(&server.admin(), json!({})).await.assert_status(200);
    delete(server, "v1").await;
    let bin = Bin(server.admin());
    bin.restored("team/app").await;
    let moves = [
        ("restore", json!(null), json!(three)),
        ("delete", json!(three), json!(null)),
        ("rollback", json!(null), json!(three)),
        ("delete", json!(three), json!(null)),
        ("push", json!(two), json!(three)),
        ("push", json!(one), json!(two)),
        ("push", json!(null), json!(one)),
    ];
    let told = history(server).await;
    assert_eq!(told.len(), moves.len(), "{told:?}");
    for (entry, (action, old, new)) in told.iter().zip(&moves) {
        assert_eq!((&entry["action"], &entry["old"], &entry["new"]), (&json!(action), old, new), "{told:?}");
        assert_eq!(entry["actor"], "admin");
    }
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.admin().get(&format!("{TAG}/history?limit=3{after}")).await.assert_status(200).json();
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(paged, told);
}

async fn a_rollback_goes_back_one_move_and_twice_is_none(server: &TestServer) {
    let [_, two, three] = pushed(server).await;
    let done = rollback(&server.admin(), json!({})).await.assert_status(200).json();
    assert_eq!((&done["from"], &done["to"], &done["restored"]), (&json!(three), &json!(two), &json!([])));
    assert_at(server, &two).await;
    rollback(&server.admin(), json!({})).await.assert_status(200);
    assert_at(server, &three).await;
}

async fn a_rollback_goes_to_any_manifest_that_is_there(server: &TestServer) {
    let [one, ..] = pushed(server).await;
    // Whoever pushes moves tags.
    let pusher = server.user_with("pusher", Role::Pusher, "team").await;
    rollback(&pusher, json!({ "to": one })).await.assert_status(200);
    assert_at(server, &one).await;
    let moves = history(server).await.len();
    rollback(&pusher, json!({ "to": one })).await.assert_status(200);
    assert_eq!(history(server).await.len(), moves);
    let puller = server.user_with("puller", Role::Puller, "team").await;
    rollback(&puller, json!({ "to": one })).await.assert_status(403);
    rollback(&pusher, json!({ "to": "v1" })).await.assert_status(400);
    rollback(&pusher, json!({ "to": crate::blob::unknown() })).await.assert_status(410);
}

async fn a_deleted_tag_is_rolled_back_to_where_it_was(server: &TestServer) {
    let [.., three] = pushed(server).await;
    delete(server, "v1").await;
    rollback(&server.admin(), json!({})).await.assert_status(200);
    assert_at(server, &three).await;
    // Made anew after a deletion, it goes back to where it was before that.
    delete(server, "v1").await;
    Image::new().layer("four").push(&server.admin(), "team/app:v1").await;
    rollback(&server.admin(), json!({})).await.assert_status(200);
    assert_at(server, &three).await;
}

async fn a_rollback_takes_a_deleted_manifest_out_of_the_bin(server: &TestServer) {
    let [_, two, three] = pushed(server).await;
    delete(server, &two).await;
    let pusher = server.user_with("pusher", Role::Pusher, "team").await;
    let refused = rollback(&pusher, json!({})).await;
    assert!(refused.assert_status(403).json()["detail"].as_str().unwrap().contains("bin"), "{refused}");
    let done = rollback(&server.admin(), json!({})).await.assert_status(200).json();
    assert_eq!((&done["restored"][0]["digest"], &done["restored"][0]["kept"]), (&json!(two), &json!([])));
    assert_at(server, &two).await;
    // With its tag, too: the last move was the deletion.
    delete(server, &two).await;
    rollback(&server.admin(), json!({})).await.assert_status(200);
    assert_at(server, &two).await;
    delete(server, &three).await;
    rollback(&server.admin(), json!({ "to": three })).await.assert_status(200);
    assert_at(server, &three).await;
}

async fn there_is_no_way_back_to_what_is_gone(server: &TestServer) {
    let [_, two, _] = pushed(server).await;
    let fresh = server.admin().post_json(&TAG.replace("tags/v1", "tags/v2/rollback"), &json!({})).await;
    assert!(fresh.assert_status(409).json()["hint"].as_str().unwrap().contains("digest"), "{fresh}");
    delete(server, &two).await;
    server.clock().advance(Duration::from_secs(8 * 24 * 60 * 60));
    for cleared in [false, true] {
        if cleared {
            server.core().empty_bin().await.expect("a look into the bin");
        }
        let gone = rollback(&server.admin(), json!({})).await;
        assert!(gone.assert_status(410).json()["detail"].as_str().unwrap().contains(&two), "{gone}");
    }
}

async fn old_moves_are_forgotten(server: &TestServer) {
    let [.., three] = pushed(server).await;
    server.clock().advance(Duration::from_secs(200 * 24 * 60 * 60));
    delete(server, "v1").await;
    server.clock().advance(Duration::from_secs(170 * 24 * 60 * 60));
    server.core().empty_bin().await.expect("a look into the bin");
    let told = history(server).await;
    assert_eq!((told.len(), &told[0]["old"]), (1, &json!(three)), "{told:?}");
    rollback(&server.admin(), json!({})).await.assert_status(200);
    assert_at(server, &three).await;
}
