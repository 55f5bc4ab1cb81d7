//! Purges: what must not be here goes at once, and what else would break is asked about first.

mod runs;

use std::time::Duration;

use serde_json::{Value, json};
use wharf_testkit::{Answer, Image, Index, TestServer};

use crate::backend::on_every_backend;
use crate::blob::{Blob, LARGE, unknown};
use crate::remains::assert_objects;
use crate::repository::Repository;

on_every_backend! {
    a_purged_blob_is_gone_everywhere_at_once,
    what_manifests_name_is_purged_only_with_them,
    a_purged_manifest_takes_along_what_only_it_has,
    a_purged_repository_goes_with_what_only_it_has,
    no_pin_and_no_wait_keeps_what_is_purged,
    what_was_purged_can_be_pushed_again,
    a_purge_is_written_down,
    a_purge_names_one_thing,
}

async fn order(server: &TestServer, body: Value) -> Answer {
    server.admin().post_json("/api/v1/purges", &body).await
}

async fn purge(server: &TestServer, body: Value) -> Value {
    order(server, body).await.assert_status(200).json()
}

async fn a_purged_blob_is_gone_everywhere_at_once(server: &TestServer) {
    let secret = Blob::noise(1, LARGE);
    let repositories: Vec<_> = (0..3).map(|number| Repository::new(server, &format!("team/app-{number}"))).collect();
    for repository in &repositories {
        repository.push(&secret).await;
    }
    let done = purge(server, json!({ "digest": secret.digest, "reason": "a password" })).await;
    assert_eq!((&done["links"], &done["blobs"], &done["objects"]), (&3.into(), &1.into(), &1.into()), "{done}");
    assert!(done["backups"].as_str().expect("a warning").contains("backups made before"));
    assert_objects(server, 0).await;
    for repository in &repositories {
        repository.head(&format!("blobs/{}", secret.digest)).await.assert_status(404);
    }
}

async fn what_manifests_name_is_purged_only_with_them(server: &TestServer) {
    let (one, two) = (Repository::new(server, "one/app"), Repository::new(server, "two/app"));
    let (secret, good) = (Blob::noise(2, LARGE), Blob::noise(3, LARGE));
    let bad = Image::new().layer(good.content.clone()).layer(secret.content.clone());
    let clean = Image::new().layer(good.content.clone());
    let digest = bad.push(&one.client, "one/app:v1").await;
    bad.push(&two.client, "two/app:v1").await;
    clean.push(&one.client, "one/app:v2").await;
    Index::new().image(&bad, "linux/amd64").push(&one.client, "one/app:all").await;
    let refused = order(server, json!({ "digest": secret.digest })).await;
    let problem = refused.assert_status(409).json();
    let detail = problem["detail"].as_str().expect("words");
    assert!(detail.contains(&format!("one/app {digest} (v1)")) && detail.contains("two/app"), "{detail}");
    one.get(&format!("blobs/{}", secret.digest)).await.assert_status(200);

    let done = purge(server, json!({ "digest": secret.digest, "force": true })).await;
    assert_eq!(done["manifests"].as_array().map(Vec::len), Some(2), "{done}");
    for repository in [&one, &two] {
        repository.head("manifests/v1").await.assert_status(404);
        repository.head(&format!("manifests/{digest}")).await.assert_status(404);
        repository.head(&format!("blobs/{}", secret.digest)).await.assert_status(404);
    }
    one.get("manifests/all").await.assert_status(200);
    one.get("manifests/v2").await.assert_status(200).assert_body(clean.manifest());
    one.get(&format!("blobs/{}", good.digest)).await.assert_status(200).assert_body(&good.content);
    assert_objects(server, 1).await;
    let refused = order(server, json!({ "digest": clean.digest() })).await;
    refused.assert_status(200);
}

async fn a_purged_manifest_takes_along_what_only_it_has(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let (secret, shared) = (Blob::noise(4, LARGE), Blob::noise(5, LARGE));
    let bad = Image::new().layer(shared.content.clone()).layer(secret.content.clone());
    let other = Image::new().layer(shared.content.clone());
    bad.push(&repository.client, "team/app").await;
    other.push(&repository.client, "team/app:v2").await;
    let index = Index::new()
        .image(&bad, "linux/amd64")
        .image(&other, "linux/amd64")
        .push(&repository.client, "team/app:all")
        .await;
    order(server, json!({ "digest": bad.digest() })).await.assert_status(409);
    // The index takes along what has no tag of its own.
    let done = purge(server, json!({ "digest": index })).await;
    repository.head(&format!("manifests/{index}")).await.assert_status(404);
    repository.head("manifests/all").await.assert_status(404);
    repository.head(&format!("manifests/{}", bad.digest())).await.assert_status(404);
    repository.head(&format!("blobs/{}", secret.digest)).await.assert_status(404);
    repository.get("manifests/v2").await.assert_status(200);
    repository.get(&format!("blobs/{}", shared.digest)).await.assert_status(200).assert_body(&shared.content);
    let kept = done["kept"].as_array().expect("a list");
    assert!(kept.contains(&shared.digest.clone().into()) && kept.contains(&other.digest().into()), "{done}");
    // Who looks after the repository sees what became of its tag.
    let path = "/api/v1/audit?repository=team/app&action=tag.delete";
    let lines = server.admin().get(path).await.assert_status(200).json();
    let told = &lines["items"][0];
    assert_eq!((&told["subject"], &told["digest"], &told["project"]), (&json!("all"), &json!(index), &json!("team")));
    assert!(told["detail"].as_str().is_some_and(|detail| detail.starts_with("purged")), "{told}");
    assert_objects(server, 1).await;
}

