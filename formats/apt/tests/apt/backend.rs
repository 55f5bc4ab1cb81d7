//! Where the servers of these tests keep rows, and how they begin and end.

use std::time::Duration;

use wharf_apt::Apt;
use wharf_core::Config;
use wharf_testkit::{Options, TestServer};
use wharf_wire::{Door, Mounted};

/// Makes a test of each `async fn(&TestServer)` named, on both databases.
macro_rules! on_every_database {
    ($($fact:ident),* $(,)?) => {
        crate::backend::facts_on! { sqlite(Sqlite); $($fact),* }
        crate::backend::facts_on! { postgres(Postgres); $($fact),* }
    };
}

macro_rules! facts_on {
    ($name:ident($backend:ident); $($fact:ident),*) => {
        mod $name {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                let options = crate::backend::options().backend(wharf_testkit::Backend::$backend);
                crate::backend::holds(options, super::$fact).await;
            })*
        }
    };
}

pub(crate) use {facts_on, on_every_database};

/// Longer than an object may lie in the storage without a row.
const A_DAY_LATER: Duration = Duration::from_secs(25 * 60 * 60);

/// A server with short pieces that publishes each change at once.
pub(crate) fn options() -> Options {
    let door = || Box::new(Mounted::new(Apt::with_pieces_of(2000))) as Box<dyn Door>;
    Options::new().door(door).core(|core: &mut Config| core.publish_delay = Duration::ZERO)
}

/// Lets a new server show the fact. Afterwards nothing lies in the storage that no row points at.
pub(crate) async fn holds(options: Options, fact: impl AsyncFnOnce(&TestServer)) {
    let server = TestServer::start(options).await;
    Box::pin(fact(&server)).await;
    while server.core().jobs(false, 0, 1000).await.expect("jobs").iter().any(|job| job.kind == "publish") {
        tokio::task::yield_now().await;
    }
    let before = objects(&server).await;
    server.clock().advance(A_DAY_LATER);
    server.core().sweep().await.expect("a sweep");
    assert_eq!(objects(&server).await, before, "no row points at what the sweep has removed");
}

/// The keys of all objects, finished or not.
pub(crate) async fn objects(server: &TestServer) -> Vec<String> {
    let found = server.storage().survey(None, 100_000).await.expect("a survey");
    found.iter().map(|object| object.key.to_string()).collect()
}
