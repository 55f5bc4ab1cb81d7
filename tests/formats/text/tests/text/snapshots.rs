//! What a channel listed at one moment, under a name.

use wharf_core::{Actor, Difference, Error, SnapshotError, Target};
use wharf_testkit::TestServer;
use wharf_types::SubjectName;

use crate::backend::{on_every_database, work};
use crate::note::{index_of, note};
use crate::shelf::Shelf;

on_every_database! {
    clients_see_the_snapshot_that_is_published_until_the_newest_is_again,
    a_snapshot_keeps_what_it_lists,
    what_a_snapshot_lists_is_not_replaced,
    a_comparison_tells_what_was_added_removed_and_changed,
    a_snapshot_that_clients_see_is_not_deleted,
    a_deleted_repository_takes_its_snapshots_along,
}

fn target() -> Target {
    Target::new(wharf_text::NAME, "team/notes".parse().expect("a name"))
}

fn named(name: &str) -> SubjectName {
    name.parse().expect("a name")
}

async fn snap(server: &TestServer, name: &str) {
    server.core().create_snapshot(&target(), "stable", named(name), &Actor::system()).await.expect("a snapshot");
}

async fn show(server: &TestServer, name: &str) {
    server.core().publish_snapshot(&target(), &named(name), &Actor::system()).await.expect("to be published");
}

async fn clients_see_the_snapshot_that_is_published_until_the_newest_is_again(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let notes: Vec<_> = ["a", "b", "c"].iter().map(|name| note(name, "1")).collect();
    for (note, name) in notes.iter().zip(["one", "two"]) {
        shelf.add("stable", note).await;
        snap(server, name).await;
    }
    show(server, "one").await;
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &notes[..1]));
    // Uploads go on, and nobody sees them.
    shelf.add("stable", &notes[2]).await;
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &notes[..1]));
    shelf.get(&notes[2].path("stable")).await.assert_status(200);
    show(server, "two").await;
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &notes[..2]));
    server.core().publish_live(&target(), "stable", &Actor::system()).await.expect("the newest");
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &notes));
    show(server, "one").await;
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &notes[..1]), "and back");
    let all = server.core().snapshots(&target(), "", 10).await.expect("snapshots");
    let told: Vec<_> = all.iter().map(|one| (one.name.as_str(), one.packages, one.published)).collect();
    assert_eq!(told, [("one", 1, true), ("two", 2, false)]);
}

async fn a_snapshot_keeps_what_it_lists(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let [a, b] = ["a", "b"].map(|name| note(name, "1").text("x".repeat(40_000)));
    shelf.add("stable", &a).await;
    snap(server, "kept").await;
    shelf.delete(&format!("{}?wait=1", a.path("stable"))).await.assert_status(204);
    shelf.add("stable", &b).await;
    // Long after: what nothing needs is gone, the snapshot is whole.
    for _ in 0..3 {
        server.clock().advance(std::time::Duration::from_secs(8 * 24 * 3600));
        server.core().sweep().await.expect("a sweep");
        work(server).await;
        server.core().collect(None).await.expect("a collection");
    }
    assert_eq!(shelf.index("stable").await, b.entry("stable"));
    show(server, "kept").await;
    assert_eq!(shelf.verified("stable").await.index, a.entry("stable"));
    shelf.get(&a.path("stable")).await.assert_status(200).assert_body(a.file());
    // It comes back by the same bytes.
    assert_eq!(shelf.put("stable", a.file()).await.status, 201);
    server.core().publish_live(&target(), "stable", &Actor::system()).await.expect("the newest");
    server.core().wait_until_published(&target(), "stable").await.expect("to be visible");
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &[a.clone(), b]));
    shelf.delete(&format!("{}?wait=1", a.path("stable"))).await.assert_status(204);
    server.core().delete_snapshot(&target(), &named("kept"), &Actor::system()).await.expect("to be deleted");
    shelf.get(&a.path("stable")).await.assert_status(404);
}

