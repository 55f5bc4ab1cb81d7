//! The facts. Each is given a storage that holds nothing.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{TryStreamExt as _, future, stream};
use wharf_storage::{Appended, ByteStream, Error, Hashing, ObjectKey, Progress, Result, Storage};
use wharf_types::{Algorithm, Digest};

pub(crate) fn key(number: u8) -> ObjectKey {
    let mut random = [0; 16];
    // Neighbours in order lie in different shards of the local storage, and some share one.
    (random[0], random[15]) = (number / 2, number);
    ObjectKey::new(random)
}

pub(crate) fn body(chunks: &[&'static str]) -> ByteStream {
    let chunks: Vec<io::Result<Bytes>> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
    Box::pin(stream::iter(chunks))
}

fn broken_body(chunks: &[&'static str]) -> ByteStream {
    use futures_util::StreamExt as _;
    Box::pin(body(chunks).chain(stream::iter([Err(io::Error::other("cut")), Ok(Bytes::from_static(b"never"))])))
}

/// An append whose body ends as it should.
pub(crate) async fn append(storage: &dyn Storage, key: &ObjectKey, from: &Progress, text: &'static str) -> Progress {
    let Appended { progress, interrupted } = storage.append(key, from, body(&[text])).await.unwrap();
    assert!(interrupted.is_none());
    progress
}

pub(crate) async fn store(storage: &dyn Storage, key: &ObjectKey, text: &'static str) -> Progress {
    let progress = append(storage, key, &Progress::default(), text).await;
    storage.seal(key, &progress).await.unwrap();
    progress
}

async fn read_range(storage: &dyn Storage, key: &ObjectKey, range: Range<u64>) -> Result<String> {
    let chunks: Vec<Bytes> = storage.read(key, range).await?.try_collect().await.unwrap();
    Ok(String::from_utf8(chunks.concat()).unwrap())
}

pub(crate) async fn read(storage: &dyn Storage, key: &ObjectKey) -> Result<String> {
    read_range(storage, key, 0..u64::MAX).await
}

pub(crate) fn is_not_found<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::NotFound(_)))
}

pub(crate) async fn an_object_is_written_in_several_requests(storage: &Arc<dyn Storage>) {
    let mut progress = append(&**storage, &key(1), &Progress::default(), "one ").await;
    assert_eq!(progress.offset, 4);
    for text in ["two ", "", "three"] {
        progress = append(&**storage, &key(1), &progress, text).await;
    }
    storage.seal(&key(1), &progress).await.unwrap();
    assert_eq!(read(&**storage, &key(1)).await.unwrap(), "one two three");
    assert_eq!(storage.size(&key(1)).await.unwrap(), 13);
}

// A request that died after its bytes had been written, but before the catalog was told, leaves such remains.
pub(crate) async fn an_append_from_an_older_progress_cuts_off_what_lies_beyond(storage: &Arc<dyn Storage>) {
    let older = append(&**storage, &key(1), &Progress::default(), "kept ").await;
    append(&**storage, &key(1), &older, "lost and long").await;
    let progress = append(&**storage, &key(1), &older, "new").await;
    storage.seal(&key(1), &progress).await.unwrap();
    assert_eq!(read(&**storage, &key(1)).await.unwrap(), "kept new");

    append(&**storage, &key(2), &Progress::default(), "lost").await;
    store(&**storage, &key(2), "new").await;
    assert_eq!(read(&**storage, &key(2)).await.unwrap(), "new");
}

pub(crate) async fn a_body_that_errs_keeps_what_came_before(storage: &Arc<dyn Storage>) {
    let appended = storage.append(&key(1), &Progress::default(), broken_body(&["one ", "two "])).await.unwrap();
    assert_eq!(appended.progress.offset, 8);
    assert_eq!(appended.interrupted.unwrap().to_string(), "cut");
    let progress = append(&**storage, &key(1), &appended.progress, "three").await;
    storage.seal(&key(1), &progress).await.unwrap();
    assert_eq!(read(&**storage, &key(1)).await.unwrap(), "one two three");
}

pub(crate) async fn an_append_counts_what_the_hash_has_seen(storage: &Arc<dyn Storage>) {
    let begun = append(&**storage, &key(1), &Progress::default(), "ab").await;
    let mut hashing = Hashing::new(&[]);
    hashing.update(b"ab");
    let (tapped, tap) = hashing.tap(broken_body(&["c", "", "de"]));
    let appended = storage.append(&key(1), &begun, tapped).await.unwrap();
    let hashing = tap.finish();
    assert!(appended.interrupted.is_some());
    assert_eq!((appended.progress.offset, hashing.offset()), (5, 5));
    storage.seal(&key(1), &appended.progress).await.unwrap();
    let kept = read(&**storage, &key(1)).await.unwrap();
    assert_eq!((kept.as_str(), hashing.digest(Algorithm::Sha256)), ("abcde", Some(Digest::sha256(b"abcde"))));
}