async fn a_purged_repository_goes_with_what_only_it_has(server: &TestServer) {
    let (one, two) = (Repository::new(server, "team/one"), Repository::new(server, "team/two"));
    let (secret, shared) = (Blob::noise(6, LARGE), Blob::noise(7, LARGE));
    Image::new().layer(shared.content.clone()).layer(secret.content.clone()).push(&one.client, "team/one:v1").await;
    let other = Image::new().layer(shared.content.clone());
    other.push(&two.client, "team/two:v1").await;
    for round in 0..2 {
        if round == 1 {
            Image::new().layer(secret.content.clone()).push(&one.client, "team/one:v1").await;
            // One that lies in the bin has no other way out.
            server.admin().delete("/api/v1/repositories/oci/team/one").await.assert_status(204);
        }
        let done = purge(server, json!({ "repository": "team/one" })).await;
        assert_eq!(done["objects"], 1, "{done}");
        assert_objects(server, 1).await;
        one.head("manifests/v1").await.assert_status(404);
    }
    two.get("manifests/v1").await.assert_status(200).assert_body(other.manifest());
    two.get(&format!("blobs/{}", shared.digest)).await.assert_status(200).assert_body(&shared.content);
    order(server, json!({ "repository": "team/none" })).await.assert_status(404);
}

async fn no_pin_and_no_wait_keeps_what_is_purged(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let secret = Blob::noise(8, LARGE);
    repository.push(&secret).await;
    let pin = server.core().pin("a backup").await.expect("a pin");
    for _ in 0..2 {
        server.clock().advance(Duration::from_secs(25 * 60 * 60));
        server.core().collect(None).await.expect("a collection");
    }
    // Its row is gone; the bytes wait, and the pin keeps them.
    repository.head(&format!("blobs/{}", secret.digest)).await.assert_status(404);
    assert_objects(server, 1).await;
    assert_eq!(purge(server, json!({ "digest": secret.digest })).await["objects"], 1);
    assert_objects(server, 0).await;
    pin.release().await.expect("the end of a pin");
}

async fn what_was_purged_can_be_pushed_again(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let layer = Blob::noise(9, LARGE);
    let image = Image::new().layer(layer.content.clone());
    image.push(&repository.client, "team/app:v1").await;
    purge(server, json!({ "digest": layer.digest, "force": true })).await;
    image.push(&repository.client, "team/app:v1").await;
    for _ in 0..3 {
        server.clock().advance(Duration::from_secs(25 * 60 * 60));
        server.core().collect(None).await.expect("a collection");
    }
    repository.get("manifests/v1").await.assert_status(200);
    repository.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
}

async fn a_purge_is_written_down(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let digests = [Blob::noise(10, 10).digest, unknown()];
    repository.push(&Blob::noise(10, 10)).await;
    for digest in &digests {
        purge(server, json!({ "digest": digest, "reason": "a password" })).await;
    }
    let list = server.admin().get("/api/v1/purges?limit=1").await.assert_status(200).json();
    let item = &list["items"][0];
    assert_eq!((&item["digest"], &item["reason"]), (&digests[0].clone().into(), &"a password".into()));
    let after = list["next"].as_str().expect("another page");
    let list = server.admin().get(&format!("/api/v1/purges?after={after}")).await.assert_status(200).json();
    assert_eq!(list["items"][0]["digest"], digests[1], "what only backups hold is remembered too");
    let audit = server.admin().get("/api/v1/audit?limit=1").await.assert_status(200).json();
    let line = &audit["items"][0];
    assert_eq!((&line["action"], &line["detail"]), (&"content.purge".into(), &"a password".into()), "{line}");
}

async fn a_purge_names_one_thing(server: &TestServer) {
    for body in [json!({}), json!({ "digest": unknown(), "repository": "a/b" }), json!({ "digest": "secret" })] {
        order(server, body).await.assert_status(400);
    }
}
