//! Clients that do the same thing at the same time.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::StatusCode;
use wharf_testkit::{Image, TestServer, media};

use crate::backend::on_every_backend;
use crate::blob::{Blob, LARGE};
use crate::remains::assert_objects;
use crate::repository::Repository;

on_every_backend! {
    many_pushes_of_one_blob_leave_one_object,
    many_pushes_to_one_tag_end_at_one_of_them,
    many_first_pushes_make_one_project_and_one_repository,
    of_two_requests_for_one_upload_one_wins,
    a_push_and_a_deletion_leave_no_manifest_without_its_blobs,
}

const CLIENTS: usize = 16;

/// Lets all of them go at once, each on a task of its own.
async fn at_once<T: Send + 'static>(
    work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = work.into_iter().map(tokio::spawn).collect();
    join_all(tasks).await.into_iter().map(|outcome| outcome.expect("no panic")).collect()
}

async fn many_pushes_of_one_blob_leave_one_object(server: &TestServer) {
    let blob = Blob::noise(1, LARGE);
    let pushes = (0..CLIENTS).map(|number| {
        let repository = Repository::new(server, &format!("team/app-{}", number % 4));
        let blob = blob.clone();
        async move {
            if number % 2 == 0 {
                repository.push(&blob).await;
            } else {
                let path = repository.path(&format!("blobs/uploads/?digest={}", blob.digest));
                repository.client.post(&path, blob.content).await.assert_status(201);
            }
        }
    });
    at_once(pushes).await;
    for number in 0..4 {
        let read = Repository::new(server, &format!("team/app-{number}")).get(&format!("blobs/{}", blob.digest)).await;
        read.assert_status(200).assert_body(&blob.content);
    }
    assert_objects(server, 1).await;
}

async fn many_pushes_to_one_tag_end_at_one_of_them(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let images: Vec<_> = (0..CLIENTS).map(|number| Image::new().annotation("number", &number.to_string())).collect();
    let pushes = images.iter().map(|image| {
        let (repository, manifest) = (repository.clone(), image.manifest());
        async move {
            repository.put_manifest("latest", media::MANIFEST, manifest.clone()).await.assert_status(201);
            let read = repository.get("manifests/latest").await;
            read.assert_status(200).header("docker-content-digest").unwrap().to_owned()
        }
    });
    let pushed: BTreeSet<String> = images.iter().map(Image::digest).collect();
    assert!(at_once(pushes).await.iter().all(|digest| pushed.contains(digest)));
    let last = repository.get("manifests/latest").await.header("docker-content-digest").unwrap().to_owned();
    let target = wharf_core::Target::new(wharf_oci::NAME, "team/app".parse().unwrap());
    let history = server.core().tag_history(&target, &"latest".parse().unwrap(), None, 100).await.unwrap();
    assert_eq!(history[0].new.map(|digest| digest.to_string()), Some(last));
    assert_eq!((history.len(), history[CLIENTS - 1].old), (CLIENTS, None));
    // Every move begins where the one before it ended.
    assert!(history.windows(2).all(|pair| pair[0].old == pair[1].new), "{history:?}");
    for digest in &pushed {
        repository.head(&format!("manifests/{digest}")).await.assert_status(200);
    }
}

async fn many_first_pushes_make_one_project_and_one_repository(server: &TestServer) {
    let pushes = (0..CLIENTS).map(|number| {
        let image = Image::new().layer(format!("layer {number}"));
        let client = server.admin();
        async move { image.push(&client, &format!("new/app:v{number:02}")).await }
    });
    let digests = at_once(pushes).await;
    let repository = Repository::new(server, "new/app");
    for (number, digest) in digests.iter().enumerate() {
        let read = repository.get(&format!("manifests/v{number:02}")).await;
        read.assert_status(200).assert_header("docker-content-digest", digest);
    }
    assert_eq!(repository.client.get("/v2/_catalog").await.json()["repositories"], serde_json::json!(["new/app"]));
}

async fn of_two_requests_for_one_upload_one_wins(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for length in [3000, 4 * LARGE] {
        let blob = Blob::noise(2, length);
        let upload = repository.begin().await;
        let half = length / 2;
        let appends = (0..2).map(|_| {
            let (repository, upload, chunk) = (repository.clone(), upload.clone(), blob.content.slice(..half));
            async move { repository.append(&upload, 0, chunk).await.status }
        });
        let statuses = at_once(appends).await;
        let loses = |status: &StatusCode| [400, 409, 416, 503].contains(&status.as_u16());
        assert!(statuses.iter().all(|status| *status == 202 || loses(status)), "{statuses:?}");
        assert!(statuses.iter().filter(|status| **status == 202).count() <= 1, "{statuses:?}");
        let at = repository.received(&upload).await;
        let finishes = (0..2).map(|_| {
            let (repository, upload, digest) = (repository.clone(), upload.clone(), blob.digest.clone());
            let rest = blob.content.slice(at..);
            async move { repository.finish(&upload, at, rest, &digest).await.status }
        });
        let statuses = at_once(finishes).await;
        finish_if_both_lost(&repository, &upload, &blob, &statuses).await;
        repository.get(&format!("blobs/{}", blob.digest)).await.assert_status(200).assert_body(&blob.content);
    }
}

/// Two requests may take each other's place so that neither ends the upload: then it is still there to go on with. Whoever asks
/// for an end that has been is answered like the first.
async fn finish_if_both_lost(repository: &Repository, upload: &str, blob: &Blob, statuses: &[StatusCode]) {
    if statuses.iter().any(|status| *status == 201) {
        repository.client.get(upload).await.assert_status(404);
        return;
    }
    let at = repository.received(upload).await;
    repository.finish(upload, at, blob.content.slice(at..), &blob.digest).await.assert_status(201);
}

async fn a_push_and_a_deletion_leave_no_manifest_without_its_blobs(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for round in 0..8 {
        let layer = Blob::noise(100 + round, 20_000);
        let image = Image::new().layer(layer.content.clone());
        repository.push(&Blob::of("{}")).await;
        repository.push(&layer).await;
        let (pusher, deleter) = (repository.clone(), repository.clone());
        let (manifest, path) = (image.manifest(), format!("blobs/{}", layer.digest));
        let rest = path.clone();
        let (put, deleted) = tokio::join!(
            tokio::spawn(async move { pusher.put_manifest("v1", media::MANIFEST, manifest).await.status.as_u16() }),
            tokio::spawn(async move { deleter.delete(&rest).await.status.as_u16() }),
        );
        let there = repository.head(&path).await.status.as_u16();
        match (put.unwrap(), deleted.unwrap()) {
            (201, 409) => assert_eq!(there, 200),
            (400, 202) => assert_eq!(there, 404),
            other => panic!("push and deletion were answered {other:?}, the blob {there}"),
        }
    }
}
