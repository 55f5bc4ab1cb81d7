//! What every depot must do, and what only a bucket does.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;
use wharf_storage::bucket::{Config, OpenError};
use wharf_storage::{BucketDepot, ByteStream, Depot, DepotError, Entry, Folder, testing};

use crate::google;

/// An empty depot, and what must outlive it.
struct Place {
    depot: Arc<dyn Depot>,
    _folder: Option<TempDir>,
}

async fn folder() -> Place {
    let folder = TempDir::new().unwrap();
    Place { depot: Arc::new(Folder::new(folder.path().join("depot"))), _folder: Some(folder) }
}

async fn bucket_depot() -> BucketDepot {
    BucketDepot::new(testing::s3().await.config()).unwrap()
}

async fn s3() -> Place {
    place(testing::s3().await.config())
}

async fn azure() -> Place {
    place(testing::azure().await.config())
}

async fn gcs() -> Place {
    place(google::config().await)
}

fn place(config: Config) -> Place {
    Place { depot: Arc::new(BucketDepot::new(config).unwrap()), _folder: None }
}

fn body(chunks: &[Result<&'static str, ()>]) -> ByteStream {
    let chunks: Vec<_> = chunks
        .iter()
        .map(|chunk| chunk.map(|text| Bytes::from_static(text.as_bytes())).map_err(|()| io::Error::other("cut")))
        .collect();
    Box::pin(stream::iter(chunks))
}

/// More than two parts, no two pieces of which are alike.
fn large() -> Vec<Bytes> {
    (0..11_u32).map(|mib| (0..1 << 18).flat_map(|at: u32| (at ^ (mib << 20)).to_le_bytes()).collect()).collect()
}

async fn content(depot: &Arc<dyn Depot>, name: &str) -> Vec<u8> {
    let chunks: Vec<Bytes> = depot.get(name).await.unwrap().try_collect().await.unwrap();
    chunks.concat()
}

fn entry(name: &str, size: Option<u64>) -> Entry {
    Entry { name: name.into(), size }
}

async fn a_file_is_there_whole_or_not_at_all(depot: Arc<dyn Depot>) {
    assert_eq!(depot.list("").await.unwrap(), []);
    assert_eq!(depot.put("a/b/one", body(&[Ok("hel"), Ok("lo")])).await.unwrap(), 5);
    assert_eq!(depot.put("a/b/empty", body(&[])).await.unwrap(), 0);
    assert!(matches!(depot.put("a/b/one", body(&[Ok("other"), Err(())])).await, Err(DepotError::Body(_))));
    assert_eq!(content(&depot, "a/b/one").await, b"hello");
    assert_eq!(content(&depot, "a/b/empty").await, b"");
    let mut found = depot.list("a/b").await.unwrap();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(found, [entry("empty", Some(0)), entry("one", Some(5))]);
    assert_eq!(depot.list("a").await.unwrap(), [entry("b", None)]);
    assert_eq!(depot.list("").await.unwrap(), [entry("a", None)]);
    assert_eq!(depot.list("unfinished").await.unwrap(), []);
}

async fn a_large_file_is_there_whole_or_not_at_all(depot: Arc<dyn Depot>) {
    let whole = || stream::iter(large().into_iter().map(Ok));
    let cut = whole().chain(stream::iter([Err(io::Error::other("cut"))]));
    assert!(matches!(depot.put("large", Box::pin(cut)).await, Err(DepotError::Body(_))));
    assert!(matches!(depot.get("large").await.err(), Some(DepotError::NotFound(_))));
    assert_eq!(depot.list("unfinished").await.unwrap(), []);
    assert_eq!(depot.put("large", Box::pin(whole())).await.unwrap(), 11 << 20);
    assert!(content(&depot, "large").await == large().concat());
    assert_eq!(depot.list("").await.unwrap(), [entry("large", Some(11 << 20))]);
    assert_eq!(depot.list("unfinished").await.unwrap(), []);
}

async fn of_many_who_swap_a_file_one_succeeds(depot: Arc<dyn Depot>) {
    assert!(!depot.swap("LOCK", Some(b"other"), b"mine").await.unwrap());
    for round in 0..20_u8 {
        let from = (round > 0).then(|| vec![round - 1]);
        let swaps: Vec<_> = (0..8)
            .map(|_| {
                let (depot, from) = (Arc::clone(&depot), from.clone());
                tokio::spawn(async move { depot.swap("LOCK", from.as_deref(), &[round]).await.unwrap() })
            })
            .collect();
        let mut won = 0;
        for swap in swaps {
            won += u8::from(swap.await.unwrap());
        }
        assert_eq!(won, 1, "{round}");
    }
    assert!(!depot.swap("LOCK", None, b"new").await.unwrap());
    assert!(!depot.swap("LOCK", Some(&[18]), b"new").await.unwrap());
    assert_eq!(content(&depot, "LOCK").await, [19]);
    assert_eq!(depot.list("").await.unwrap(), [entry("LOCK", Some(1))]);
}

async fn what_was_removed_is_gone_and_the_absent_is_passed_over(depot: Arc<dyn Depot>) {
    depot.put("a/b/one", body(&[Ok("1")])).await.unwrap();
    depot.put("a/two", body(&[Ok("2")])).await.unwrap();
    depot.remove("a/b/one").await.unwrap();
    depot.remove("a/b/one").await.unwrap();
    assert_eq!(depot.list("a/b").await.unwrap(), []);
    let left = depot.list("a").await.unwrap();
    assert_eq!(left.into_iter().filter(|entry| entry.size.is_some()).collect::<Vec<_>>(), [entry("two", Some(1))]);
    assert!(matches!(depot.get("a/b/one").await.err(), Some(DepotError::NotFound(_))));
}

async fn what_a_write_that_died_has_left_is_tidied_away(depot: Arc<dyn Depot>) {
    depot.put("whole", body(&[Ok("1")])).await.unwrap();
    // It never comes to its end, and is dropped where the depot holds some of it.
    let (reached, mut until) = tokio::sync::oneshot::channel();
    let mut reached = Some(reached);
    let stall = stream::poll_fn(move |_| {
        reached.take().map(|reached| reached.send(()));
        std::task::Poll::Pending
    });
    let endless = Box::pin(stream::iter(large().into_iter().map(Ok)).chain(stall));
    tokio::select! {
        put = depot.put("half", endless) => panic!("{put:?}"),
        stalled = &mut until => stalled.unwrap(),
    }
    depot.tidy().await.unwrap();
    assert_eq!(depot.list("unfinished").await.unwrap(), []);
    assert_eq!(depot.list("").await.unwrap(), [entry("whole", Some(1))]);
    depot.put("half", body(&[Ok("2")])).await.unwrap();
    assert_eq!(content(&depot, "half").await, b"2");
}

macro_rules! holds {
    ($place:ident) => {
        holds! { $place:
            a_file_is_there_whole_or_not_at_all,
            a_large_file_is_there_whole_or_not_at_all,
            of_many_who_swap_a_file_one_succeeds,
            what_was_removed_is_gone_and_the_absent_is_passed_over,
            what_a_write_that_died_has_left_is_tidied_away,
        }
    };
    ($place:ident: $($fact:ident),* $(,)?) => {
        mod $place {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $fact() {
                let place = super::super::$place().await;
                super::super::$fact(place.depot.clone()).await;
            })*
        }
    };
}

