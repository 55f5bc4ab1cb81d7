//! How the collector is doing, for metrics and for people.

use std::sync::atomic::Ordering::Relaxed;

use wharf_db::catalog::{bin, doomed, pins, reviews};
use wharf_types::Timestamp;

use super::Collected;
use crate::{Core, Error, Result};

/// What waits for the collector, and what it has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionState {
    /// Reviews that are due, counted up to [`CollectionState::MOST`].
    pub due: u64,
    /// Since when the first of them is.
    pub oldest: Option<Timestamp>,
    /// Objects whose blobs are gone, counted up to the same.
    pub doomed: u64,
    /// Bytes of those that were counted.
    pub doomed_bytes: u64,
    /// Entries of the bin that can be restored, counted up to the same.
    pub bin: u64,
    /// Since when the first entry of the bin waits whose time is up.
    pub bin_overdue: Option<Timestamp>,
    /// Who keeps doomed objects from going.
    pub pins: Vec<String>,
    /// What this process has collected since it started; reviews are not counted.
    pub collected: Collected,
    /// How often it had to stop early.
    pub failures: u64,
    /// When it last looked, if it has.
    pub last_run: Option<Timestamp>,
}

impl CollectionState {
    /// Counting ends here: it costs time, and beyond it one only wants to know that it is much.
    pub const MOST: i64 = 100_000;
}

impl Core {
    /// How the collector is doing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn collection_state(&self) -> Result<CollectionState> {
        let now = self.inner.clock.now();
        let found = self.inner.db.read(&now, |tx, now| {
            Box::pin(async move {
                let backlog = reviews::backlog(tx, *now, CollectionState::MOST).await?;
                let doomed = doomed::waiting(tx, CollectionState::MOST).await?;
                let bin = bin::backlog(tx, *now, CollectionState::MOST).await?;
                Ok::<_, Error>((backlog, doomed, bin, pins::living(tx, 100).await?))
            })
        });
        let ((oldest, due), (doomed, doomed_bytes), (bin, bin_overdue), pins) = found.await?;
        let (tally, counted) = (&self.inner.tally, |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed));
        let collected = Collected {
            reviewed: 0,
            hidden: counted(&tally.hidden),
            links: counted(&tally.links),
            blobs: counted(&tally.blobs),
            bytes: counted(&tally.bytes),
            objects: counted(&tally.objects),
            freed: counted(&tally.freed),
        };
        let last_run = Some(tally.last_run.load(Relaxed)).filter(|&millis| millis > 0).map(Timestamp::from_millis);
        let pins = pins.into_iter().map(|pin| pin.holder).collect();
        let failures = counted(&tally.failures);
        Ok(CollectionState { due, oldest, doomed, doomed_bytes, bin, bin_overdue, pins, collected, failures, last_run })
    }
}
