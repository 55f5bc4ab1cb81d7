//! The collector: what nothing uses any more goes, while everything else goes on.
//!
//! Whatever loses a reference gets a row in `reviews`, in the transaction that takes the reference away. The collector of each
//! replica leases rows that are due and asks by index who still uses the digest; there is no mark phase, no leader and no pause.
//! A link goes in two steps (`review.rs`), a blob's row before its bytes (`removal.rs`), a deleted repository a few rows at a
//! time (`destroy.rs`). Links that no manifest ever used are found by their age. Every step is one short transaction and can be
//! the last one before a crash.

pub(crate) mod destroy;
mod outlook;
mod pace;
mod pin;
mod preview;
mod purge;
mod removal;
mod review;
mod state;
mod why;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wharf_types::Timestamp;

use pace::Brake;
pub(crate) use pace::Pace;

pub(crate) use destroy::{DESTROY, ask_to_destroy};
pub use outlook::{Outlook, Waiting};
pub use pin::Pin;
pub use preview::{Candidate, Fate, Preview};
pub use purge::{Broken, Purge, Purged, Purging};
pub(crate) use purge::{PURGE, PurgedBefore, ask_to_purge};
pub use state::CollectionState;
pub use why::{Holder, Kept};

use crate::{Actor, Core, Result};

/// How much the collector may do, and when.
#[derive(Debug, Clone)]
pub struct Collection {
    /// How long a link that nothing uses is hidden before it goes. It must be longer than the longest push: a client that has
    /// found a layer here just before still names it in its manifest.
    pub grace: Duration,
    /// How long bytes stay after their row is gone, for pulls under way.
    pub wait: Duration,
    /// How many reviews are leased at once.
    pub batch: u32,
    /// The most rows a second.
    pub rate: u32,
    /// The most bytes a second that are removed from the storage.
    pub byte_rate: u64,
}

impl Default for Collection {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(24 * 60 * 60),
            wait: Duration::from_secs(15 * 60),
            batch: 256,
            rate: 6500,
            byte_rate: 4 << 30,
        }
    }
}

/// What a run of the collector did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Reviews that were looked at, and links that were found by their age.
    pub reviewed: u64,
    /// Links that were hidden: they go when their grace is over and nothing has named them.
    pub hidden: u64,
    /// Links that are gone.
    pub links: u64,
    /// Blobs that are gone.
    pub blobs: u64,
    /// Bytes of those blobs. Those in a storage are freed a little later.
    pub bytes: u64,
    /// Objects that were removed from the storage.
    pub objects: u64,
    /// Bytes of those objects.
    pub freed: u64,
}

impl Collected {
    fn add(&mut self, more: &Self) {
        self.reviewed += more.reviewed;
        self.hidden += more.hidden;
        self.links += more.links;
        self.blobs += more.blobs;
        self.bytes += more.bytes;
        self.objects += more.objects;
        self.freed += more.freed;
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What this process has collected since it started.
#[derive(Default)]
pub(crate) struct Tally {
    hidden: AtomicU64,
    links: AtomicU64,
    blobs: AtomicU64,
    bytes: AtomicU64,
    objects: AtomicU64,
    freed: AtomicU64,
    failures: AtomicU64,
    last_run: AtomicI64,
    /// One run at a time in a process: who asks for one waits until what runs has come to its end.
    turn: tokio::sync::Mutex<()>,
}

impl Tally {
    fn count(&self, done: &Collected) {
        self.hidden.fetch_add(done.hidden, Relaxed);
        self.links.fetch_add(done.links, Relaxed);
        self.blobs.fetch_add(done.blobs, Relaxed);
        self.bytes.fetch_add(done.bytes, Relaxed);
        self.objects.fetch_add(done.objects, Relaxed);
        self.freed.fetch_add(done.freed, Relaxed);
    }
}

impl Core {
    /// The collector of this process. Finds what is due by itself, so nobody has to wake it.
    pub(crate) async fn keep_collecting(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.inner.config.job_poll) => {}
            }
            if let Err(error) = self.collect_until(&stop, None).await {
                self.inner.tally.failures.fetch_add(1, Relaxed);
                tracing::warn!(%error, "the collector stopped early and will go on");
            }
        }
    }

    /// The same as [`Core::collect`] for somebody who asks for it, which is written down before anything goes.
    ///
    /// # Errors
    /// Those of storage and database; what was done until then stays done.
    pub async fn collect_for(&self, actor: &Actor, budget: Option<Duration>) -> Result<(Collected, bool)> {
        self.write_line(actor.did_to_server("collection.run", self.inner.clock.now())).await?;
        self.collect(budget).await
    }

    /// Collects what is due now and says what went. With a budget it may end before everything is done: then the flag is true.
    ///
    /// # Errors
    /// Those of storage and database; what was done until then stays done.
    pub async fn collect(&self, budget: Option<Duration>) -> Result<(Collected, bool)> {
        self.collect_until(&CancellationToken::new(), budget).await
    }

    async fn collect_until(&self, stop: &CancellationToken, budget: Option<Duration>) -> Result<(Collected, bool)> {
        let _turn = self.inner.tally.turn.lock().await;
        let (mut all, begun, brake) =
            (Collected::default(), Instant::now(), Brake::new(&self.inner.config.collection, stop));
        let mut more = true;
        while more && !stop.is_cancelled() && budget.is_none_or(|budget| begun.elapsed() < budget) {
            let done = self.collect_some(&brake).await?;
            more = !done.is_nothing();
            all.add(&done);
        }
        let now: Timestamp = self.inner.clock.now();
        self.inner.tally.last_run.store(now.as_millis(), Relaxed);
        if !all.is_nothing() {
            tracing::info!(
                links = all.links,
                blobs = all.blobs,
                bytes = all.bytes,
                objects = all.objects,
                freed = all.freed,
                "collected"
            );
        }
        Ok((all, more))
    }

    /// One batch of everything that is due. Nothing done means that nothing is left. The three do not need each other, and on
    /// SQLite they share commits when they go side by side.
    async fn collect_some(&self, brake: &Brake<'_>) -> Result<Collected> {
        let (mut done, mut aged, mut removed) = (Collected::default(), Collected::default(), Collected::default());
        let (passed, reviewed, freed) = tokio::join!(
            self.look_at_links(&mut aged, brake),
            self.review_some(&mut done, brake),
            self.remove_some(&mut removed, brake)
        );
        done.add(&aged);
        done.add(&removed);
        passed.and(reviewed).and(freed)?;
        Ok(done)
    }
}
