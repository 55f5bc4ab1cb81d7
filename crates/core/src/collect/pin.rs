//! Pins: while one lives, no object goes that was doomed after it was made. Backups hold one while they copy.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wharf_db::Durability;
use wharf_db::catalog::pins;
use wharf_types::Timestamp;

use crate::{Core, Error, Result};

/// How far a pin reaches back behind the moment it was made: a transaction may commit later than its time says, and the clocks
/// of replicas differ.
const REACH: Duration = Duration::from_secs(10 * 60);

/// Objects stay while this lives. Dropping it without [`Pin::release`] ends it when its lease runs out, as does the end of the
/// process.
#[derive(Debug)]
pub struct Pin {
    core: Core,
    id: i64,
    since: Timestamp,
    lost: CancellationToken,
    heartbeat: JoinHandle<()>,
}

impl Core {
    /// Makes a pin, which lives from here on. Whatever a snapshot of the catalog that is taken afterwards names can be read from
    /// the storage until the pin ends, unless it is purged. `holder` is shown to people.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn pin(&self, holder: &str) -> Result<Pin> {
        let id = i64::from_le_bytes(self.inner.entropy.bytes()) & i64::MAX;
        let since = self.inner.clock.now().before(REACH);
        let span = self.inner.config.job_lease;
        let made = self.inner.db.write(
            Durability::Full,
            (id, holder.to_owned(), since, span),
            |tx, (id, holder, since, span)| Box::pin(pins::insert(tx, *id, holder, *since, *span)),
        );
        made.await.map_err(Error::from)?;
        let lost = CancellationToken::new();
        let heartbeat = tokio::spawn(self.clone().keep_pin(id, lost.clone()));
        Ok(Pin { core: self.clone(), id, since, lost, heartbeat })
    }

    /// Ends only when the pin is lost.
    async fn keep_pin(self, id: i64, lost: CancellationToken) {
        let span = self.inner.config.job_lease;
        loop {
            tokio::time::sleep(span / 3).await;
            let kept = self
                .inner
                .db
                .write(Durability::Relaxed, (id, span), |tx, (id, span)| Box::pin(pins::heartbeat(tx, *id, *span)));
            // A database that is away for a moment is no loss; one that was away for longer finds the pin expired.
            if matches!(kept.await, Ok(false)) {
                lost.cancel();
                return;
            }
        }
    }
}

impl Pin {
    /// Objects doomed after this stay.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether it still lives: to be asked before what it kept is relied upon.
    ///
    /// # Errors
    /// [`Error::PinLost`] if it ended, because its database was away for longer than a lease, or by a purge.
    pub fn check(&self) -> Result<()> {
        if self.lost.is_cancelled() { Err(Error::PinLost) } else { Ok(()) }
    }

    /// Ends it.
    ///
    /// # Errors
    /// Those of the database; then it ends with its lease.
    pub async fn release(self) -> Result<()> {
        self.heartbeat.abort();
        let removed =
            self.core.inner.db.write(Durability::Relaxed, self.id, |tx, id| Box::pin(pins::remove(tx, *id))).await;
        removed.map_err(Error::from)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}