async fn what_a_snapshot_lists_is_not_replaced(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let a = note("a", "1");
    shelf.add("stable", &a).await;
    snap(server, "kept").await;
    shelf.delete(&format!("{}?wait=1", a.path("stable"))).await.assert_status(204);
    shelf.put("stable", a.clone().text("other").file()).await.assert_status(409);
    shelf.get(&a.path("stable")).await.assert_status(200).assert_body(a.file());
}

async fn a_comparison_tells_what_was_added_removed_and_changed(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    for (name, version) in [("changed", "1"), ("removed", "1"), ("same", "1")] {
        shelf.add("stable", &note(name, version)).await;
    }
    snap(server, "before").await;
    for (name, version) in [("changed", "1"), ("removed", "1")] {
        shelf.delete(&format!("{}?wait=1", note(name, version).path("stable"))).await.assert_status(204);
    }
    for (name, version) in [("changed", "2"), ("added", "1"), ("same", "2")] {
        shelf.add("stable", &note(name, version)).await;
    }
    snap(server, "after").await;
    let difference = |name: &str, from: &[&str], to: &[&str]| Difference {
        name: name.to_owned(),
        architecture: String::new(),
        from: from.iter().map(|version| (*version).to_owned()).collect(),
        to: to.iter().map(|version| (*version).to_owned()).collect(),
    };
    let all = [
        difference("added", &[], &["1"]),
        difference("changed", &["1"], &["2"]),
        difference("removed", &["1"], &[]),
        difference("same", &["1"], &["1", "2"]),
    ];
    let (before, after) = (named("before"), named("after"));
    let diff = async |after_key: (String, String), limit: usize| {
        server.core().diff_snapshots(&target(), (&before, &after), after_key, limit).await.expect("a comparison")
    };
    let whole = diff(<(String, String)>::default(), 100).await;
    assert_eq!((whole.items.as_slice(), whole.next), (all.as_slice(), None));
    // Page by page it is the same.
    let (mut paged, mut key) = (Vec::new(), Some(<(String, String)>::default()));
    while let Some(after_key) = key.take() {
        let page = diff(after_key, 1).await;
        paged.extend(page.items);
        key = page.next;
    }
    assert_eq!(paged, all);
}

async fn a_snapshot_that_clients_see_is_not_deleted(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let (core, actor) = (server.core(), Actor::system());
    shelf.put("edge", note("z", "1").file()).await.assert_status(201);
    let none = core.create_snapshot(&target(), "stable", named("one"), &actor).await;
    assert!(matches!(none, Err(Error::Snapshot(SnapshotError::NoIndex(_)))), "{none:?}");
    shelf.add("stable", &note("a", "1")).await;
    snap(server, "one").await;
    let again = core.create_snapshot(&target(), "stable", named("one"), &actor).await;
    assert!(matches!(again, Err(Error::Snapshot(SnapshotError::Exists(_)))), "{again:?}");
    show(server, "one").await;
    let kept = core.delete_snapshot(&target(), &named("one"), &actor).await;
    assert!(matches!(kept, Err(Error::Snapshot(SnapshotError::Published(_)))), "{kept:?}");
    core.publish_live(&target(), "stable", &actor).await.expect("the newest");
    core.delete_snapshot(&target(), &named("one"), &actor).await.expect("to be deleted");
    let gone = core.snapshot(&target(), &named("one")).await;
    assert!(matches!(gone, Err(Error::Snapshot(SnapshotError::Unknown(_)))), "{gone:?}");
}

async fn a_deleted_repository_takes_its_snapshots_along(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    shelf.add("stable", &note("a", "1")).await;
    snap(server, "one").await;
    show(server, "one").await;
    server.core().delete_repository(&target(), false, &Actor::system()).await.expect("to be deleted");
    for _ in 0..3 {
        server.clock().advance(std::time::Duration::from_secs(400 * 24 * 3600));
        server.core().sweep().await.expect("a sweep");
        work(server).await;
    }
    shelf.add("stable", &note("b", "1")).await;
    assert!(server.core().snapshots(&target(), "", 10).await.expect("snapshots").is_empty());
}
