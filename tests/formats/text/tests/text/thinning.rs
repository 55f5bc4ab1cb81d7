//! How many generations are kept.

use std::time::Duration;

use wharf_core::{Core, Target};
use wharf_testkit::TestServer;

use crate::backend::{on_every_database, work};
use crate::note::note;
use crate::shelf::Shelf;

on_every_database! { with crate::backend::idle;
    of_many_publications_few_generations_stay,
    where_nothing_is_published_any_more_the_sweep_thins,
}

const EACH: Duration = Duration::from_secs(10);

async fn kept(core: &Core) -> usize {
    let target = Target::new(wharf_text::NAME, "team/notes".parse().expect("a name"));
    core.generations(&target, "stable", 10_000).await.expect("generations").len()
}

/// A change more than the last, and its publication ten seconds after the one before.
async fn publish(server: &TestServer, shelf: &Shelf, n: usize) {
    let version = n / 2;
    if n.is_multiple_of(2) {
        shelf.put("stable", note("a", &format!("{version}")).file()).await.assert_status(201);
    } else {
        shelf.delete(&note("a", &format!("{version}")).path("stable")).await.assert_status(204);
    }
    server.clock().advance(EACH);
    assert_eq!(work(server).await, 1);
}

async fn of_many_publications_few_generations_stay(server: &TestServer) {
    server.project("team").await;
    let shelf = Shelf::new(server, "team/notes");
    publish(server, &shelf, 0).await;
    for n in 1..1000 {
        // A reader in the middle: it has read the release, another is published, and it goes on.
        let release =
            if n % 50 == 0 { Some(shelf.get("stable/Release").await.assert_status(200).text()) } else { None };
        publish(server, &shelf, n).await;
        if let Some(release) = release {
            let named = release.lines().find_map(|line| line.strip_prefix("Index: ")).expect("an index");
            let digest = named.split(' ').next().expect("a digest").replace(':', "/");
            shelf.get(&format!("stable/by-hash/{digest}")).await.assert_status(200);
        }
    }
    // All of ten minutes, one of each ten minutes before, and what is on its way out.
    let (recent, before) = (60, 1000 * 10 / 600 + 2);
    let kept = kept(server.core()).await;
    assert!((recent..=recent + before + 8).contains(&kept), "{kept}");
}

async fn where_nothing_is_published_any_more_the_sweep_thins(server: &TestServer) {
    server.project("team").await;
    let shelf = Shelf::new(server, "team/notes");
    for n in 0..40 {
        publish(server, &shelf, n).await;
    }
    assert_eq!(kept(server.core()).await, 40);
    server.clock().advance(Duration::from_secs(3600));
    server.core().sweep().await.expect("a sweep");
    assert!(kept(server.core()).await <= 3, "{}", kept(server.core()).await);
    // When its time is up, only the one that clients see stays.
    server.clock().advance(Duration::from_secs(4 * 24 * 3600));
    server.core().sweep().await.expect("a sweep");
    assert_eq!(kept(server.core()).await, 1);
    shelf.verified("stable").await;
}
