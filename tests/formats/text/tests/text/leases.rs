//! Two workers on one channel.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::Notify;
use wharf_core::Config;
use wharf_testkit::{Backend, Options, TestServer};

use crate::backend::{eventually, soon, with, work};
use crate::hooked::{Hooked, When};
use crate::note::{index_of, note};
use crate::shelf::Shelf;

/// A server whose first index, once it is put together, says so, and then keeps its thread until it is told to go on.
fn held() -> (Options, Arc<Notify>, mpsc::Sender<()>) {
    let (made, first, (go_on, told)) = (Arc::new(Notify::new()), AtomicBool::new(true), mpsc::channel());
    let (tell, told) = (Arc::clone(&made), Mutex::new(told));
    let hooked = Hooked::new(When::After, move |_| {
        if first.swap(false, Relaxed) {
            tell.notify_one();
            let told = told.lock().expect("one that is held");
            tokio::task::block_in_place(|| told.recv()).expect("to be told");
        }
        async { Ok(()) }.boxed()
    });
    (with(hooked).without_workers(), made, go_on)
}

/// A server whose first index, once it is put together, says so and goes no further. So what is aborted then has published
/// nothing: of a worker that runs, an abort may come after the last thing that it does.
fn stuck() -> (Options, Arc<Notify>) {
    let (made, first) = (Arc::new(Notify::new()), AtomicBool::new(true));
    let tell = Arc::clone(&made);
    let hooked = Hooked::new(When::After, move |_| {
        let (first, tell) = (first.swap(false, Relaxed), Arc::clone(&tell));
        async move {
            if first {
                tell.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(())
        }
        .boxed()
    });
    (with(hooked).without_workers(), made)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn work_that_keeps_its_thread_keeps_its_lease() {
    tokio::join!(keeps_its_lease(Backend::Sqlite), keeps_its_lease(Backend::Postgres));
}

async fn keeps_its_lease(backend: Backend) {
    let lease = Duration::from_secs(3);
    let (options, made, go_on) = held();
    let server = TestServer::start(options.backend(backend).core(|core: &mut Config| core.publish_lease = lease)).await;
    let shelf = Shelf::new(&server, "team/notes");
    shelf.put("stable", note("a", "1").file()).await.assert_status(201);
    let core = server.core().clone();
    let slow = tokio::spawn(async move { core.run_one("slow").await });
    soon(made.notified()).await;
    let since = Instant::now();
    while since.elapsed() < lease + lease / 2 {
        assert_eq!(work(&server).await, 0, "somebody else took the job");
    }
    go_on.send(()).expect("one that waits");
    assert!(soon(slow).await.expect("no panic").expect("a database"));
    assert_eq!(shelf.index("stable").await, index_of("stable", &[note("a", "1")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_publication_whose_worker_died_is_taken_over_sooner_than_other_work() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (options, made) = stuck();
        let spans = |core: &mut Config| {
            core.job_lease = Duration::from_secs(3600);
            core.publish_lease = Duration::from_millis(200);
        };
        let server = TestServer::start(options.backend(backend).core(spans)).await;
        let shelf = Shelf::new(&server, "team/notes");
        shelf.put("stable", note("a", "1").file()).await.assert_status(201);
        let core = server.core().clone();
        let died = tokio::spawn(async move { core.run_one("died").await });
        soon(made.notified()).await;
        died.abort();
        assert!(soon(died).await.expect_err("an end").is_cancelled());
        eventually("another does the work", async || work(&server).await > 0).await;
        assert_eq!(shelf.index("stable").await, index_of("stable", &[note("a", "1")]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_worker_that_lost_its_lease_does_not_publish_an_older_index_over_a_newer_one() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (options, made, go_on) = held();
        let server = TestServer::start(options.backend(backend)).await;
        let shelf = Shelf::new(&server, "team/notes");
        let [a, b] = ["a", "b"].map(|name| note(name, "1"));
        shelf.put("stable", a.file()).await.assert_status(201);
        let core = server.core().clone();
        let slow = tokio::spawn(async move { core.run_one("slow").await });
        soon(made.notified()).await;
        // There is more by now, and when the lease has run out another does the work.
        server.end_leases("slow").await;
        shelf.put("stable", b.file()).await.assert_status(201);
        eventually("another does the work", async || work(&server).await > 0).await;
        let both = index_of("stable", &[a, b]);
        assert_eq!(shelf.index("stable").await, both);
        go_on.send(()).expect("one that waits");
        assert!(soon(slow).await.expect("no panic").expect("a database"));
        assert_eq!(shelf.index("stable").await, both);
        server.clock().advance(Duration::from_secs(120));
        work(&server).await;
        assert_eq!(shelf.verified("stable").await.index, both);
        assert!(server.core().jobs(true, 0, 10).await.expect("jobs").is_empty());
    }
}
