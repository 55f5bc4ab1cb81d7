//! Clients that read all the time while others publish.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use wharf_testkit::{TestServer, sha256};

use crate::backend::on_every_database;
use crate::note::{index_of, note};
use crate::shelf::Shelf;

on_every_database! {
    a_client_in_a_loop_never_sees_a_mismatch,
}

const PUBLICATIONS: usize = 30;
const CLIENTS: usize = 3;

/// Reads as apt does: the release, the index that it names, the packages that the index names.
async fn by_release(shelf: &Shelf) -> usize {
    let index = shelf.verified("stable").await.index;
    let Some(entry) = index.trim_end().split("\n\n").last() else { return 0 };
    let field = |wanted: &str| entry.lines().find_map(|line| line.strip_prefix(wanted)).expect("a field");
    let package = shelf.get(field("Path: ")).await;
    assert_eq!(sha256(&package.assert_status(200).body), format!("sha256:{}", field("SHA256: ")));
    index.matches("Path: ").count()
}

/// Reads as dnf does: one file, and then its signature, which is another.
async fn by_signature(shelf: &Shelf) -> usize {
    let index = shelf.index("stable").await;
    assert!(shelf.is_vouched_for("stable", &index).await, "{index}");
    index.matches("Path: ").count()
}

async fn a_client_in_a_loop_never_sees_a_mismatch(server: &TestServer) {
    let shelf = Shelf::new(server, "team/notes");
    let notes: Vec<_> = (0..=PUBLICATIONS).map(|n| note(&format!("n{n:02}"), "1")).collect();
    shelf.add("stable", &notes[0]).await;
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (shelf, done) = (shelf.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut seen = 0;
                while !done.load(Relaxed) {
                    // And nobody goes back in time.
                    for listed in [by_release(&shelf).await, by_signature(&shelf).await] {
                        assert!(listed >= seen, "{listed} after {seen}");
                        seen = listed;
                    }
                }
                seen
            })
        })
        .collect();
    for note in &notes[1..] {
        shelf.add("stable", note).await;
    }
    done.store(true, Relaxed);
    for client in clients {
        assert!(client.await.expect("no mismatch") > 0);
    }
    assert_eq!(shelf.verified("stable").await.index, index_of("stable", &notes));
}
