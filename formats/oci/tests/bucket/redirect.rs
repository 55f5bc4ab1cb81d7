//! Clients that are sent to the bucket.

use wharf_testkit::{Client, Options, Store, StoreServer, TestServer, azure, bucket, push_blob, s3};

use crate::content;

async fn redirecting(at: &StoreServer, set: impl FnOnce(&mut bucket::Config)) -> TestServer {
    let mut config = bucket::Config { redirect: true, ..at.config() };
    set(&mut config);
    TestServer::start(Options::new().store(Store::BucketAt(Box::new(config))).without_workers()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_blob_is_fetched_from_the_bucket_by_a_signed_url() {
    for at in [s3().await, azure().await] {
        is_fetched_by_a_signed_url(at).await;
    }
}

async fn is_fetched_by_a_signed_url(at: &StoreServer) {
    let server = redirecting(at, |_| {}).await;
    let admin = server.admin();
    let pushed = content(6_000_000, 1);
    let digest = push_blob(&admin, "team/app", pushed.clone()).await;
    let path = format!("/v2/team/app/blobs/{digest}");
    let sent = admin.get(&path).await;
    sent.assert_status(307).assert_header("docker-content-digest", &digest).assert_header("cache-control", "no-store");
    let link = sent.expect_header("location");
    let nobody = Client::new(link);
    nobody
        .get("")
        .await
        .assert_status(200)
        .assert_body(&pushed)
        .assert_header("content-type", "application/octet-stream");
    let part = nobody.request(http::Method::GET, "").header(http::header::RANGE, "bytes=10-19").send().await;
    part.assert_status(206).assert_body(&pushed[10..20]);
    // The signature is for this object.
    let forged = Client::new(link.replacen("/objects/", "/objects/0", 1)).get("").await;
    assert!(forged.status.is_client_error(), "{forged}");
    admin.head(&path).await.assert_status(200).assert_header("content-length", "6000000");
    server.anonymous().get(&path).await.assert_status(401).assert_no_header("location");
    // Who was sent there has pulled it, as far as we can know.
    let lines = server.audit(&format!("digest={digest}&action=blob.read")).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    let told = ["actor", "outcome", "repository", "request_id"].map(|field| line[field].as_str());
    assert_eq!(told, ["admin", "ok", "team/app", sent.expect_header("x-request-id")].map(Some), "{line}");
    assert_eq!(line["times"], 1, "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_blob_comes_from_the_registry() {
    let server = redirecting(s3().await, |_| {}).await;
    let admin = server.admin();
    for size in [100, 100_000] {
        let pushed = content(size, 2);
        let digest = push_blob(&admin, "team/app", pushed.clone()).await;
        admin.get(&format!("/v2/team/app/blobs/{digest}")).await.assert_status(200).assert_body(pushed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_url_is_of_the_endpoint_that_clients_see() {
    let server =
        redirecting(s3().await, |config| config.public_endpoint = Some("http://s3.example.com:1234".to_owned())).await;
    let admin = server.admin();
    let digest = push_blob(&admin, "team/app", content(2_000_000, 3)).await;
    let sent = admin.get(&format!("/v2/team/app/blobs/{digest}")).await;
    let link = sent.assert_status(307).expect_header("location").to_owned();
    assert!(link.starts_with("http://s3.example.com:1234/wharf-tests/"), "{link}");
}
