//! Indexes that cannot be made: tried again, given up, asked for anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures_util::FutureExt;
use http::Method;
use wharf_core::{Config, IndexError, Job};
use wharf_testkit::{Backend, TestServer};

use crate::backend::{with, work};
use crate::hooked::{Hooked, When};
use crate::note::{index_of, note};
use crate::shelf::Shelf;

const A_SECOND: Duration = Duration::from_secs(1);
const HOURS: Duration = Duration::from_secs(5 * 60 * 60);
const ATTEMPTS: u64 = 3;

/// What goes wrong with the index of a channel that has a package of the name `unlucky`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Error,
    Panic,
}

/// A server and how often it will go wrong yet.
struct Unlucky {
    server: TestServer,
    left: Arc<AtomicUsize>,
}

impl Unlucky {
    async fn start(backend: Backend, times: usize, trouble: Trouble) -> Self {
        let left = Arc::new(AtomicUsize::new(times));
        let counter = Arc::clone(&left);
        let hooked = Hooked::new(When::Before, move |publication| {
            let left = Arc::clone(&counter);
            async move {
                let packages = publication.packages("", 100).await?;
                let unlucky = packages.iter().any(|package| package.name == "unlucky");
                if unlucky && left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                    assert!(trouble == Trouble::Error, "told to panic");
                    return Err(IndexError::Format("an unlucky package".to_owned()));
                }
                Ok(())
            }
            .boxed()
        });
        let options = with(hooked).without_workers().core(|core: &mut Config| core.job_attempts = ATTEMPTS);
        Self { server: TestServer::start(options.backend(backend)).await, left }
    }

    /// Tries until it is given up.
    async fn give_up(&self) {
        for _ in 0..ATTEMPTS {
            assert_eq!(work(&self.server).await, 1);
            self.server.clock().advance(HOURS);
        }
    }

    async fn open(&self) -> Vec<Job> {
        self.server.core().jobs(false, 0, 10).await.expect("jobs")
    }

    async fn dead(&self) -> Vec<Job> {
        self.server.core().jobs(true, 0, 10).await.expect("jobs")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_fails_twice_is_made_the_third_time() {
    for (backend, trouble) in [
        (Backend::Sqlite, Trouble::Error),
        (Backend::Sqlite, Trouble::Panic),
        (Backend::Postgres, Trouble::Error),
        (Backend::Postgres, Trouble::Panic),
    ] {
        let unlucky = Unlucky::start(backend, 2, trouble).await;
        let shelf = Shelf::new(&unlucky.server, "team/notes");
        let notes = ["lucky", "unlucky"].map(|name| note(name, "1"));
        shelf.put("stable", notes[0].file()).await.assert_status(201);
        assert_eq!(work(&unlucky.server).await, 1);
        shelf.put("stable", notes[1].file()).await.assert_status(201);
        unlucky.server.clock().advance(HOURS);
        for (attempt, pause) in [(1, A_SECOND), (2, 2 * A_SECOND)] {
            let before = unlucky.server.clock().now();
            assert_eq!(work(&unlucky.server).await, 1);
            let [job] = &unlucky.open().await[..] else { panic!("one job") };
            assert_eq!((job.key.as_str(), job.attempts), ("text team/notes stable", attempt));
            assert!(job.due_at >= before.after(pause) && job.last_error.is_some(), "{job:?}");
            // What was published stays.
            assert_eq!(shelf.verified("stable").await.index, notes[0].entry("stable"));
            unlucky.server.clock().advance(HOURS);
        }
        assert_eq!(work(&unlucky.server).await, 1);
        assert_eq!(shelf.verified("stable").await.index, index_of("stable", &notes));
        assert!(unlucky.open().await.is_empty() && unlucky.dead().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hopeless_index_is_given_up_and_can_be_asked_for_again() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let unlucky = Unlucky::start(backend, usize::MAX, Trouble::Error).await;
        let shelf = Shelf::new(&unlucky.server, "team/notes");
        let package = note("unlucky", "1");
        shelf.put("stable", package.file()).await.assert_status(201);
        unlucky.give_up().await;
        assert!(unlucky.open().await.is_empty());
        let [dead] = &unlucky.dead().await[..] else { panic!("one job that was given up") };
        assert_eq!((dead.key.as_str(), dead.attempts), ("text team/notes stable", ATTEMPTS));
        assert_eq!(dead.last_error.as_deref(), Some("the index was not published: an unlucky package"));
        // Who waits is told at once, and not what it is: that is in the log.
        let told = shelf.client.put(&shelf.path("stable/upload?wait=1"), package.file()).await;
        let text = told.assert_status(503).assert_header("retry-after", "2").text();
        assert!(text.starts_with("the change was made") && !text.contains("unlucky"), "{text}");
        unlucky.left.store(0, Relaxed);
        let retry = unlucky.server.admin().request(Method::POST, &format!("/api/v1/jobs/{}/retry", dead.id));
        retry.send().await.assert_status(204);
        assert_eq!(work(&unlucky.server).await, 1);
        assert_eq!(shelf.verified("stable").await.index, package.entry("stable"));
        assert!(unlucky.open().await.is_empty() && unlucky.dead().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_is_forgotten_when_a_later_index_is_made() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let unlucky = Unlucky::start(backend, usize::MAX, Trouble::Error).await;
        let shelf = Shelf::new(&unlucky.server, "team/notes");
        let [package, other] = ["unlucky", "other"].map(|name| note(name, "1"));
        for channel in ["stable", "edge"] {
            shelf.put(channel, package.file()).await.assert_status(201);
            unlucky.give_up().await;
        }
        assert_eq!(unlucky.dead().await.len(), 2);
        unlucky.left.store(0, Relaxed);
        shelf.put("stable", other.file()).await.assert_status(201);
        assert_eq!(work(&unlucky.server).await, 1);
        let again = shelf.client.put(&shelf.path("stable/upload?wait=1"), package.file()).await;
        again.assert_status(200);
        let [dead] = &unlucky.dead().await[..] else { panic!("one job that was given up") };
        assert_eq!(dead.key, "text team/notes edge");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_broken_channel_holds_up_no_other() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let unlucky = Unlucky::start(backend, usize::MAX, Trouble::Error).await;
        let shelf = Shelf::new(&unlucky.server, "team/notes");
        shelf.put("edge", note("unlucky", "1").file()).await.assert_status(201);
        assert_eq!(work(&unlucky.server).await, 1);
        let fine = note("fine", "1");
        shelf.put("stable", fine.file()).await.assert_status(201);
        assert_eq!(work(&unlucky.server).await, 1);
        assert_eq!(shelf.verified("stable").await.index, fine.entry("stable"));
        shelf.get("edge/Index").await.assert_status(404);
    }
}
