//! The scrub, and a backup, over a storage that is away, is another one, or does not hand something out.

use std::sync::Arc;
use std::time::Duration;

use wharf_core::Actor;
use wharf_testkit::{Backend, Fragile, Image, Store, TestServer, push_blob};

use crate::backend::options;

const HOUR: Duration = Duration::from_secs(60 * 60 + 1);

/// More than lies in a row.
fn large(seed: usize) -> Vec<u8> {
    (0..40_000_usize).map(|at| u8::try_from((at * (seed + 3) + at / 251) % 251).unwrap()).collect()
}

async fn over(storage: &Arc<Fragile>, backend: Backend, blobs: usize) -> (TestServer, Vec<String>) {
    let server =
        TestServer::start(options().backend(backend).store(Store::Other(Arc::<Fragile>::clone(storage)))).await;
    server.project("team").await;
    let mut pushed = Vec::new();
    for seed in 0..blobs {
        pushed.push(push_blob(&server.admin(), "team/app", large(seed)).await);
    }
    (server, pushed)
}

/// One turn, whatever comes of it.
async fn turn(server: &TestServer) {
    server.core().start_scrub(&Actor::system()).await.unwrap();
    // A turn that failed is put off.
    server.clock().advance(HOUR);
    server.core().run_one("test").await.unwrap();
}

async fn assert_all_served(server: &TestServer, blobs: &[String]) {
    for digest in blobs {
        server.admin().get(&format!("/v2/team/app/blobs/{digest}")).await.assert_status(200);
    }
}

