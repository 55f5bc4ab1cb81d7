//! Bytes a second through the local storage: append, seal and read of one large object, and pushes of small ones.
//! `cargo bench -p wharf-storage --bench throughput -- <folder> <MiB>`
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first error")]
#![expect(clippy::cast_possible_truncation, reason = "the last byte of a counter")]

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, future, stream};
use wharf_storage::{ByteStream, Hashing, ObjectKey, Progress, Storage, fs::Fs};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let folder = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let mebibytes: usize = arguments.next().map_or(1024, |text| text.parse().unwrap());
    let folder = tempfile::tempdir_in(folder).unwrap();
    let start = Instant::now();
    let storage = Fs::open(folder.path().join("storage")).unwrap();
    println!("first open: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    drop(storage);
    let start = Instant::now();
    let storage = Arc::new(Fs::open(folder.path().join("storage")).unwrap());
    println!("open: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        for (round, chunk) in [16 * 1024, 16 * 1024, 256 * 1024].into_iter().enumerate() {
            large(&storage, ObjectKey::new([round as u8; 16]), mebibytes, chunk).await;
        }
        small(storage).await;
    });
}

/// What a server hands on: a fresh buffer for each chunk.
fn body(mebibytes: usize, chunk: usize) -> ByteStream {
    let chunks =
        (0..(mebibytes << 20) / chunk).map(move |number| Ok(BytesMut::from(&vec![number as u8; chunk][..]).freeze()));
    Box::pin(stream::iter(chunks))
}

async fn large(storage: &Fs, key: ObjectKey, mebibytes: usize, chunk: usize) {
    println!("{mebibytes} MiB in chunks of {} KiB", chunk / 1024);
    let report = |what: &str, since: Instant| {
        let seconds = since.elapsed().as_secs_f64();
        println!("  {what:<16} {:8.0} MB/s  {seconds:.3} s", (mebibytes << 20) as f64 / 1e6 / seconds);
    };
    let start = Instant::now();
    let mut source = body(mebibytes, chunk);
    while source.next().await.is_some() {}
    report("body alone", start);
    let push = Instant::now();
    let (source, tap) = Hashing::new(&[]).tap(body(mebibytes, chunk));
    let appended = storage.append(&key, &Progress::default(), source).await.unwrap();
    assert_eq!(tap.finish().offset(), appended.progress.offset);
    report("append + hash", push);
    let start = Instant::now();
    storage.seal(&key, &appended.progress).await.unwrap();
    report("seal", start);
    report("push in all", push);
    let start = Instant::now();
    let mut chunks = storage.read(&key, 0..u64::MAX).await.unwrap();
    while chunks.next().await.is_some() {}
    report("read", start);
    let plain = ObjectKey::new([0xff; 16]);
    let start = Instant::now();
    let appended = storage.append(&plain, &Progress::default(), body(mebibytes, chunk)).await.unwrap();
    report("append only", start);
    storage.discard(&plain, &appended.progress).await.unwrap();
    // Gives the page cache back: in a virtual machine memory that was never used before is slower than the disk.
    storage.remove(&[key]).await.unwrap();
}

async fn small(storage: Arc<Fs>) {
    let bytes = Bytes::from(vec![7; 1 << 20]);
    let start = Instant::now();
    let writers = (0..8_u8).map(|writer| {
        let (storage, bytes) = (Arc::clone(&storage), bytes.clone());
        tokio::spawn(async move {
            for number in 0..50_u8 {
                let mut random = [writer ^ number; 16];
                (random[1], random[2]) = (writer + 100, number);
                let key = ObjectKey::new(random);
                let body = Box::pin(stream::iter([Ok(bytes.clone())]));
                let appended = storage.append(&key, &Progress::default(), body).await.unwrap();
                storage.seal(&key, &appended.progress).await.unwrap();
            }
        })
    });
    future::join_all(writers).await;
    println!("1 MiB objects by 8 writers: {:.0}/s", 400.0 / start.elapsed().as_secs_f64());
}
