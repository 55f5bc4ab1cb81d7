//! Where the servers of these tests keep rows, and how work is done for them.

use std::time::Duration;

use wharf_core::Config;
use wharf_helm::Helm;
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
                let server = wharf_testkit::TestServer::start(options).await;
                Box::pin(super::$fact(&server)).await;
            })*
        }
    };
}

pub(crate) use {facts_on, on_every_database};

/// A server with short pieces of the index, on which the test does the work of the background.
pub(crate) fn options() -> Options {
    let helm = || Box::new(Mounted::new(Helm::with_pieces_of(400))) as Box<dyn Door>;
    Options::new().door(helm).core(|core: &mut Config| core.publish_delay = Duration::ZERO).without_workers()
}

/// Does the jobs that are due. Says how many there were.
pub(crate) async fn work(server: &TestServer) -> usize {
    let mut done = 0;
    while server.core().run_one("test").await.expect("a database") {
        done += 1;
    }
    let dead = server.core().jobs(true, 0, 10).await.expect("jobs");
    assert!(dead.is_empty(), "{dead:?}");
    for job in server.core().jobs(false, 0, 100).await.expect("jobs") {
        assert!(job.last_error.is_none(), "{job:?}");
    }
    done
}