async fn damaged(server: &TestServer) -> usize {
    server.core().damaged(None, 1000).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_is_another_one_gets_nothing_quarantined() {
    let storage = Fragile::new();
    let (server, blobs) = over(&storage, Backend::Sqlite, 3).await;
    storage.empty(true, true);
    turn(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let error = server.try_back_up(folder.path()).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert_eq!(damaged(&server).await, 0);
    storage.empty(false, false);
    assert_all_served(&server, &blobs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_lacks_everything_gets_nothing_quarantined() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let storage = Fragile::new();
        let (server, blobs) = over(&storage, backend, 40).await;
        storage.empty(true, false);
        for _ in 0..3 {
            turn(&server).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let error = server.try_back_up(folder.path()).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        assert_eq!(damaged(&server).await, 0);
        storage.empty(false, false);
        assert_all_served(&server, &blobs).await;
        turn(&server).await;
        assert!(server.core().scrub_pass().await.unwrap().finished_at.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_blobs_that_are_gone_are_quarantined_and_the_rest_is_read() {
    let storage = Fragile::new();
    let (server, blobs) = over(&storage, Backend::Sqlite, 20).await;
    let objects = server.storage().survey(None, 3).await.unwrap();
    server.storage().remove(&objects.into_iter().map(|object| object.key).collect::<Vec<_>>()).await.unwrap();
    turn(&server).await;
    let pass = server.core().scrub_pass().await.unwrap();
    assert_eq!((pass.blobs, pass.damaged, pass.finished_at.is_some()), (20, 3, true), "{pass:?}");
    assert_eq!(damaged(&server).await, 3);
    for digest in server.core().damaged(None, 10).await.unwrap() {
        let digest = digest.digest.to_string();
        assert!(blobs.contains(&digest));
        server.admin().get(&format!("/v2/team/app/blobs/{digest}")).await.assert_status(404);
    }
}

/// Asks for a blob that is gone, and does the look that follows.
async fn ask_for_the_lost(server: &TestServer, digest: &str) {
    assert!(!server.admin().get(&format!("/v2/team/app/blobs/{digest}")).await.status.is_success());
    while server.core().jobs(false, 0, 10).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    server.core().run_one("test").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_is_gone_is_taken_again_when_somebody_asks_for_it() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let folder = tempfile::tempdir().unwrap();
        let server = TestServer::start(options().backend(backend).depot(folder.path()).without_workers()).await;
        server.project("team").await;
        let blob = push_blob(&server.admin(), "team/app", large(1)).await;
        // The pass is over: the next one comes in a month.
        turn(&server).await;
        server.lose_the_one_above(10_000).await;
        ask_for_the_lost(&server, &blob).await;
        // Nobody has it.
        assert_eq!(damaged(&server).await, 1);
        server.admin().get(&format!("/v2/team/app/blobs/{blob}")).await.assert_status(404);
        push_blob(&server.admin(), "team/app", large(1)).await;
        server.back_up(folder.path()).await;
        server.lose_the_one_above(10_000).await;
        server.clock().advance(Duration::from_secs(2));
        ask_for_the_lost(&server, &blob).await;
        assert_eq!(damaged(&server).await, 0);
        assert_all_served(&server, &[blob]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_lacks_everything_gets_nothing_quarantined_by_pulls() {
    let storage = Fragile::new();
    let (server, blobs) = over(&storage, Backend::Sqlite, 5).await;
    turn(&server).await;
    storage.empty(true, false);
    ask_for_the_lost(&server, &blobs[0]).await;
    assert_eq!(damaged(&server).await, 0);
    storage.empty(false, false);
    assert_all_served(&server, &blobs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_that_cannot_be_read_is_passed_over_and_is_damaged_only_if_that_repeats() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let storage = Fragile::new();
        let (server, blobs) = over(&storage, backend, 20).await;
        let object = server.storage().survey(None, 1).await.unwrap().remove(0).key;
        storage.tear(&object);
        turn(&server).await;
        let pass = server.core().scrub_pass().await.unwrap();
        assert_eq!((pass.blobs, pass.damaged, pass.unread), (20, 0, 1), "{pass:?}");
        assert!(pass.finished_at.is_some());
        assert_eq!(damaged(&server).await, 0);
        turn(&server).await;
        assert_eq!(damaged(&server).await, 1);
        storage.mend();
        // Not before the next pass, but within the hour.
        server.clock().advance(HOUR);
        server.core().ask_for_due_scrub().await.unwrap();
        server.core().run_one("test").await.unwrap();
        assert_eq!(damaged(&server).await, 0);
        assert_all_served(&server, &blobs).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_rows_of_manifests_are_taken_again_from_the_backup() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let folder = tempfile::tempdir().unwrap();
        let server = TestServer::start(options().backend(backend).depot(folder.path())).await;
        server.project("team").await;
        let digest = Image::new().layer("small").push(&server.admin(), "team/app:v1").await;
        server.back_up(folder.path()).await;
        server.spoil_rows().await;
        turn(&server).await;
        assert_eq!((damaged(&server).await, server.core().scrubbed().healed > 2), (0, true));
        let found = server.admin().get("/v2/team/app/manifests/v1").await;
        found.assert_status(200);
        assert_eq!(wharf_types::Digest::sha256(&found.body).to_string(), digest.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_damaged_manifest_that_is_pushed_as_a_blob_is_right_again() {
    for (backend, binned) in [Backend::Sqlite, Backend::Postgres].into_iter().zip([false, true]) {
        let server = TestServer::start(options().backend(backend)).await;
        server.project("team").await;
        let image = Image::new().layer("small").annotation("filler", &"x".repeat(40_000));
        image.push(&server.admin(), "team/app:v1").await;
        let found = server.admin().get("/v2/team/app/manifests/v1").await;
        let content = found.assert_status(200).body.to_vec();
        server.spoil_rows().await;
        turn(&server).await;
        server.admin().get("/v2/team/app/manifests/v1").await.assert_status(404);
        if binned {
            let digest = wharf_types::Digest::sha256(&content);
            server.admin().delete(&format!("/v2/team/app/manifests/{digest}")).await.assert_status(202);
        }
        push_blob(&server.admin(), "team/app", content.clone()).await;
        if binned {
            crate::bin::Bin(server.admin()).restored("team/app").await;
        }
        let healed = server.admin().get("/v2/team/app/manifests/v1").await;
        assert_eq!(healed.assert_status(200).body.to_vec(), content);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_is_read_no_faster_than_the_rate_says() {
    let storage = Fragile::new();
    let slow = options().core(|core| core.scrub.rate = 100_000).store(Store::Other(Arc::<Fragile>::clone(&storage)));
    let server = TestServer::start(slow).await;
    push_blob(&server.admin(), "team/app", large(1)).await;
    let begun = tokio::time::Instant::now();
    turn(&server).await;
    // 40 000 bytes, and each is given its time.
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());
    assert_eq!(server.core().scrub_pass().await.unwrap().blobs, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_breaks_off_reading_and_the_blob_is_read_again() {
    let storage = Fragile::new();
    let slow = || options().core(|core| core.scrub.rate = 1).store(Store::Other(Arc::<Fragile>::clone(&storage)));
    let server = TestServer::start(slow()).await;
    push_blob(&server.admin(), "team/app", large(1)).await;
    server.core().start_scrub(&Actor::system()).await.unwrap();
    let workers = server.core().start_workers();
    // Half a day's work has begun.
    while server.count("SELECT count(*) FROM jobs WHERE kind = 'scrub' AND leased_by IS NOT NULL").await == 0 {
        tokio::task::yield_now().await;
    }
    workers.stop().await;
    let pass = server.core().scrub_pass().await.unwrap();
    assert_eq!((pass.blobs, pass.finished_at), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_scrub_begins_where_it_is_off() {
    let server = TestServer::start(options().core(|core| core.scrub.rate = 0)).await;
    let refused = server.admin().post("/api/v1/scrub", "").await.assert_status(409).json();
    assert_eq!(refused["code"], "off", "{refused}");
    assert!(refused.to_string().contains("scrub.rate"), "{refused}");
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 0);
    // One that another server has asked for ends without a pass.
    server.execute("INSERT INTO jobs (kind, key, payload, due_at, created_at) VALUES ('scrub', '', '{}', 0, 0)").await;
    assert!(server.core().run_one("test").await.unwrap());
    assert_eq!(server.core().scrub_pass().await.unwrap().begun_at, None);
}
