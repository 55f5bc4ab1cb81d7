//! Bytes are shared, what may be read is not.

use wharf_auth::Role;
use wharf_testkit::{Image, TestServer, media};

use crate::backend::on_every_backend;
use crate::blob::{Blob, LARGE};
use crate::refusal::Refusal;
use crate::remains::assert_objects;
use crate::repository::Repository;

on_every_backend! {
    content_of_one_repository_is_not_in_another,
    somebody_who_pushes_known_bytes_learns_nothing,
}

async fn content_of_one_repository_is_not_in_another(server: &TestServer) {
    let (here, there) = (Repository::new(server, "team/here"), Repository::new(server, "team/there"));
    let layer = Blob::noise(1, LARGE);
    let image = Image::new().layer(layer.content.clone());
    let digest = image.push(&here.client, "team/here:v1").await;
    there.push(&Blob::of("so that it is there")).await;
    for method in [http::Method::GET, http::Method::HEAD] {
        let blob = there.request(method.clone(), &format!("blobs/{}", layer.digest)).send().await;
        let manifest = there.request(method.clone(), &format!("manifests/{digest}")).send().await;
        if method == http::Method::GET {
            blob.refused(404, "BLOB_UNKNOWN");
            manifest.refused(404, "MANIFEST_UNKNOWN");
        }
        assert_eq!((blob.status.as_u16(), manifest.status.as_u16()), (404, 404));
    }
    there.get("manifests/v1").await.refused(404, "MANIFEST_UNKNOWN");
    there.delete(&format!("blobs/{}", layer.digest)).await.refused(404, "BLOB_UNKNOWN");
    there.delete(&format!("manifests/{digest}")).await.refused(404, "MANIFEST_UNKNOWN");
    there.put_manifest("v1", media::MANIFEST, image.manifest()).await.refused(400, "MANIFEST_BLOB_UNKNOWN");
    here.get(&format!("blobs/{}", layer.digest)).await.assert_status(200).assert_body(&layer.content);
    // The manifest's bytes are a blob for whoever pushes them as one, and nothing else.
    there.push(&Blob::of(image.manifest())).await;
    there.get(&format!("blobs/{digest}")).await.assert_status(200);
    there.get(&format!("manifests/{digest}")).await.refused(404, "MANIFEST_UNKNOWN");
    assert_objects(server, 1).await;
}

async fn somebody_who_pushes_known_bytes_learns_nothing(server: &TestServer) {
    let (known, fresh) = (Blob::noise(2, LARGE), Blob::noise(3, LARGE));
    Repository::new(server, "secret/app").push(&known).await;
    server.project("team").await;
    let pusher = Repository::of(&server.user_with("petra", Role::Maintainer, "team").await, "team/app");
    let mut answers = Vec::new();
    for blob in [&known, &fresh] {
        let upload = pusher.begin().await;
        let appended = pusher.append(&upload, 0, blob.content.clone()).await;
        let wrong = pusher.finish(&pusher.begin().await, 0, "wrong", &blob.digest).await;
        let finished = pusher.finish(&upload, LARGE, "", &blob.digest).await;
        let said = [&appended, &wrong, &finished].map(|answer| {
            let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort_unstable();
            (answer.status, names, answer.body.len())
        });
        answers.push(said);
        // Taking it out again leaves the other one's copy alone.
        pusher.delete(&format!("blobs/{}", blob.digest)).await.assert_status(202);
    }
    assert_eq!(answers[0], answers[1]);
    let secret = Repository::new(server, "secret/app");
    secret.get(&format!("blobs/{}", known.digest)).await.assert_status(200).assert_body(&known.content);
}
