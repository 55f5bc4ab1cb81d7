//! `?wait=1`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use wharf_testkit::{Backend, Options, TestServer};

use crate::backend::{eventually, idle, open_jobs, soon, with};
use crate::hooked::{Hooked, When};
use crate::note::note;
use crate::shelf::Shelf;

/// Lets indexes be made one at a time.
struct Gate {
    permits: Semaphore,
    /// How many runs have come to it.
    come: AtomicUsize,
}

/// A server whose indexes are each made when the gate lets it through.
fn gated() -> (Options, Arc<Gate>) {
    let gate = Arc::new(Gate { permits: Semaphore::new(0), come: AtomicUsize::new(0) });
    let through = Arc::clone(&gate);
    let hooked = Hooked::new(When::Before, move |_| {
        let gate = Arc::clone(&through);
        async move {
            gate.come.fetch_add(1, Ordering::SeqCst);
            gate.permits.acquire().await.expect("a gate").forget();
            Ok(())
        }
        .boxed()
    });
    let options = with(hooked).core(|core: &mut wharf_core::Config| core.publish_delay = std::time::Duration::ZERO);
    (options, gate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_comes_although_others_go_on_changing_the_channel() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (options, gate) = gated();
        let server = TestServer::start(options.backend(backend)).await;
        let shelf = Shelf::new(&server, "team/notes");
        // One is being made, and has perhaps seen less than the next.
        shelf.put("stable", note("first", "1").file()).await.assert_status(201);
        let waiting = {
            let shelf = shelf.clone();
            tokio::spawn(async move { shelf.add("stable", &note("mine", "1")).await })
        };
        eventually("mine is here", async || shelf.get("stable/packages/mine_1.txt").await.status == 200).await;
        for let_through in 0.. {
            // One is always being made, and before it is done another waits, which has that to list.
            eventually("one is being made", async || gate.come.load(Ordering::SeqCst) > let_through).await;
            if waiting.is_finished() {
                break;
            }
            assert!(let_through < 10, "the answer has to come");
            shelf.put("stable", note(&format!("other{let_through}"), "1").file()).await.assert_status(201);
            assert!(open_jobs(&server).await > 1);
            gate.permits.add_permits(1);
        }
        soon(waiting).await.expect("an answer");
        assert!(shelf.index("stable").await.contains("Name: mine\n"));
        gate.permits.add_permits(100);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_comes_from_the_work_of_anybody() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let server = TestServer::start(idle().backend(backend)).await;
        let shelf = Shelf::new(&server, "team/notes");
        let path = shelf.path("stable/upload?wait=1");
        let asked = tokio::spawn(async move { shelf.client.put(&path, note("a", "1").file()).await });
        eventually("somebody has worked", async || server.core().run_one("somebody").await.expect("a database")).await;
        soon(asked).await.expect("an answer").assert_status(201);
        let shelf = Shelf::new(&server, "team/notes");
        assert_eq!(shelf.index("stable").await, note("a", "1").entry("stable"));
    }
}
