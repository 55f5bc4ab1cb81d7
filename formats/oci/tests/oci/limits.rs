//! Sizes and numbers: the largest that is taken, and what is said to more.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use wharf_auth::Role;
use wharf_core::Config;
use wharf_testkit::{Backend, Client, Image, Options, Raw, RawAnswer, TestServer, media};
use wharf_types::Digest;

use crate::backend::{on_every_backend, on_every_database, options};
use crate::blob::Blob;
use crate::refusal::Refusal;
use crate::remains::assert_objects;
use crate::repository::Repository;

mod bytes_of_a_manifest {
    use super::*;

    on_every_backend! {
        four_mebibytes_are_taken_and_a_byte_more_is_not,
    }
}

mod numbers {
    use super::*;

    on_every_database! {
        ten_thousand_layers_are_taken,
        ten_thousand_missing_layers_are_refused_with_the_first_of_them,
        more_layers_than_any_image_has_are_refused,
        ten_gigabytes_of_manifest_are_refused_before_they_are_sent,
        ten_gigabytes_of_somebody_who_may_not_push_are_refused_before_they_are_sent,
    }
}

const MOST: usize = 4 * 1024 * 1024;

/// A manifest of exactly this size.
fn manifest_of(size: usize) -> Bytes {
    let around = Image::new().annotation("note", "").manifest().len();
    Image::new().annotation("note", &"x".repeat(size - around)).manifest()
}

async fn four_mebibytes_are_taken_and_a_byte_more_is_not(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let (most, more) = (manifest_of(MOST), manifest_of(MOST + 1));
    assert_eq!(most.len(), MOST);
    repository.put_manifest("most", media::MANIFEST, most.clone()).await.assert_status(201);
    repository.get("manifests/most").await.assert_status(200).assert_body(&most);
    let detail = repository.put_manifest("more", media::MANIFEST, more.clone()).await.refused(413, "MANIFEST_INVALID");
    assert_eq!(detail["limitBytes"], MOST);
    let chunks: Vec<_> = more.chunks(65_536).map(|chunk| std::io::Result::Ok(Bytes::copy_from_slice(chunk))).collect();
    let request = repository.request(Method::PUT, "manifests/more").header(CONTENT_TYPE, media::MANIFEST);
    request.body(reqwest::Body::wrap_stream(stream::iter(chunks))).send().await.refused(413, "MANIFEST_INVALID");
    repository.get("manifests/more").await.refused(404, "MANIFEST_UNKNOWN");
    assert_objects(server, 0).await;
}

/// An image with so many layers that all differ.
fn many_layers(count: usize, media_type: Option<&str>) -> String {
    let layer = |number: usize| {
        let mut layer = json!({ "digest": Digest::sha256(&number.to_le_bytes()), "size": 8 });
        if let Some(media_type) = media_type {
            layer["mediaType"] = json!(media_type);
        }
        layer
    };
    let config = json!({ "mediaType": media::EMPTY, "digest": Digest::sha256(b"{}"), "size": 2 });
    let layers: Vec<Value> = (0..count).map(layer).collect();
    json!({ "schemaVersion": 2, "mediaType": media::MANIFEST, "config": config, "layers": layers }).to_string()
}

async fn ten_thousand_layers_are_taken(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let manifest = many_layers(10_000, Some("application/vnd.oci.image.layer.nondistributable.v1.tar"));
    repository.put_manifest("v1", media::MANIFEST, manifest.clone()).await.assert_status(201);
    repository.get("manifests/v1").await.assert_status(200).assert_body(&manifest);
    repository.delete(&format!("manifests/{}", Digest::sha256(manifest.as_bytes()))).await.assert_status(202);
}

async fn ten_thousand_missing_layers_are_refused_with_the_first_of_them(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let refused = repository.put_manifest("v1", media::MANIFEST, many_layers(10_000, Some(media::LAYER))).await;
    let detail = refused.refused(400, "MANIFEST_BLOB_UNKNOWN");
    assert!(refused.text().contains("10000 blob(s)"), "{refused}");
    assert_eq!(detail.as_array().unwrap().len(), 20);
}

async fn more_layers_than_any_image_has_are_refused(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let refused = repository.put_manifest("v1", media::MANIFEST, many_layers(10_001, None)).await;
    refused.refused(400, "MANIFEST_INVALID");
    assert!(refused.text().contains("10001") && refused.text().contains("10000"), "{refused}");
}

/// The answer to the head of a request that announces ten gigabytes. None of them is sent.
async fn announce(server: &TestServer, client: &Client, line: &str) -> RawAnswer {
    let authorization = client.authorization().map(|text| format!("Authorization: {text}\r\n")).unwrap_or_default();
    let mut raw = Raw::connect(server.address()).await;
    let media_type = media::MANIFEST;
    raw.send(format!(
        "{line} HTTP/1.1\r\nHost: a\r\n{authorization}Content-Type: {media_type}\r\nContent-Length: 10737418240\r\n\r\n"
    ))
    .await;
    raw.answer().await
}

