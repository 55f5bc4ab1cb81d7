//! When a generation is made, and when it is not.

use std::time::Duration;

use futures_util::future::join_all;
use wharf_core::Config;
use wharf_testkit::{Options, TestServer};

use crate::backend::{eventually, objects, on_every_database, open_jobs, options, work};
use crate::note::{index_of, note};
use crate::shelf::Shelf;

const AN_HOUR: Duration = Duration::from_secs(60 * 60);

fn patient() -> Options {
    options().core(|core: &mut Config| core.publish_delay = AN_HOUR)
}

mod at_once {
    use super::*;

    on_every_database! { with crate::generations::patient;
        after_a_rest_a_change_is_published_at_once,
        a_burst_of_uploads_makes_few_generations,
    }
}

mod by_hand {
    use super::*;

    on_every_database! { with crate::backend::idle;
        where_nothing_has_changed_nothing_is_published,
        channels_are_published_apart,
        many_changes_before_a_publication_are_one_job,
    }
}

async fn after_a_rest_a_change_is_published_at_once(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    // The answer comes although the delay is an hour.
    shelf.add("stable", &note("a", "1")).await;
    server.clock().advance(2 * AN_HOUR);
    shelf.add("stable", &note("b", "1")).await;
    server.clock().advance(2 * AN_HOUR);
    shelf.delete(&format!("{}?wait=1", note("a", "1").path("stable"))).await.assert_status(204);
    assert_eq!(shelf.verified("stable").await.index, note("b", "1").entry("stable"));
}

async fn a_burst_of_uploads_makes_few_generations(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let notes: Vec<_> = (0..50).map(|n| note(&format!("n{n:02}"), "1")).collect();
    for some in notes.chunks(10) {
        join_all(some.iter().map(|note| shelf.put("stable", note.file()))).await.iter().for_each(|answer| {
            answer.assert_status(201);
        });
    }
    // What came while the first was made has its turn at once, the others when the delay is over.
    eventually("only the delay is waited for", async || {
        let open = server.core().jobs(false, 0, 100).await.expect("jobs");
        open.iter().all(|job| job.kind != "publish" || job.due_at > server.clock().now())
    })
    .await;
    assert_eq!(open_jobs(server).await, 1);
    server.clock().advance(2 * AN_HOUR);
    eventually("the rest is published", async || open_jobs(server).await == 0).await;
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &notes));
    // Each generation leaves its line.
    let signatures = shelf.get("stable/Index.sig").await.assert_status(200).text();
    assert!((2..=4).contains(&signatures.lines().count()), "{signatures}");
}

async fn where_nothing_has_changed_nothing_is_published(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let large = note("a", "1").text("x".repeat(100_000));
    shelf.put("stable", large.file()).await.assert_status(201);
    assert!(work(server).await > 0);
    let (release, before) = (shelf.release_tag("stable").await, objects(server).await);
    shelf.delete(&large.path("stable")).await.assert_status(204);
    shelf.put("stable", large.file()).await.assert_status(201);
    assert_eq!(work(server).await, 1);
    assert_eq!(shelf.release_tag("stable").await, release);
    assert_eq!(shelf.index("stable").await, large.entry("stable"));
    assert_eq!((objects(server).await, open_jobs(server).await), (before, 0));
}

async fn channels_are_published_apart(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let [a, b, c] = ["a", "b", "c"].map(|name| note(name, "1"));
    shelf.put("stable", a.file()).await.assert_status(201);
    shelf.put("edge", b.file()).await.assert_status(201);
    assert_eq!(open_jobs(server).await, 2);
    work(server).await;
    let stable = shelf.release_tag("stable").await;
    shelf.put("edge", c.file()).await.assert_status(201);
    assert_eq!(work(server).await, 1);
    assert_eq!(shelf.release_tag("stable").await, stable);
    assert_eq!(shelf.verified("stable").await.index, a.entry("stable"));
    assert_eq!(shelf.verified("edge").await.index, index_of("edge", &[b, c]));
}

async fn many_changes_before_a_publication_are_one_job(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let notes: Vec<_> = (0..10).map(|n| note(&format!("n{n}"), "1")).collect();
    for note in &notes {
        shelf.put("stable", note.file()).await.assert_status(201);
    }
    shelf.delete(&notes[3].path("stable")).await.assert_status(204);
    assert_eq!(open_jobs(server).await, 1);
    work(server).await;
    let left: Vec<_> = notes.into_iter().filter(|note| note.name != "n3").collect();
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &left));
}
