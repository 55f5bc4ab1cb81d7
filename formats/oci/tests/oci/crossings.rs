//! What happens when two roads cross: the same bytes as blob and manifest, a project made while a push into it is on its way, a
//! stream that is reset.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Method;
use serde_json::json;
use wharf_auth::ServerRole;
use wharf_testkit::{Image, TestServer, media};

use crate::backend::{facts_on, on_every_backend, on_every_database};
use crate::blob::{Blob, LARGE};
use crate::refusal::Refusal;
use crate::remains::{assert_objects, objects};
use crate::repository::Repository;

on_every_backend! {
    a_manifest_whose_bytes_came_first_as_a_blob_is_served,
    a_wrong_digest_at_the_end_keeps_nothing,
    the_end_of_an_upload_can_be_asked_for_again,
    a_range_is_for_get_and_for_the_content_it_was_meant_for,
}

// These watch bytes arrive: a bucket shows none before there are five mebibytes.
facts_on! { watched_sqlite_memory(Sqlite, Memory): a_reset_stream_keeps_what_arrived, a_push_that_outlives_its_repository_is_refused }
facts_on! { watched_sqlite_files(Sqlite, Files): a_reset_stream_keeps_what_arrived, a_push_that_outlives_its_repository_is_refused }
facts_on! { watched_postgres_memory(Postgres, Memory): a_reset_stream_keeps_what_arrived, a_push_that_outlives_its_repository_is_refused }

on_every_database! {
    a_slow_push_into_a_project_that_was_made_meanwhile_is_refused,
    a_fallback_index_is_an_index_of_reasonable_size,
}

async fn a_manifest_whose_bytes_came_first_as_a_blob_is_served(server: &TestServer) {
    let note = "x".repeat(LARGE);
    let image = Image::new().annotation("note", &note);
    let content = image.manifest();
    Repository::new(server, "first/app").push(&Blob::of(content.clone())).await;
    assert_objects(server, 1).await;
    image.push(&server.admin(), "second/app:v1").await;
    for name in ["second/app", "first/app"] {
        let repository = Repository::new(server, name);
        let there = if name == "second/app" { "manifests/v1".to_owned() } else { format!("blobs/{}", image.digest()) };
        assert_eq!(repository.get(&there).await.assert_status(200).body, content, "{name}");
    }
    // The object is nobody's now, and goes when it has been that for days.
    for days in [1, 3] {
        assert_objects(server, 1).await;
        server.clock().advance(std::time::Duration::from_secs(days * 25 * 60 * 60));
        server.core().sweep().await.unwrap();
    }
    assert_objects(server, 0).await;
}

async fn a_wrong_digest_at_the_end_keeps_nothing(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let (blob, other) = (Blob::noise(1, LARGE), Blob::noise(2, LARGE));
    let upload = repository.begin().await;
    repository.finish(&upload, 0, blob.content.clone(), &other.digest).await.refused(400, "DIGEST_INVALID");
    assert_objects(server, 0).await;
    let upload = repository.begin().await;
    repository.append(&upload, 0, blob.content.clone()).await.assert_status(202);
    repository.finish(&upload, LARGE, Bytes::new(), &other.digest).await.refused(400, "DIGEST_INVALID");
    assert_objects(server, 0).await;
    repository.client.get(&upload).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
}

async fn the_end_of_an_upload_can_be_asked_for_again(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let blob = Blob::noise(4, LARGE);
    let upload = repository.begin().await;
    repository.append(&upload, 0, blob.content.clone()).await.assert_status(202);
    for _ in 0..2 {
        repository.finish(&upload, LARGE, Bytes::new(), &blob.digest).await.assert_status(201);
    }
    let other = Blob::noise(5, LARGE);
    repository.finish(&upload, LARGE, Bytes::new(), &other.digest).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    assert_objects(server, 1).await;
}

