//! Pushing manifests: under which digest, which tags, which media type, and what must be there before.

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http::header::CONTENT_TYPE;
use serde_json::json;
use wharf_testkit::{Answer, Descriptor, Image, TestServer, media, sha256};

use crate::backend::{on_every_backend, on_every_database};
use crate::blob::{Blob, LARGE};
use crate::refusal::Refusal;
use crate::remains::assert_objects;
use crate::repository::Repository;

mod content {
    use super::*;

    on_every_backend! {
        the_bytes_of_a_manifest_may_be_pushed_as_a_blob,
        a_manifest_that_names_what_is_not_here_is_refused_with_the_digests,
    }
}

mod names {
    use super::*;

    on_every_database! {
        a_manifest_that_is_not_what_its_digest_says_is_refused,
        one_push_sets_several_tags,
        a_tag_that_moved_is_seen_by_the_next_pull,
        a_body_without_a_length_is_taken,
        header_and_content_must_name_the_same_type,
    }
}

/// An image without a layer, whose configuration is there.
async fn ready(server: &TestServer) -> (Repository, Bytes) {
    let repository = Repository::new(server, "team/app");
    repository.push(&Blob::of("{}")).await;
    (repository, Image::new().manifest())
}

fn oci_tags(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("oci-tag").iter().map(|value| value.to_str().unwrap()).collect()
}

async fn the_bytes_of_a_manifest_may_be_pushed_as_a_blob(server: &TestServer) {
    let (repository, _) = ready(server).await;
    let manifest = Image::new().annotation("note", &"x".repeat(LARGE)).manifest();
    let blob = Blob::of(manifest.clone());
    repository.put_manifest("v1", media::MANIFEST, manifest.clone()).await.assert_status(201);
    repository.get(&format!("blobs/{}", blob.digest)).await.refused(404, "BLOB_UNKNOWN");
    repository.push(&blob).await;
    repository.get(&format!("blobs/{}", blob.digest)).await.assert_status(200).assert_body(&manifest);
    repository.delete(&format!("blobs/{}", blob.digest)).await.assert_status(202);
    for reference in ["v1", &blob.digest] {
        let read = repository.get(&format!("manifests/{reference}")).await;
        read.assert_status(200).assert_body(&manifest).assert_header("content-type", media::MANIFEST);
    }
    assert_objects(server, 0).await;
}

async fn a_manifest_that_names_what_is_not_here_is_refused_with_the_digests(server: &TestServer) {
    let (repository, _) = ready(server).await;
    let (here, elsewhere, nowhere) = (Blob::of("here"), Blob::noise(1, LARGE), Blob::of("nowhere"));
    repository.push(&here).await;
    Repository::new(server, "other/app").push(&elsewhere).await;
    let image = Image::new().layer(here.content).layer(elsewhere.content.clone()).layer(nowhere.content.clone());
    for reference in ["v1", &image.digest()] {
        let refused = repository.put_manifest(reference, media::MANIFEST, image.manifest()).await;
        let detail = refused.refused(400, "MANIFEST_BLOB_UNKNOWN");
        let mut named: Vec<String> = serde_json::from_value(detail).unwrap();
        named.sort_unstable();
        let mut expected = vec![elsewhere.digest.clone(), nowhere.digest.clone()];
        expected.sort_unstable();
        assert_eq!(named, expected);
        repository.get(&format!("manifests/{reference}")).await.refused(404, "MANIFEST_UNKNOWN");
    }
    let no_config = Image::new().config("not pushed").manifest();
    let refused = repository.put_manifest("v1", media::MANIFEST, no_config).await;
    assert_eq!(refused.refused(400, "MANIFEST_BLOB_UNKNOWN"), json!([sha256("not pushed")]));
    repository.push(&elsewhere).await;
    repository.push(&nowhere).await;
    repository.put_manifest("v1", media::MANIFEST, image.manifest()).await.assert_status(201);
    assert_objects(server, 1).await;
}

async fn a_manifest_that_is_not_what_its_digest_says_is_refused(server: &TestServer) {
    let (repository, manifest) = ready(server).await;
    let (digest, longer) = (sha256(&manifest), Bytes::from([&manifest[..], b"  "].concat()));
    let detail = repository.put_manifest(&digest, media::MANIFEST, longer.clone()).await.refused(400, "DIGEST_INVALID");
    assert_eq!(detail, json!({ "expected": digest, "actual": sha256(&longer) }));
    let by_query = format!("v1?digest={digest}");
    repository.put_manifest(&by_query, media::MANIFEST, longer.clone()).await.refused(400, "DIGEST_INVALID");
    for bad in ["sha256:baddigeststring", "sha999:00", "sha256:", &digest.replace("sha256", "sha512")] {
        repository.put_manifest(bad, media::MANIFEST, manifest.clone()).await.refused(400, "DIGEST_INVALID");
        repository.get(&format!("manifests/{bad}")).await.refused(400, "DIGEST_INVALID");
        repository.delete(&format!("manifests/{bad}")).await.refused(400, "DIGEST_INVALID");
    }
    for digest in [&digest, &sha256(&longer)] {
        repository.get(&format!("manifests/{digest}")).await.refused(404, "MANIFEST_UNKNOWN");
    }
    repository.put_manifest(&by_query, media::MANIFEST, manifest).await.assert_status(201);
}