pub(crate) async fn an_append_behind_more_than_is_there_is_refused(storage: &Arc<dyn Storage>) {
    let progress = append(&**storage, &key(1), &Progress::default(), "abc").await;
    let beyond = Progress { offset: 4, ..progress.clone() };
    let refused = storage.append(&key(1), &beyond, body(&["e"])).await;
    assert!(matches!(refused, Err(Error::Truncated { expected: 4, held: 3, .. })), "{refused:?}");
    let unknown = storage.append(&key(2), &beyond, body(&["e"])).await;
    // A progress that holds its bytes itself is nobody's in particular.
    let held = matches!(unknown, Err(Error::Truncated { .. })) && !storage.is_begun(&progress);
    assert!(held || is_not_found(unknown));
    // Refused, not harmed.
    storage.seal(&key(1), &progress).await.unwrap();
}

pub(crate) async fn a_seal_of_more_than_is_there_is_refused(storage: &Arc<dyn Storage>) {
    let progress = append(&**storage, &key(1), &Progress::default(), "abc").await;
    let beyond = Progress { offset: 4, ..progress.clone() };
    let refused = storage.seal(&key(1), &beyond).await;
    assert!(matches!(refused, Err(Error::Truncated { expected: 4, held: 3, .. })), "{refused:?}");
    storage.seal(&key(1), &progress).await.unwrap();
    assert!(storage.seal(&key(1), &beyond).await.is_err());
}

pub(crate) async fn a_seal_cuts_off_what_lies_beyond(storage: &Arc<dyn Storage>) {
    let older = append(&**storage, &key(1), &Progress::default(), "kept").await;
    append(&**storage, &key(1), &older, " and lost").await;
    storage.seal(&key(1), &older).await.unwrap();
    assert_eq!(read(&**storage, &key(1)).await.unwrap(), "kept");
}

pub(crate) async fn a_seal_can_be_repeated(storage: &Arc<dyn Storage>) {
    let progress = store(&**storage, &key(1), "abc").await;
    storage.seal(&key(1), &progress).await.unwrap();
    assert_eq!(read(&**storage, &key(1)).await.unwrap(), "abc");
}

pub(crate) async fn a_sealed_object_does_not_grow(storage: &Arc<dyn Storage>) {
    let progress = store(&**storage, &key(1), "abc").await;
    let refused = storage.append(&key(1), &progress, body(&["d"])).await.is_err();
    // What is not begun goes on under another key.
    assert!(refused || !storage.is_begun(&progress));
    assert_eq!(read(&**storage, &key(1)).await.unwrap(), "abc");
}

pub(crate) async fn an_unsealed_object_cannot_be_read(storage: &Arc<dyn Storage>) {
    append(&**storage, &key(1), &Progress::default(), "abc").await;
    assert!(is_not_found(read(&**storage, &key(1)).await));
    assert!(is_not_found(storage.size(&key(1)).await));
}

pub(crate) async fn an_empty_object_is_an_object(storage: &Arc<dyn Storage>) {
    let progress = storage.append(&key(1), &Progress::default(), body(&[])).await.unwrap().progress;
    assert_eq!(progress.offset, 0);
    storage.seal(&key(1), &progress).await.unwrap();
    assert_eq!(read(&**storage, &key(1)).await.unwrap(), "");
    assert_eq!(storage.size(&key(1)).await.unwrap(), 0);
}

pub(crate) async fn a_range_is_read_as_far_as_it_goes(storage: &Arc<dyn Storage>) {
    store(&**storage, &key(1), "0123456789").await;
    #[expect(clippy::reversed_empty_ranges, reason = "that is the case")]
    let cases = [
        (0..10, "0123456789"),
        (0..1, "0"),
        (3..7, "3456"),
        (9..10, "9"),
        (8..99, "89"),
        (0..u64::MAX, "0123456789"),
        (4..4, ""),
        (10..20, ""),
        (u64::MAX - 1..u64::MAX, ""),
        (7..3, ""),
    ];
    for (range, expected) in cases {
        assert_eq!(read_range(&**storage, &key(1), range.clone()).await.unwrap(), expected, "{range:?}");
    }
}

