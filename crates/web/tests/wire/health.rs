//! `/livez` and `/readyz`.

use std::sync::Arc;

use wharf_testkit::{Backend, Cluster, Fragile, Options, Store, TestServer};

#[tokio::test]
async fn a_server_that_works_is_live_and_ready() {
    let server = TestServer::start_default().await;
    server.anonymous().get("/livez").await.assert_status(200).assert_header("cache-control", "no-store");
    assert_eq!(server.anonymous().get("/readyz").await.assert_status(200).json()["status"], "ready");
}

#[tokio::test]
async fn a_server_without_its_storage_is_live_and_not_ready() {
    let storage = Fragile::new();
    let server = TestServer::start(Options::new().store(Store::Other(storage.clone()))).await;
    storage.away(true);
    let answer = server.anonymous().get("/readyz").await;
    assert_eq!(answer.assert_status(503).json()["reason"], "the storage does not answer");
    server.anonymous().get("/livez").await.assert_status(200);
    storage.away(false);
    server.anonymous().get("/readyz").await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_its_database_is_not_ready_until_that_is_back() {
    let cluster = Arc::new(tokio::task::spawn_blocking(Cluster::start).await.unwrap());
    let server = TestServer::start(Options::new().backend(Backend::Cluster(Arc::clone(&cluster)))).await;
    server.anonymous().get("/readyz").await.assert_status(200);
    let stopping = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || stopping.stop()).await.unwrap();
    let answer = server.anonymous().get("/readyz").await;
    let reason = answer.assert_status(503).json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("database"), "{reason}");
    server.anonymous().get("/livez").await.assert_status(200);
    let resuming = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || resuming.resume()).await.unwrap();
    super::eventually("it is ready again", async || server.anonymous().get("/readyz").await.status == 200).await;
}
