//! Uploads that were interrupted, by the client's end or the server's.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use wharf_testkit::{Backend, Fragile, Raw, Store, TestServer};

use crate::backend::{on_every_backend, options};
use crate::blob::{Blob, LARGE, noise};
use crate::refusal::Refusal;
use crate::remains::{assert_nothing_unreferenced, assert_objects};
use crate::repository::{Repository, with_digest};

on_every_backend! {
    a_body_that_ends_early_keeps_the_upload,
    an_upload_goes_on_after_a_put_that_ended_early,
    a_blob_in_one_request_that_ends_early_is_not_kept,
    an_upload_that_nobody_goes_on_with_is_forgotten,
}

/// Sends the head of a request that announces more than it sends, then `part`, then closes. Reads whatever is answered.
async fn break_off(server: &TestServer, method: &Method, path: &str, announced: usize, part: &[u8]) {
    let admin = server.admin().authorization().unwrap();
    let mut raw = Raw::connect(server.address()).await;
    raw.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {admin}\r\nContent-Length: {announced}\r\n\r\n"
    ))
    .await;
    raw.send(part).await;
    tokio::io::AsyncWriteExt::shutdown(raw.stream()).await.expect("an end of the request");
    raw.rest().await;
}

async fn a_body_that_ends_early_keeps_the_upload(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for (kept, sent, length) in [(10, 100, 3000), (10, LARGE, 2 * LARGE), (LARGE, 2 * LARGE, 3 * LARGE)] {
        let blob = Blob::noise(1, length);
        let upload = repository.begin().await;
        repository.append(&upload, 0, blob.content.slice(..kept)).await.assert_status(202);
        break_off(server, &Method::PATCH, &upload, length, &blob.content[kept..sent]).await;
        let at = repository.received(&upload).await;
        assert!((kept..=sent).contains(&at), "{at} of {sent} bytes were kept, {kept} of them were acknowledged");
        repository.append(&upload, at, blob.content.slice(at..)).await.assert_status(202);
        repository.finish(&upload, length, "", &blob.digest).await.assert_status(201);
        repository.get(&format!("blobs/{}", blob.digest)).await.assert_status(200).assert_body(&blob.content);
    }
}

async fn an_upload_goes_on_after_a_put_that_ended_early(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for length in [3000, 2 * LARGE] {
        let blob = Blob::noise(2, length);
        let upload = repository.begin().await;
        repository.append(&upload, 0, blob.content.slice(..10)).await.assert_status(202);
        let put = with_digest(&upload, &blob.digest);
        break_off(server, &Method::PUT, &put, length, &blob.content[10..length / 2]).await;
        repository.get(&format!("blobs/{}", blob.digest)).await.refused(404, "BLOB_UNKNOWN");
        let at = repository.received(&upload).await;
        assert!((10..=length / 2).contains(&at), "{at}");
        repository.finish(&upload, at, blob.content.slice(at..), &blob.digest).await.assert_status(201);
        repository.get(&format!("blobs/{}", blob.digest)).await.assert_status(200).assert_body(&blob.content);
    }
}

async fn a_blob_in_one_request_that_ends_early_is_not_kept(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("so that it is there")).await;
    let blob = Blob::noise(3, 2 * LARGE);
    let path = repository.path(&format!("blobs/uploads/?digest={}", blob.digest));
    break_off(server, &Method::POST, &path, blob.content.len(), &blob.content[..LARGE]).await;
    repository.get(&format!("blobs/{}", blob.digest)).await.refused(404, "BLOB_UNKNOWN");
    repository.client.post(&path, blob.content.clone()).await.assert_status(201);
}

async fn an_upload_that_nobody_goes_on_with_is_forgotten(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let uploads = [repository.begin().await, repository.begin().await, repository.begin().await];
    for (upload, length) in uploads.iter().zip([0, 3000, LARGE]) {
        repository.append(upload, 0, noise(4, length)).await.assert_status(202);
    }
    server.clock().advance(Duration::from_secs(6 * 24 * 60 * 60));
    server.core().sweep().await.unwrap();
    assert_eq!(repository.received(&uploads[2]).await, LARGE);
    server.clock().advance(Duration::from_secs(2 * 24 * 60 * 60));
    server.core().sweep().await.unwrap();
    for upload in uploads {
        repository.client.get(&upload).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
    assert_objects(server, 0).await;
}

/// Restarts the server three times during one upload, and looks for everything else afterwards.
async fn goes_on_after_restarts(backend: Backend, store: Store) {
    let mut server = TestServer::start(options().backend(backend).store(store)).await;
    let kept = Blob::noise(5, LARGE);
    Repository::new(&server, "team/app").push(&kept).await;
    for piece in [1000, LARGE] {
        let blob = Blob::noise(6, 4 * piece);
        let upload = Repository::new(&server, "team/app").begin().await;
        for number in 0..3 {
            let repository = Repository::new(&server, "team/app");
            let chunk = blob.content.slice(number * piece..(number + 1) * piece);
            repository.append(&upload, number * piece, chunk).await.assert_status(202);
            server = server.restart().await;
            let repository = Repository::new(&server, "team/app");
            assert_eq!(repository.received(&upload).await, (number + 1) * piece);
        }
        let repository = Repository::new(&server, "team/app");
        repository.finish(&upload, 3 * piece, blob.content.slice(3 * piece..), &blob.digest).await.assert_status(201);
        server = server.restart().await;
        for blob in [&blob, &kept] {
            let read = Repository::new(&server, "team/app").get(&format!("blobs/{}", blob.digest)).await;
            read.assert_status(200).assert_body(&blob.content);
        }
    }
    assert_nothing_unreferenced(&server).await;
}

#[tokio::test]
async fn an_upload_goes_on_after_restarts_of_the_server() {
    goes_on_after_restarts(Backend::Sqlite, Store::Files).await;
}

#[tokio::test]
async fn an_upload_goes_on_after_restarts_over_postgres() {
    goes_on_after_restarts(Backend::Postgres, Store::Files).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_whose_server_died_between_seal_and_row() {
    let storage = Fragile::new();
    let server = TestServer::start(options().store(Store::Other(Arc::clone(&storage) as _))).await;
    let repository = Repository::new(&server, "team/app");
    for (seed, patched) in [(7, LARGE), (8, 2 * LARGE)] {
        let blob = Blob::noise(seed, 2 * LARGE);
        let upload = repository.begin().await;
        repository.append(&upload, 0, blob.content.slice(..patched)).await.assert_status(202);
        storage.mute_seals(true);
        let rest = blob.content.slice(patched..);
        repository.finish(&upload, patched, rest, &blob.digest).await.refused(503, "UNAVAILABLE");
        storage.mute_seals(false);
        // The row was written before the seal, so nothing has to be sent again.
        let received = repository.received(&upload).await;
        assert_eq!(received, blob.content.len());
        repository.finish(&upload, received, "", &blob.digest).await.assert_status(201);
        repository.get(&format!("blobs/{}", blob.digest)).await.assert_status(200).assert_body(&blob.content);
    }
}
