//! Reading blobs and manifests: whole, in part, only the head, only if changed.

use http::Method;
use http::header::{IF_NONE_MATCH, RANGE};
use wharf_testkit::{Image, TestServer, media};

use crate::backend::on_every_backend;
use crate::blob::{Blob, LARGE, unknown};
use crate::refusal::Refusal;
use crate::repository::Repository;

on_every_backend! {
    a_part_of_a_blob_is_read,
    a_range_outside_the_blob_is_refused,
    content_that_the_client_has_is_not_sent_again,
    what_is_not_there_is_404_with_its_code,
}

async fn a_part_of_a_blob_is_read(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    for length in [2048, LARGE] {
        let blob = Blob::noise(1, length);
        repository.push(&blob).await;
        let table = [
            ("bytes=500-1499", 500..1500),
            ("bytes=0-0", 0..1),
            ("bytes=500-", 500..length),
            ("bytes=-500", length - 500..length),
            ("bytes=-999999", 0..length),
            ("bytes=2000-99999999", 2000..length),
            ("bytes=0-18446744073709551615", 0..length),
        ];
        for (range, part) in table {
            let path = format!("blobs/{}", blob.digest);
            let read = repository.request(Method::GET, &path).header(RANGE, range).send().await;
            read.assert_status(206).assert_body(&blob.content[part.clone()]);
            let content_range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            read.assert_header("content-range", &content_range).assert_header("docker-content-digest", &blob.digest);
            read.assert_header("content-length", &part.len().to_string());
        }
        for range in ["bytes=0-1,5-6", "items=0-1", "nonsense"] {
            let whole =
                repository.request(Method::GET, &format!("blobs/{}", blob.digest)).header(RANGE, range).send().await;
            whole.assert_status(200).assert_body(&blob.content).assert_header("accept-ranges", "bytes");
        }
    }
}

async fn a_range_outside_the_blob_is_refused(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let (blob, empty) = (Blob::noise(2, 2048), Blob::of(""));
    repository.push(&blob).await;
    repository.push(&empty).await;
    for range in [
        "bytes=500-0",
        "bytes=5000-10000",
        "bytes=2048-",
        "bytes=-0",
        "bytes=-",
        "bytes=a-b",
        "bytes=99999999999999999999-",
    ] {
        let path = format!("blobs/{}", blob.digest);
        repository.request(Method::GET, &path).header(RANGE, range).send().await.refused(416, "RANGE_INVALID");
    }
    let path = format!("blobs/{}", empty.digest);
    repository.request(Method::GET, &path).header(RANGE, "bytes=0-0").send().await.refused(416, "RANGE_INVALID");
}

async fn content_that_the_client_has_is_not_sent_again(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let blob = Blob::noise(3, LARGE);
    repository.push(&blob).await;
    let digest = Image::new().push(&repository.client, "team/app:v1").await;
    let manifest = format!("manifests/{digest}");
    let blob_path = format!("blobs/{}", blob.digest);
    for (path, digest) in [("manifests/v1", &digest), (&manifest, &digest), (&blob_path, &blob.digest)] {
        let etag = repository.get(path).await.assert_status(200).expect_header("etag").to_owned();
        assert_eq!(etag, format!("\"{digest}\""));
        for known in [etag.clone(), format!("\"other\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
            for method in [Method::GET, Method::HEAD] {
                let again = repository.request(method, path).header(IF_NONE_MATCH, &known).send().await;
                again.assert_status(304).assert_body("").assert_header("etag", &etag);
            }
        }
        let other = repository.request(Method::GET, path).header(IF_NONE_MATCH, "\"other\"").send().await;
        other.assert_status(200);
    }
    // What a tag points at may change, what a digest names may not.
    repository.get("manifests/v1").await.assert_no_header("cache-control");
    for path in [manifest, blob_path] {
        repository.get(&path).await.assert_header("cache-control", "private, max-age=31536000, immutable");
    }
}

async fn what_is_not_there_is_404_with_its_code(server: &TestServer) {
    let repository = Repository::new(server, "team/app");
    let missing = Repository::new(server, "team/missing");
    let content = Image::new().manifest();
    let digest = Image::new().push(&repository.client, "team/app:v1").await;
    let unknown = unknown();
    for (path, code) in [
        (format!("blobs/{unknown}"), "BLOB_UNKNOWN"),
        (format!("manifests/{unknown}"), "MANIFEST_UNKNOWN"),
        ("manifests/v2".to_owned(), "MANIFEST_UNKNOWN"),
        ("manifests/V1".to_owned(), "MANIFEST_UNKNOWN"),
        // A manifest is no blob, and a blob no manifest.
        (format!("blobs/{digest}"), "BLOB_UNKNOWN"),
        (format!("manifests/{}", Blob::of("{}").digest), "MANIFEST_UNKNOWN"),
        ("blobs/uploads/0123456789abcdef".to_owned(), "BLOB_UPLOAD_UNKNOWN"),
    ] {
        repository.get(&path).await.refused(404, code);
        repository.head(&path).await.assert_status(404).assert_body("");
    }
    for path in [format!("blobs/{unknown}"), "manifests/v1".to_owned(), "tags/list".to_owned()] {
        missing.get(&path).await.refused(404, "NAME_UNKNOWN");
        missing.delete(&path).await.assert_status(if path == "tags/list" { 405 } else { 404 });
    }
    repository
        .get("manifests/v1")
        .await
        .assert_status(200)
        .assert_body(&content)
        .assert_header("content-type", media::MANIFEST);
}