async fn a_push_that_outlives_its_repository_is_refused(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let blob = Blob::noise(6, LARGE);
    let (deleted, waits) = tokio::sync::oneshot::channel::<()>();
    let (first, rest) = (blob.content.slice(..LARGE / 2), blob.content.slice(LARGE / 2..));
    let body = stream::once(async move { Ok::<_, std::io::Error>(first) }).chain(stream::once(async move {
        let _ = waits.await;
        Ok(rest)
    }));
    let whole = format!("blobs/uploads/?digest={}", blob.digest);
    let push = repository.request(Method::POST, &whole).body(reqwest::Body::wrap_stream(body));
    let meanwhile = async {
        an_object(server).await;
        let gone = server.admin().delete("/api/v1/repositories/oci/team/app").await;
        assert!(gone.status.is_success(), "{gone}");
        deleted.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(push.send(), meanwhile);
    answer.refused(404, "BLOB_UPLOAD_UNKNOWN");
    assert_objects(server, 0).await;
}

async fn a_range_is_for_get_and_for_the_content_it_was_meant_for(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let blob = Blob::noise(7, LARGE);
    repository.push(&blob).await;
    let path = format!("blobs/{}", blob.digest);
    let ask = |method, range: &str| repository.request(method, &path).header_named("range", range);
    let whole = LARGE.to_string();
    ask(Method::HEAD, "bytes=0-9").send().await.assert_status(200).assert_header("content-length", &whole);
    ask(Method::GET, "bytes=0-9").send().await.assert_status(206).assert_header("content-length", "10");
    let meant = |tag: &str| ask(Method::GET, "bytes=0-9").header_named("if-range", tag);
    meant("\"other\"").send().await.assert_status(200).assert_header("content-length", &whole);
    meant(&format!("\"{}\"", blob.digest)).send().await.assert_status(206);
    let beyond = ask(Method::GET, &format!("bytes={LARGE}-")).send().await;
    beyond.refused(416, "RANGE_INVALID");
    beyond.assert_header("content-range", &format!("bytes */{LARGE}"));
}

/// HTTP/2 drops a request whose stream is reset without a word to whoever reads its body.
async fn a_reset_stream_keeps_what_arrived(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let blob = Blob::noise(3, LARGE);
    let upload = repository.begin().await;
    let first = blob.content.slice(..LARGE / 2);
    let body = stream::once(async move { Ok::<_, std::io::Error>(first) }).chain(stream::pending());
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let request = client
        .patch(format!("{}{upload}", server.url()))
        .basic_auth("admin", Some(wharf_testkit::ADMIN_PASSWORD))
        .body(reqwest::Body::wrap_stream(body));
    tokio::select! {
        answer = request.send() => panic!("an answer in the middle of a body: {answer:?}"),
        () = an_object(server) => {}
    }
    // The next request ends the one that was reset, if it is still at work, and learns how far that came. An upload that is
    // gone on with at another place says where it is.
    repository.append(&upload, LARGE, "x").await.refused(416, "BLOB_UPLOAD_INVALID");
    let received = repository.received(&upload).await;
    repository.finish(&upload, received, blob.content.slice(received..), &blob.digest).await.assert_status(201);
    assert_objects(server, 1).await;
    let path = format!("blobs/{}", blob.digest);
    assert_eq!(repository.get(&path).await.assert_status(200).body, blob.content);
}

/// Until the server has begun to write.
async fn an_object(server: &TestServer) {
    while objects(server).await.is_empty() {
        tokio::task::yield_now().await;
    }
}

async fn a_slow_push_into_a_project_that_was_made_meanwhile_is_refused(server: &TestServer) {
    let creator = server.user("mallory").await;
    server.grant_on_server("mallory", ServerRole::Creator).await;
    let image = Image::new();
    let content = image.manifest();
    let (first, rest) = (content.slice(..10), content.slice(10..));
    let (made, waits) = tokio::sync::oneshot::channel::<()>();
    let (sent, arrives) = tokio::sync::oneshot::channel::<()>();
    let body = stream::once(async move { Ok::<_, std::io::Error>(first) }).chain(stream::once(async move {
        let _ = sent.send(());
        let _ = waits.await;
        Ok(rest)
    }));
    let push = creator
        .request(Method::PUT, "/v2/victim/app/manifests/latest")
        .header(http::header::CONTENT_TYPE, media::MANIFEST)
        .body(reqwest::Body::wrap_stream(body));
    let meanwhile = async {
        arrives.await.unwrap();
        // Only when the head was judged: the project's name is free until then.
        let probe = Repository::of(&creator, "victim/app");
        probe.get("tags/list").await;
        server.project("victim").await;
        made.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(push.send(), meanwhile);
    answer.refused(404, "NAME_UNKNOWN");
    let admin = Repository::new(server, "victim/app");
    admin.get("tags/list").await.refused(404, "NAME_UNKNOWN");
}

async fn a_fallback_index_is_an_index_of_reasonable_size(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let subject = Blob::of("a subject").digest;
    let tag = subject.replace(':', "-");
    let entry = |seed: u32| json!({ "mediaType": media::MANIFEST, "digest": Blob::noise(seed, 8).digest, "size": 8 });
    let entries: Vec<_> = (0..20_000).map(entry).collect();
    let referrers = format!("referrers/{subject}");
    // An artifact manifest names blobs, nothing else.
    let artifact = "application/vnd.oci.artifact.manifest.v1+json";
    let bomb = json!({ "mediaType": artifact, "manifests": entries }).to_string();
    repository.put_manifest(&tag, artifact, bomb).await.refused(400, "MANIFEST_INVALID");
    let small = json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": entries[..3] }).to_string();
    repository.put_manifest(&tag, media::INDEX, small).await.assert_status(201);
    assert_eq!(repository.get(&referrers).await.json()["manifests"].as_array().unwrap().len(), 3);
    let large = json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": entries[..9_999] }).to_string();
    assert!(large.len() > 1024 * 1024);
    repository.put_manifest(&tag, media::INDEX, large).await.assert_status(201);
    assert_eq!(repository.get(&referrers).await.json()["manifests"].as_array().unwrap().len(), 0);
}
