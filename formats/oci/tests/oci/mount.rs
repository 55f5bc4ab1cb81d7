//! Taking a blob over from another repository. Whatever may not be told is answered like what is not there.

use http::Method;
use wharf_auth::Role;
use wharf_testkit::{Answer, TestServer};

use crate::backend::on_every_backend;
use crate::blob::{ALGORITHMS, Blob, LARGE, noise, unknown};
use crate::refusal::Refusal;
use crate::remains::assert_objects;
use crate::repository::Repository;

on_every_backend! {
    a_blob_is_mounted_from_a_repository_that_one_may_read,
    what_cannot_be_mounted_is_uploaded,
    a_mount_does_not_tell_what_others_have,
    a_registry_token_for_both_ends_mounts,
}

async fn mount(target: &Repository, digest: &str, from: Option<&str>) -> Answer {
    let from = from.map(|from| format!("&from={from}")).unwrap_or_default();
    target.request(Method::POST, &format!("blobs/uploads/?mount={digest}{from}")).send().await
}

/// Fails unless an upload was begun instead, which takes the blob.
async fn assert_upload(target: &Repository, answer: &Answer, blob: &Blob) {
    let upload = answer.assert_status(202).assert_no_header("docker-content-digest").location();
    target.get(&format!("blobs/{}", blob.digest)).await.refused(404, "BLOB_UNKNOWN");
    target.finish(&upload, 0, blob.content.clone(), &blob.digest).await.assert_status(201);
}

async fn a_blob_is_mounted_from_a_repository_that_one_may_read(server: &TestServer) {
    let source = Repository::new(server, "one/app");
    for algorithm in ALGORITHMS {
        for from in [Some("one/app"), None] {
            let blob = Blob::by(algorithm, noise(1, LARGE));
            source.push(&blob).await;
            let target = Repository::new(server, if from.is_some() { "two/named" } else { "two/anonymous" });
            let mounted = mount(&target, &blob.digest, from).await;
            mounted.assert_status(201).assert_header("docker-content-digest", &blob.digest);
            assert_eq!(mounted.location(), target.path(&format!("blobs/{}", blob.digest)));
            mount(&target, &blob.digest, from).await.assert_status(201);
            source.delete(&format!("blobs/{}", blob.digest)).await.assert_status(202);
            target.get(&format!("blobs/{}", blob.digest)).await.assert_status(200).assert_body(&blob.content);
        }
    }
    // The same bytes under two digests.
    assert_objects(server, 2).await;
}

async fn what_cannot_be_mounted_is_uploaded(server: &TestServer) {
    Repository::new(server, "one/app").push(&Blob::of("something else")).await;
    let blob = Blob::noise(2, LARGE);
    for (target, from) in
        [("two/a", Some("one/app")), ("two/b", Some("no/such")), ("two/c", None), ("two/d", Some("two/d"))]
    {
        let target = Repository::new(server, target);
        assert_upload(&target, &mount(&target, &blob.digest, from).await, &blob).await;
        target.delete(&format!("blobs/{}", blob.digest)).await.assert_status(202);
    }
    let target = Repository::new(server, "two/a");
    mount(&target, "sha256:short", None).await.refused(400, "DIGEST_INVALID");
    mount(&target, &unknown(), Some("../one/app")).await.refused(400, "NAME_INVALID");
}

async fn a_mount_does_not_tell_what_others_have(server: &TestServer) {
    let secret = Blob::noise(3, LARGE);
    Repository::new(server, "secret/app").push(&secret).await;
    server.project("team").await;
    let pusher = server.user_with("petra", Role::Pusher, "team").await;
    let target = Repository::of(&pusher, "team/app");
    target.push(&Blob::of("so that it is there")).await;
    let mut answers = Vec::new();
    for (digest, from) in [
        (secret.digest.clone(), Some("secret/app")),
        (secret.digest.clone(), None),
        (unknown(), Some("secret/app")),
        (unknown(), Some("absent/app")),
        (unknown(), None),
    ] {
        let answer = mount(&target, &digest, from).await;
        answer.assert_status(202);
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        answers.push((names, answer.body.clone(), answer.location().len()));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    let answer = mount(&target, &secret.digest, Some("secret/app")).await;
    assert_upload(&target, &answer, &secret).await;
    // Somebody who may only see the source may not take anything out of it.
    server.grant("petra", Role::Viewer, "secret", "**").await;
    target.delete(&format!("blobs/{}", secret.digest)).await.refused(403, "DENIED");
    let other = Repository::of(&pusher, "team/other");
    mount(&other, &secret.digest, Some("secret/app")).await.assert_status(202);
    server.grant("petra", Role::Puller, "secret", "**").await;
    mount(&other, &secret.digest, Some("secret/app")).await.assert_status(201);
}

async fn a_registry_token_for_both_ends_mounts(server: &TestServer) {
    let blob = Blob::noise(4, LARGE);
    Repository::new(server, "one/app").push(&blob).await;
    let path = format!("/v2/two/app/blobs/uploads/?mount={}&from=one/app", blob.digest);
    let challenge = server.anonymous().post(&path, "").await;
    challenge.refused(401, "UNAUTHORIZED");
    let scope = "repository:two/app:pull,push repository:one/app:pull";
    let asked = challenge.expect_header("www-authenticate");
    assert!(asked.contains(&format!("scope=\"{scope}\"")), "{asked}");
    let client = server.admin().with_registry_token(&[scope]).await;
    mount(&Repository::of(&client, "two/app"), &blob.digest, Some("one/app")).await.assert_status(201);
}
