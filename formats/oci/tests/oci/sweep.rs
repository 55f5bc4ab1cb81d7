//! The sweep tells what a crash left in the storage from what is in use.

use std::time::Duration;

use wharf_testkit::TestServer;

use crate::backend::on_every_backend;
use crate::blob::{Blob, LARGE, noise};
use crate::remains::objects;
use crate::repository::Repository;

on_every_backend! {
    of_many_objects_only_the_one_without_a_row_goes,
    an_object_that_was_noted_and_is_in_use_after_all_is_forgotten_and_stays,
}

const A_DAY: Duration = Duration::from_secs(25 * 60 * 60);
const A_WHILE: Duration = Duration::from_secs(3 * 24 * 60 * 60 + 1);

async fn sweep(server: &TestServer, pause: Duration) {
    server.clock().advance(pause);
    server.core().sweep().await.expect("a sweep");
}

/// More objects than one statement asks for: of blobs, of one that is collected and waits for its removal, and of an upload, which it
/// gives.
async fn some_of_each(server: &TestServer) -> String {
    let repository = Repository::new(server, "team/app");
    for seed in 0..66 {
        repository.push(&Blob::noise(seed, 20_000)).await;
    }
    repository.push(&Blob::noise(100, 30_001)).await;
    repository.push(&Blob::noise(102, 30_002)).await;
    let doom = "INSERT INTO doomed_objects (object, storage, size, digest, doomed_at, due_at)
                SELECT object, storage, size, digest, created_at, created_at FROM blobs WHERE size = 30002";
    server.execute(doom).await;
    server.execute("DELETE FROM blob_links WHERE digest IN (SELECT digest FROM blobs WHERE size = 30002)").await;
    server.execute("DELETE FROM blobs WHERE size = 30002").await;
    let upload = repository.begin().await;
    repository.append(&upload, 0, noise(101, LARGE)).await.assert_status(202);
    upload
}

async fn of_many_objects_only_the_one_without_a_row_goes(server: &TestServer) {
    let upload = some_of_each(server).await;
    let before = objects(server).await.len();
    sweep(server, A_DAY).await;
    assert_eq!(server.count("SELECT count(*) FROM orphans").await, 0);
    server.execute("DELETE FROM blob_links WHERE digest IN (SELECT digest FROM blobs WHERE size = 30001)").await;
    server.execute("DELETE FROM blobs WHERE size = 30001").await;
    sweep(server, Duration::ZERO).await;
    assert_eq!(server.count("SELECT count(*) FROM orphans").await, 1);
    assert_eq!(objects(server).await.len(), before, "it is only noted");
    sweep(server, A_WHILE).await;
    assert_eq!(server.count("SELECT count(*) FROM orphans").await, 0);
    assert_eq!(objects(server).await.len(), before - 1);
    // It has waited for days.
    server.admin().delete(&upload).await.assert_status(204);
}

async fn an_object_that_was_noted_and_is_in_use_after_all_is_forgotten_and_stays(server: &TestServer) {
    some_of_each(server).await;
    let before = objects(server).await.len();
    let noted = "INSERT INTO orphans (object, found_at) SELECT object, 0 FROM blobs WHERE object IS NOT NULL";
    server.execute(noted).await;
    sweep(server, A_DAY).await;
    assert_eq!(server.count("SELECT count(*) FROM orphans").await, 0);
    assert_eq!(objects(server).await.len(), before);
}
