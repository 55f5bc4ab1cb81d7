//! Where the servers of these tests keep rows.

use std::time::Duration;

use wharf_core::Config;
use wharf_testkit::{Options, TestServer};
use wharf_wire::{Door, Mounted};
use wharf_yum::Yum;

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
                crate::backend::holds(wharf_testkit::Backend::$backend, super::$fact).await;
            })*
        }
    };
}

pub(crate) use {facts_on, on_every_database};

/// Lets a new server, with short pieces that are published at once, show the fact.
pub(crate) async fn holds(backend: wharf_testkit::Backend, fact: impl AsyncFnOnce(&TestServer)) {
    let options = Options::new()
        .door(|| Box::new(Mounted::new(Yum::with_pieces_of(4000))) as Box<dyn Door>)
        .core(|core: &mut Config| core.publish_delay = Duration::ZERO)
        .backend(backend);
    let server = TestServer::start(options).await;
    Box::pin(fact(&server)).await;
}
