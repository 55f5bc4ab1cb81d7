//! Large blobs of the local storage, which the kernel sends by itself.

use wharf_testkit::{Raw, Store, TestServer};

use crate::backend::options;
use crate::blob::Blob;
use crate::repository::Repository;

/// What is sent at once.
const PIECE: usize = 2 * 1024 * 1024;
/// Some pieces, and some bytes of one more.
const LENGTH: usize = 2 * PIECE + 77;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_come_whole_and_in_parts_on_one_connection() {
    let server = TestServer::start(options().store(Store::Files)).await;
    let repository = Repository::new(&server, "team/app");
    let (blob, small) = (Blob::noise(1, LENGTH), Blob::noise(2, 100));
    repository.push(&blob).await;
    repository.push(&small).await;
    let authorization = server.admin().authorization().expect("an administrator");
    let mut raw = Raw::connect(server.address()).await;
    let parts = [
        (0, LENGTH),
        (1, LENGTH),
        (LENGTH - 1, LENGTH),
        (0, 64 * 1024),
        (0, 64 * 1024 - 1),
        (300_000, 300_000 + PIECE),
        (PIECE - 1, 2 * PIECE + 1),
    ];
    // All asked for before the first is read: what waits of one must not be taken for the next.
    for (start, end) in parts {
        for (digest, range) in
            [(&blob.digest, format!("Range: bytes={start}-{}\r\n", end - 1)), (&small.digest, String::new())]
        {
            let path = repository.path(&format!("blobs/{digest}"));
            let head = format!("GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: {authorization}\r\n{range}\r\n");
            raw.send(head).await;
        }
    }
    for (start, end) in parts {
        let part = raw.answer().await;
        assert!(part.status.is_success(), "{}", part.head);
        assert!(part.body == blob.content[start..end], "bytes {start} to {end} are others");
        assert!(raw.answer().await.body == small.content);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_ends_nobody_elses_answer() {
    let server = TestServer::start(options().store(Store::Files)).await;
    let repository = Repository::new(&server, "team/app");
    let blob = Blob::noise(3, 4 * LENGTH);
    repository.push(&blob).await;
    let authorization = server.admin().authorization().expect("an administrator");
    let path = repository.path(&format!("blobs/{}", blob.digest));
    let head = format!("GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: {authorization}\r\n\r\n");
    let mut halted = Vec::new();
    for _ in 0..4 {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(&head).await;
        halted.push(raw);
    }
    let got = repository.get(&format!("blobs/{}", blob.digest)).await;
    assert!(got.assert_status(200).body == blob.content);
    let last = halted.pop().expect("a connection");
    drop(last);
    for mut raw in halted {
        assert!(raw.answer().await.body == blob.content);
    }
}