/// One module of tests for each kind of place.
mod every {
    holds!(folder);
    holds!(s3);
    holds!(azure);
    holds!(gcs);
}

#[tokio::test]
async fn removing_from_a_folder_takes_empty_folders_along() {
    let Place { depot, _folder } = folder().await;
    depot.put("a/b/one", body(&[Ok("1")])).await.unwrap();
    depot.put("a/two", body(&[Ok("2")])).await.unwrap();
    depot.remove("a/b/one").await.unwrap();
    assert_eq!(depot.list("a").await.unwrap(), [entry("two", Some(1))]);
}

#[tokio::test]
async fn folders_of_a_bucket_are_depots_of_their_own() {
    let depot = bucket_depot().await;
    let below: Arc<dyn Depot> = Arc::new(depot.below("nightly/one"));
    below.put("file", body(&[Ok("1")])).await.unwrap();
    assert_eq!(content(&(Arc::new(depot.clone()) as Arc<dyn Depot>), "nightly/one/file").await, b"1");
    assert_eq!(below.place(), format!("{}/nightly/one", depot.place()));
}

#[tokio::test]
async fn a_store_that_keeps_to_no_conditions_is_refused_before_anything_is_swapped() {
    let mut config = testing::s3().await.config();
    config.endpoint = Some(testing::yes_man());
    let depot = BucketDepot::new(config).unwrap();
    let refused = depot.probe().await.unwrap_err();
    assert!(matches!(refused, OpenError::Unconditional(_)), "{refused}");
    let refused = depot.swap("LOCK", None, b"mine").await.unwrap_err();
    assert!(matches!(&refused, DepotError::Unsuitable(_)) && refused.to_string().contains("If-Match"), "{refused}");
}
