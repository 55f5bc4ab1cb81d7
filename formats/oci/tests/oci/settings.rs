//! What the operator may set.

use serde_json::json;
use wharf_testkit::{Descriptor, Image, TestServer, media};

use crate::backend::options;
use crate::blob::{Blob, unknown};
use crate::refusal::Refusal;
use crate::repository::Repository;

#[tokio::test]
async fn a_sparse_image_is_taken_where_the_operator_allows_it() {
    let image = Image::new().layer("not pushed").manifest();
    let refuses = TestServer::start(options()).await;
    let refused = Repository::new(&refuses, "team/app").put_manifest("v1", media::MANIFEST, image.clone()).await;
    refused.refused(400, "MANIFEST_BLOB_UNKNOWN");
    let takes = TestServer::start(options().core(|core| core.accept_sparse_images = true)).await;
    let repository = Repository::new(&takes, "team/app");
    repository.put_manifest("v1", media::MANIFEST, image.clone()).await.assert_status(201);
    repository.get("manifests/v1").await.assert_status(200).assert_body(image);
    repository.get(&format!("blobs/{}", Blob::of("not pushed").digest)).await.refused(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn an_index_may_always_be_sparse() {
    let server = TestServer::start(options()).await;
    let repository = Repository::new(&server, "team/app");
    let missing = json!({ "mediaType": media::MANIFEST, "digest": unknown(), "size": 5 });
    let index = json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": [missing] }).to_string();
    repository.put_manifest("v1", media::INDEX, index).await.assert_status(201);
}

#[tokio::test]
async fn addresses_are_absolute_where_the_operator_has_named_the_server() {
    let url = "https://registry.example.org/base";
    let server = TestServer::start(options().web(|web| web.external_url = Some(url.to_owned()))).await;
    let repository = Repository::new(&server, "team/app");
    let begun = repository.client.post("/v2/team/app/blobs/uploads/", "").await;
    assert!(begun.expect_header("location").starts_with(&format!("{url}/v2/team/app/blobs/uploads/")), "{begun}");
    let blob = Blob::of("{}");
    let whole = repository.path(&format!("blobs/uploads/?digest={}", blob.digest));
    let pushed = repository.client.post(&whole, blob.content).await;
    pushed.assert_status(201).assert_header("location", &format!("{url}/v2/team/app/blobs/{}", blob.digest));
    for tag in ["a", "b"] {
        let put = repository.put_manifest(tag, media::MANIFEST, Image::new().manifest()).await;
        put.assert_status(201).assert_header("location", &format!("{url}/v2/team/app/manifests/{tag}"));
    }
    let page = repository.get("tags/list?n=1").await;
    page.assert_header("link", &format!("<{url}/v2/team/app/tags/list?n=1&last=a>; rel=\"next\""));
    let challenge = server.anonymous().get("/v2/").await;
    challenge.assert_header("www-authenticate", &format!("Bearer realm=\"{url}/token\",service=\"wharf\""));
    // A proxy may hand the path on as it came.
    repository.client.get("/base/v2/team/app/manifests/a").await.assert_status(200);
    let subject = Descriptor::of(media::MANIFEST, b"absent").digest;
    repository.client.get(&format!("/base/v2/team/app/referrers/{subject}")).await.assert_status(200);
}
