//! Where the servers of these tests keep rows, and how they begin and end.

use std::time::Duration;

use wharf_core::Config;
use wharf_testkit::{Backend, Options, TestServer};
use wharf_text::Text;
use wharf_wire::{Door, Mounted, Protocol};

/// Makes a test of each `async fn(&TestServer)` named, on both databases, against a server with these options.
macro_rules! on_every_database {
    (with $options:path; $($fact:ident),* $(,)?) => {
        crate::backend::facts_on! { sqlite(Sqlite), $options; $($fact),* }
        crate::backend::facts_on! { postgres(Postgres), $options; $($fact),* }
    };
    ($($fact:ident),* $(,)?) => {
        crate::backend::on_every_database! { with crate::backend::options; $($fact),* }
    };
}

macro_rules! facts_on {
    ($name:ident($backend:ident), $options:path; $($fact:ident),*) => {
        mod $name {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                let options = $options().backend(wharf_testkit::Backend::$backend);
                crate::backend::holds(options, super::$fact).await;
            })*
        }
    };
}

pub(crate) use {facts_on, on_every_database};

/// Longer than an object may lie in the storage without a row.
const A_DAY_LATER: Duration = Duration::from_secs(25 * 60 * 60);
/// Longer than any server takes that works: a test that waits for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with short segments that publishes each change at once.
pub(crate) fn options() -> Options {
    with(Text::with_pieces_of(600)).core(|core: &mut Config| core.publish_delay = Duration::ZERO)
}

/// The same without anybody who does jobs but the test.
pub(crate) fn idle() -> Options {
    options().without_workers()
}

/// The same with pieces that are too large for a row.
pub(crate) fn idle_with_large_pieces() -> Options {
    with(Text::with_pieces_of(20_000)).core(|core: &mut Config| core.publish_delay = Duration::ZERO).without_workers()
}

/// A server with this format beside OCI.
pub(crate) fn with(format: impl Protocol + Clone) -> Options {
    Options::new().door(move || Box::new(Mounted::new(format.clone())) as Box<dyn Door>)
}

/// A server with this format, on each database.
pub(crate) async fn servers(options: impl Fn() -> Options) -> [TestServer; 2] {
    let on = |backend| TestServer::start(options().backend(backend));
    [on(Backend::Sqlite).await, on(Backend::Postgres).await]
}

/// Lets a new server show the fact. Afterwards no index waits to be made, and nothing lies in the storage that no row points at.
pub(crate) async fn holds(options: Options, fact: impl AsyncFnOnce(&TestServer)) {
    let has_workers = options.workers;
    let server = TestServer::start(options).await;
    Box::pin(fact(&server)).await;
    if has_workers {
        eventually("nothing is left to be published", async || open_jobs(&server).await == 0).await;
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

/// How many indexes wait to be made or are being made.
pub(crate) async fn open_jobs(server: &TestServer) -> usize {
    let open = server.core().jobs(false, 0, 1000).await.expect("jobs");
    open.iter().filter(|job| job.kind == "publish").count()
}

/// Does the jobs that are due. Says how many there were.
pub(crate) async fn work(server: &TestServer) -> usize {
    let mut done = 0;
    while server.core().run_one("test").await.expect("a database") {
        done += 1;
    }
    done
}

/// Asks until the answer is yes.
pub(crate) async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !ask().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asking).await.is_ok(), "it never came to pass that {what}");
}

/// What comes to pass.
pub(crate) async fn soon<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.expect("it comes to pass")
}
