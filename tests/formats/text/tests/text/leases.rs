//! Two workers on one channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use wharf_testkit::{Backend, Options, TestServer};

use crate::backend::{soon, with, work};
use crate::hooked::{Hooked, When};
use crate::note::{index_of, note};
use crate::shelf::Shelf;

/// Longer than a lease.
const LATE: Duration = Duration::from_secs(120);

/// A server whose first index, once it is put together, says so and waits until it is told to go on.
fn held() -> (Options, Arc<Notify>, Arc<Notify>) {
    let (made, go_on, first) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicBool::new(true)));
    let hooks = (Arc::clone(&made), Arc::clone(&go_on));
    let hooked = Hooked::new(When::After, move |_| {
        let ((made, go_on), held) = (hooks.clone(), first.swap(false, Relaxed));
        async move {
            if held {
                made.notify_one();
                go_on.notified().await;
            }
            Ok(())
        }
        .boxed()
    });
    (with(hooked).without_workers(), made, go_on)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
        // Its lease runs out, and another does the work, which is more by now.
        shelf.put("stable", b.file()).await.assert_status(201);
        server.clock().advance(LATE);
        assert!(server.core().run_one("other").await.expect("a database"));
        let both = index_of("stable", &[a, b]);
        assert_eq!(shelf.index("stable").await, both);
        go_on.notify_one();
        assert!(soon(slow).await.expect("no panic").expect("a database"));
        assert_eq!(shelf.index("stable").await, both);
        server.clock().advance(LATE);
        work(&server).await;
        assert_eq!(shelf.verified("stable").await.index, both);
        assert!(server.core().jobs(true, 0, 10).await.expect("jobs").is_empty());
    }
}