pub(crate) async fn a_large_object_comes_back_in_order(storage: &Arc<dyn Storage>) {
    // Chunks of no round size, more than any buffer on the way holds.
    let piece = |number: u32| Bytes::from(number.to_le_bytes().repeat(1_021));
    let whole: Vec<u8> = (0..1_000).flat_map(piece).collect();
    let mut progress = Progress::default();
    for numbers in [0..10, 10..700, 700..1_000] {
        let chunks = Box::pin(stream::iter(numbers.map(move |number| Ok(piece(number)))));
        progress = storage.append(&key(1), &progress, chunks).await.unwrap().progress;
    }
    storage.seal(&key(1), &progress).await.unwrap();
    for (from, to) in [(0, whole.len()), (1, 300_000), (262_144, 524_289), (4_000_000, whole.len())] {
        let chunks: Vec<Bytes> =
            storage.read(&key(1), from as u64..to as u64).await.unwrap().try_collect().await.unwrap();
        assert!(chunks.concat() == whole[from..to], "{from}..{to}");
    }
}

/// More than two parts of an object store, and no round number.
const LARGE: usize = 12_345_678;

/// Bytes that differ from place to place and from `seed` to `seed`.
fn bytes(size: usize, seed: u32) -> Vec<u8> {
    // Of prime length, so that no part is like another.
    let pattern: Vec<u8> = (0..10_007_u32).map(|at| at.wrapping_mul(2_654_435_761 ^ seed).to_be_bytes()[1]).collect();
    pattern.repeat(size / pattern.len() + 1)[..size].to_vec()
}

fn of_size(size: usize, seed: u32) -> ByteStream {
    let whole = Bytes::from(bytes(size, seed));
    let chunks: Vec<_> = (0..size).step_by(70_001).map(|at| Ok(whole.slice(at..size.min(at + 70_001)))).collect();
    Box::pin(stream::iter(chunks))
}

async fn append_large(storage: &dyn Storage, from: &Progress, size: usize, seed: u32) -> Progress {
    let appended = storage.append(&key(1), from, of_size(size, seed)).await.unwrap();
    assert_eq!(appended.progress.offset, from.offset + size as u64);
    appended.progress
}

async fn assert_holds(storage: &dyn Storage, expected: &[u8]) {
    let chunks: Vec<Bytes> = storage.read(&key(1), 0..u64::MAX).await.unwrap().try_collect().await.unwrap();
    assert!(chunks.concat() == expected);
    assert_eq!(storage.size(&key(1)).await.unwrap(), expected.len() as u64);
}