async fn ten_gigabytes_of_manifest_are_refused_before_they_are_sent(server: &TestServer) {
    let answer = announce(server, &server.admin(), "PUT /v2/team/app/manifests/v1").await;
    answer.refused(413, "MANIFEST_INVALID");
}

async fn ten_gigabytes_of_somebody_who_may_not_push_are_refused_before_they_are_sent(server: &TestServer) {
    let upload = Repository::new(server, "team/app").begin().await;
    let puller = server.user_with("paul", Role::Puller, "team").await;
    let stranger = server.user("stranger").await;
    for line in [format!("PATCH {upload}"), "POST /v2/team/app/blobs/uploads/".to_owned()] {
        announce(server, &server.anonymous(), &line).await.refused(401, "UNAUTHORIZED");
        announce(server, &puller, &line).await.refused(403, "DENIED");
        announce(server, &stranger, &line).await.refused(404, "NAME_UNKNOWN");
    }
}

/// Somebody who takes no more of a body than is pushed on him: 64 KiB.
fn slow(server: &TestServer) -> Client {
    let http = reqwest::Client::builder().http2_prior_knowledge().http2_initial_stream_window_size(65_535);
    let client = Client::over(http.no_proxy().build().unwrap(), server.url());
    client.with_basic(wharf_testkit::ADMIN, wharf_testkit::ADMIN_PASSWORD)
}

fn with_room_for_two(backend: Backend) -> Options {
    options().backend(backend).core(|core: &mut Config| {
        core.manifest_memory = 2 * MOST as u64;
        core.manifest_wait = Duration::from_millis(200);
    })
}

#[tokio::test]
async fn clients_that_do_not_take_large_manifests_cannot_fill_the_memory() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let server = TestServer::start(with_room_for_two(backend)).await;
        let repository = Repository::new(&server, "team/app");
        repository.push(&Blob::of("{}")).await;
        let (large, small) = (manifest_of(MOST), manifest_of(1000));
        repository.put_manifest("large", media::MANIFEST, large.clone()).await.assert_status(201);
        repository.put_manifest("small", media::MANIFEST, small.clone()).await.assert_status(201);
        let slow = slow(&server);
        let take = || slow.request(Method::GET, "/v2/team/app/manifests/large").open();
        let (first, second) = (take().await, take().await);
        assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
        for _ in 0..3 {
            let refused = repository.get("manifests/large").await;
            refused.refused(503, "UNAVAILABLE");
            refused.assert_header("retry-after", "2");
        }
        // Whoever wants little, or only the head, or pushes, does not notice.
        repository.get("manifests/small").await.assert_status(200).assert_body(&small);
        repository.head("manifests/large").await.assert_status(200).assert_header("content-length", &MOST.to_string());
        repository.put_manifest("again", media::MANIFEST, large.clone()).await.assert_status(201);
        // Who takes it makes room for the next, and so does who goes away.
        assert_eq!(first.bytes().await.unwrap(), large);
        let third = take().await;
        assert_eq!(third.status().as_u16(), 200);
        drop(second);
        eventually(async || repository.get("manifests/large").await.status == 200).await;
    }
}

#[tokio::test]
async fn clients_that_do_not_send_large_manifests_cannot_fill_the_memory() {
    let server = TestServer::start(with_room_for_two(Backend::Sqlite)).await;
    let repository = Repository::new(&server, "team/app");
    repository.push(&Blob::of("{}")).await;
    let (large, small) = (manifest_of(MOST), manifest_of(1000));
    let admin = server.admin().authorization().unwrap();
    let mut slow = Vec::new();
    for length in [format!("Content-Length: {MOST}"), "Transfer-Encoding: chunked".to_owned()] {
        let mut raw = Raw::connect(server.address()).await;
        let line = "PUT /v2/team/app/manifests/slow HTTP/1.1";
        raw.send(format!("{line}\r\nHost: a\r\nAuthorization: {admin}\r\n{length}\r\nExpect: 100-continue\r\n\r\n"))
            .await;
        // It is asked for the body once there is room for it.
        assert_eq!(raw.answer().await.status, 100);
        slow.push(raw);
    }
    repository.put_manifest("large", media::MANIFEST, large.clone()).await.refused(503, "UNAVAILABLE");
    repository.put_manifest("small", media::MANIFEST, small).await.assert_status(201);
    drop(slow);
    eventually(async || repository.put_manifest("large", media::MANIFEST, large.clone()).await.status == 201).await;
    repository.get("manifests/large").await.assert_status(200).assert_body(&large);
}

/// Asks until the answer is yes.
async fn eventually(mut ask: impl AsyncFnMut() -> bool) {
    let asking = async { while !ask().await {} };
    assert!(tokio::time::timeout(Duration::from_secs(60), asking).await.is_ok(), "it never came to pass");
}