async fn one_push_sets_several_tags(server: &TestServer) {
    let (repository, manifest) = ready(server).await;
    let digest = sha256(&manifest);
    let pushed =
        repository.put_manifest(&format!("{digest}?tag=a&tag=b&tag=a"), media::MANIFEST, manifest.clone()).await;
    assert_eq!(oci_tags(pushed.assert_status(201)), ["a", "b"]);
    let pushed = repository.put_manifest("c?tag=d", media::MANIFEST, manifest.clone()).await;
    assert_eq!(oci_tags(pushed.assert_status(201)), ["c", "d"]);
    for tag in ["a", "b", "c", "d"] {
        let read = repository.get(&format!("manifests/{tag}")).await;
        read.assert_status(200).assert_body(&manifest).assert_header("docker-content-digest", &digest);
    }
    let bad = format!("{digest}?tag=e&tag=-bad");
    repository.put_manifest(&bad, media::MANIFEST, manifest.clone()).await.refused(400, "TAG_INVALID");
    let many: String = (0..101).map(|number| format!("&tag=t{number}")).collect();
    repository.put_manifest(&format!("{digest}?{many}"), media::MANIFEST, manifest).await.refused(414, "TAG_INVALID");
    assert_eq!(repository.get("tags/list").await.json()["tags"], json!(["a", "b", "c", "d"]));
}

async fn a_tag_that_moved_is_seen_by_the_next_pull(server: &TestServer) {
    let (repository, _) = ready(server).await;
    let puller = repository.client.with_registry_token(&["repository:team/app:pull"]).await;
    for number in 0..20 {
        let manifest = Image::new().annotation("number", &number.to_string()).manifest();
        repository.put_manifest("latest", media::MANIFEST, manifest.clone()).await.assert_status(201);
        puller.get("/v2/team/app/manifests/latest").await.assert_status(200).assert_body(&manifest);
    }
    let tag = "latest".parse().unwrap();
    let target = wharf_core::Target::new(wharf_oci::NAME, "team/app".parse().unwrap());
    let history = server.core().tag_history(&target, &tag, None, 100).await.unwrap();
    assert_eq!((history.len(), history[19].old), (20, None));
    assert!(history.windows(2).all(|pair| pair[0].old == pair[1].new));
}

async fn a_body_without_a_length_is_taken(server: &TestServer) {
    let (repository, manifest) = ready(server).await;
    let chunks: Vec<_> = manifest.chunks(7).map(|chunk| std::io::Result::Ok(Bytes::copy_from_slice(chunk))).collect();
    let request = repository.request(Method::PUT, "manifests/v1").header(CONTENT_TYPE, media::MANIFEST);
    request.body(reqwest::Body::wrap_stream(stream::iter(chunks))).send().await.assert_status(201);
    repository.get("manifests/v1").await.assert_status(200).assert_body(&manifest);
}

async fn header_and_content_must_name_the_same_type(server: &TestServer) {
    let (repository, manifest) = ready(server).await;
    for header in
        ["application/vnd.docker.distribution.manifest.v2+json", media::INDEX, "text/html", "application/xml", "", "x"]
    {
        repository.put_manifest("v1", header, manifest.clone()).await.refused(400, "MANIFEST_INVALID");
    }
    let untyped =
        json!({ "schemaVersion": 2, "config": Descriptor::of(media::EMPTY, b"{}").json(), "layers": [] }).to_string();
    repository.request(Method::PUT, "manifests/v1").body(untyped.clone()).send().await.refused(400, "MANIFEST_INVALID");
    repository.get("manifests/v1").await.refused(404, "MANIFEST_UNKNOWN");
    for header in [media::MANIFEST, "application/vnd.oci.image.manifest.v1+json; charset=utf-8", "application/json"] {
        repository.put_manifest("v1", header, manifest.clone()).await.assert_status(201);
        repository.get("manifests/v1").await.assert_header("content-type", media::MANIFEST);
    }
    repository.request(Method::PUT, "manifests/v2").body(manifest).send().await.assert_status(201);
    repository.put_manifest("v3", media::MANIFEST, untyped).await.assert_status(201);
    repository.get("manifests/v3").await.assert_header("content-type", media::MANIFEST);
}
