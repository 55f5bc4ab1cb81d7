//! An index is made of segments, and generations share those that have not changed.

use futures_util::future::join_all;
use wharf_core::{Actor, Arrival, Segment, Target};
use wharf_testkit::{TestServer, sha256};

use crate::backend::{objects, on_every_database, work};
use crate::note::{Note, index_of, note};
use crate::shelf::Shelf;

on_every_database! { with crate::backend::idle;
    a_package_more_rewrites_one_segment,
    a_package_less_rewrites_one_segment,
    an_index_of_many_pages_lists_every_package_once,
}

mod large {
    crate::backend::on_every_database! { with crate::backend::idle_with_large_pieces;
        large_segments_lie_in_the_storage_once,
    }
    use super::large_segments_lie_in_the_storage_once;
}

async fn shelf(server: &TestServer) -> Shelf {
    server.project("team").await;
    Shelf::new(server, "team/notes")
}

/// Takes packages in past HTTP, and publishes.
async fn fill(server: &TestServer, shelf: &Shelf, notes: &[Note]) {
    let target = Target::new(wharf_text::NAME, shelf.name.parse().expect("a name"));
    let actor = Actor::system();
    for some in notes.chunks(20) {
        let added = join_all(some.iter().map(|note| {
            let file = bytes::Bytes::from(note.file());
            let body = Box::pin(futures_util::stream::once(async { Ok(file) }));
            let arrival = Arrival { channel: "stable".to_owned(), ..Arrival::default() };
            server.core().add_package(&target, arrival, body, &actor)
        }));
        added.await.into_iter().for_each(|added| assert!(added.expect("a package").new));
    }
    assert!(work(server).await > 0);
}

async fn segments(server: &TestServer, shelf: &Shelf) -> Vec<Segment> {
    shelf.published(server, "stable").await.segments()
}

fn notes(count: usize) -> Vec<Note> {
    (0..count).map(|n| note(&format!("n{n:03}"), "1")).collect()
}

/// Those of the old that are gone, and those of the new that were not there.
fn changes(old: &[Segment], new: &[Segment]) -> (usize, usize) {
    let missing = |of: &[Segment], from: &[Segment]| of.iter().filter(|segment| !from.contains(segment)).count();
    (missing(old, new), missing(new, old))
}

async fn a_package_more_rewrites_one_segment(server: &TestServer) {
    let shelf = shelf(server).await;
    let mut all = notes(60);
    fill(server, &shelf, &all).await;
    let old = segments(server, &shelf).await;
    assert!(old.len() >= 8, "{old:?}");
    for place in [0, 31, 59] {
        let before = segments(server, &shelf).await;
        let more = note(&format!("n{place:03}"), "2");
        all.push(more.clone());
        fill(server, &shelf, &[more]).await;
        let after = segments(server, &shelf).await;
        let (gone, new) = changes(&before, &after);
        // The one that it went into, cut in two if it was full; at the end a new one is begun.
        assert_eq!(gone, usize::from(place < 59), "{place}");
        assert!((1..=2).contains(&new), "{place}: {new}");
        assert_eq!(shelf.verified("stable").await.index, index_of("stable", &all));
    }
}

async fn a_package_less_rewrites_one_segment(server: &TestServer) {
    let shelf = shelf(server).await;
    let mut all = notes(60);
    fill(server, &shelf, &all).await;
    let before = segments(server, &shelf).await;
    let gone = all.remove(30);
    shelf.delete(&gone.path("stable")).await.assert_status(204);
    assert_eq!(work(server).await, 1);
    let (gone, new) = changes(&before, &segments(server, &shelf).await);
    assert_eq!((gone, new), (1, 1));
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &all));
}

async fn large_segments_lie_in_the_storage_once(server: &TestServer) {
    let shelf = shelf(server).await;
    let long = "x".repeat(10_000);
    let all: Vec<_> = notes(40).into_iter().map(|note| note.field("Summary", &long)).collect();
    fill(server, &shelf, &all[..39]).await;
    let (before, old) = (objects(server).await, segments(server, &shelf).await);
    let large = |segments: &[Segment]| segments.iter().filter(|segment| segment.size > 16 * 1024).count();
    assert!(large(&old) > 3 && before.len() == large(&old), "{old:?}");
    fill(server, &shelf, &all[39..]).await;
    let (after, new) = (objects(server).await, segments(server, &shelf).await);
    assert!(before.iter().all(|object| after.contains(object)));
    let written: Vec<_> = new.iter().filter(|segment| !old.contains(segment)).cloned().collect();
    assert_eq!(after.len() - before.len(), large(&written));
    let index = shelf.index("stable").await;
    assert_eq!(index, index_of("stable", &all));
    // A part that begins in one segment and ends in another.
    let (begin, end) = (9_000, 70_001);
    let range = shelf.client.request(http::Method::GET, &shelf.path("stable/Index"));
    let part = range.header_named("range", &format!("bytes={begin}-{}", end - 1)).send().await;
    part.assert_status(206).assert_body(&index[begin..end]);
}

async fn an_index_of_many_pages_lists_every_package_once(server: &TestServer) {
    let shelf = shelf(server).await;
    let all = notes(520);
    fill(server, &shelf, &all).await;
    let published = shelf.published(server, "stable").await;
    let index = shelf.index("stable").await;
    assert_eq!(index, index_of("stable", &all));
    assert_eq!(published.file.digest.to_string(), sha256(&index));
    assert_eq!(published.segments().iter().map(|segment| segment.size).sum::<u64>(), index.len() as u64);
}
