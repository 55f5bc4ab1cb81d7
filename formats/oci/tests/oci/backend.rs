//! Where the servers of these tests keep rows and bytes.

use wharf_testkit::{Backend, Options, Store, TestServer};

use crate::remains;

/// Makes a test of each `async fn(&TestServer)` named, on every pair of backends.
macro_rules! on_every_backend {
    ($($fact:ident),* $(,)?) => {
        crate::backend::facts_on! { sqlite_memory(Sqlite, Memory): $($fact),* }
        crate::backend::facts_on! { sqlite_files(Sqlite, Files): $($fact),* }
        crate::backend::facts_on! { postgres_memory(Postgres, Memory): $($fact),* }
        crate::backend::facts_on! { postgres_bucket(Postgres, Bucket): $($fact),* }
    };
}

/// The same for facts in which no bytes go to the storage.
macro_rules! on_every_database {
    ($($fact:ident),* $(,)?) => {
        crate::backend::facts_on! { sqlite(Sqlite, Memory): $($fact),* }
        crate::backend::facts_on! { postgres(Postgres, Memory): $($fact),* }
    };
}

macro_rules! facts_on {
    ($name:ident($backend:ident, $store:ident): $($fact:ident),*) => {
        mod $name {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                let (backend, store) = (wharf_testkit::Backend::$backend, wharf_testkit::Store::$store);
                crate::backend::holds(backend, store, super::$fact).await;
            })*
        }
    };
}

pub(crate) use {facts_on, on_every_backend, on_every_database};

/// A server without jobs: what they would do in between is none of these tests' business.
pub(crate) fn options() -> Options {
    Options::new().without_workers()
}

/// Lets a new server show the fact.
pub(crate) async fn holds(backend: Backend, store: Store, fact: impl AsyncFnOnce(&TestServer)) {
    let server = TestServer::start(options().backend(backend).store(store)).await;
    Box::pin(fact(&server)).await;
    remains::assert_nothing_unreferenced(&server).await;
}