pub(crate) async fn a_large_object_is_written_over_many_requests(storage: &Arc<dyn Storage>) {
    let (mut progress, mut expected) = (Progress::default(), Vec::new());
    let part = 5 * 1024 * 1024;
    for (seed, size) in (1..).zip([1_000, 4_000_000, part, LARGE, part - 1, 1, 0, 2 * part, 777]) {
        progress = append_large(&**storage, &progress, size, seed).await;
        expected.extend(bytes(size, seed));
    }
    storage.seal(&key(1), &progress).await.unwrap();
    assert_holds(&**storage, &expected).await;
    assert_eq!(storage.survey(None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn a_large_append_from_an_older_progress_cuts_off_what_lies_beyond(storage: &Arc<dyn Storage>) {
    let older = append_large(&**storage, &Progress::default(), LARGE, 1).await;
    append_large(&**storage, &older, LARGE, 2).await;
    let progress = append_large(&**storage, &older, 3_000_000, 3).await;
    storage.seal(&key(1), &progress).await.unwrap();
    assert_holds(&**storage, &[bytes(LARGE, 1), bytes(3_000_000, 3)].concat()).await;
}

pub(crate) async fn a_large_object_that_was_sealed_does_not_change(storage: &Arc<dyn Storage>) {
    let progress = append_large(&**storage, &Progress::default(), LARGE, 1).await;
    storage.seal(&key(1), &progress).await.unwrap();
    storage.seal(&key(1), &progress).await.unwrap();
    // Told before the body is asked for anything: who sends it can send it elsewhere.
    let unread = Box::pin(stream::poll_fn(|_| unreachable!("the body was read")));
    assert!(storage.append(&key(1), &progress, unread).await.is_err());
    storage.discard(&key(1), &progress).await.unwrap();
    let beyond = Progress { offset: progress.offset + 1, ..progress };
    assert!(storage.seal(&key(1), &beyond).await.is_err());
    assert_holds(&**storage, &bytes(LARGE, 1)).await;
}

pub(crate) async fn a_large_object_that_was_discarded_is_gone(storage: &Arc<dyn Storage>) {
    for known in [true, false] {
        let progress = append_large(&**storage, &Progress::default(), LARGE, 1).await;
        assert_eq!(storage.survey(None, 10).await.unwrap().len(), 1);
        // One who has only found it in a survey knows no progress.
        let said = if known { progress.clone() } else { Progress::default() };
        storage.discard(&key(1), &said).await.unwrap();
        storage.discard(&key(1), &said).await.unwrap();
        assert_eq!(storage.survey(None, 10).await.unwrap(), []);
        assert!(is_not_found(storage.append(&key(1), &progress, of_size(LARGE, 1)).await.map(drop)));
        assert!(is_not_found(storage.seal(&key(1), &progress).await));
    }
}

pub(crate) async fn what_is_not_there_is_not_found(storage: &Arc<dyn Storage>) {
    assert!(is_not_found(storage.read(&key(1), 0..1).await.map(|_| ())));
    assert!(is_not_found(storage.size(&key(1)).await));
    assert!(is_not_found(storage.seal(&key(1), &Progress::default()).await));
}

pub(crate) async fn a_discarded_object_is_gone(storage: &Arc<dyn Storage>) {
    let progress = append(&**storage, &key(1), &Progress::default(), "abc").await;
    storage.discard(&key(1), &progress).await.unwrap();
    storage.discard(&key(1), &progress).await.unwrap();
    storage.discard(&key(2), &Progress::default()).await.unwrap();
    assert_eq!(storage.survey(None, 10).await.unwrap(), []);
    if storage.is_begun(&progress) {
        assert!(is_not_found(storage.append(&key(1), &progress, body(&["d"])).await));
        assert!(is_not_found(storage.seal(&key(1), &progress).await));
    }
}

pub(crate) async fn a_discard_spares_the_sealed(storage: &Arc<dyn Storage>) {
    let progress = store(&**storage, &key(1), "abc").await;
    storage.discard(&key(1), &progress).await.unwrap();
    assert_eq!(read(&**storage, &key(1)).await.unwrap(), "abc");
}

pub(crate) async fn removed_objects_are_gone_and_the_absent_passed_over(storage: &Arc<dyn Storage>) {
    for number in 1..4 {
        store(&**storage, &key(number), "abc").await;
    }
    storage.remove(&[key(9), key(1), key(3)]).await.unwrap();
    storage.remove(&[]).await.unwrap();
    assert!(is_not_found(read(&**storage, &key(1)).await));
    assert!(is_not_found(storage.size(&key(3)).await));
    assert_eq!(read(&**storage, &key(2)).await.unwrap(), "abc");
}

pub(crate) async fn a_removal_spares_the_unsealed(storage: &Arc<dyn Storage>) {
    let progress = append(&**storage, &key(1), &Progress::default(), "abc").await;
    storage.remove(&[key(1)]).await.unwrap();
    storage.seal(&key(1), &progress).await.unwrap();
    assert_eq!(read(&**storage, &key(1)).await.unwrap(), "abc");
}

pub(crate) async fn a_survey_pages_through_sealed_and_unsealed_in_order(storage: &Arc<dyn Storage>) {
    for number in [7, 3, 255, 0, 4, 200] {
        store(&**storage, &key(number), "abc").await;
    }
    let unsealed = [6, 5, 201, 1];
    // Where five bytes would not be begun, as much as is.
    let text = "abcde";
    let mut begun = true;
    for number in unsealed {
        let progress = append(&**storage, &key(number), &Progress::default(), text).await;
        begun = storage.is_begun(&progress);
        if !begun {
            storage.append(&key(number), &progress, of_size(LARGE, 1)).await.unwrap();
        }
    }
    // Of an upload in parts only its begin is seen.
    let size = if begun { 5 } else { 0 };
    let expected: Vec<_> =
        [(0, 3), (1, size), (3, 3), (4, 3), (5, size), (6, size), (7, 3), (200, 3), (201, size), (255, 3)]
            .map(|(number, size)| (key(number), size))
            .into();
    for limit in [1, 2, 3, 9, 10, 99] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = storage.survey(after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            found.extend(page.into_iter().map(|stored| (stored.key, stored.size)));
        }
        assert_eq!(found, expected, "pages of {limit}");
    }
    assert_eq!(storage.survey(Some(&key(8)), 0).await.unwrap(), []);
    assert!(
        storage.survey(None, 10).await.unwrap().iter().all(|stored| stored.modified.as_millis() > 1_700_000_000_000)
    );
}

pub(crate) async fn writers_of_different_objects_do_not_meet(storage: &Arc<dyn Storage>) {
    let writers = (0..8_u8).map(|number| {
        let storage = Arc::clone(storage);
        tokio::spawn(async move {
            let mut progress = Progress::default();
            for _ in 0..3 {
                let chunks = (0..50).map(move |_| Ok(Bytes::from(vec![number; 4_096])));
                progress =
                    storage.append(&key(number), &progress, Box::pin(stream::iter(chunks))).await.unwrap().progress;
            }
            storage.seal(&key(number), &progress).await.unwrap();
        })
    });
    assert!(future::join_all(writers).await.iter().all(std::result::Result::is_ok));
    for number in 0..8 {
        let chunks: Vec<Bytes> = storage.read(&key(number), 0..u64::MAX).await.unwrap().try_collect().await.unwrap();
        assert_eq!(chunks.concat(), vec![number; 3 * 50 * 4_096]);
    }
}
