//! Backups: a consistent copy of the catalog and of every blob it names, in a form that knows neither engine nor storage.
//!
//! A depot holds
//!
//! ```text
//! snapshots/<time>-<id>/<table>.jsonl.zst   rows as they were at one moment
//! snapshots/<time>-<id>/manifest.json       written last: without it the snapshot is half and counts for nothing
//! snapshots/<time>-<id>/manifest.json.sha256
//! blobs/<algorithm>/<2 hex>/<hex>           bytes, shared by all snapshots
//! wrong/<algorithm>-<hex>                   says that these bytes were found to be others: the next backup copies them again
//! LOCK, readers/                            who is at it: see lease.rs
//! ```
//!
//! The rows come first, then the bytes that they name, which stay in the storage for so long under a pin.

mod blobs;
mod checked;
mod lease;
mod progress;
mod prune;
mod purged;
mod restore;
mod rows;
mod runs;
mod snapshot;
mod verify;
mod write;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use wharf_db::Engine;
use wharf_storage::{Depot, DepotError};
use wharf_types::Digest;

use crate::actor::about;
use crate::{Actor, Core, Error, Result};
pub(crate) use checked::{checked, mismatch};
use lease::Lease;
pub use progress::{Count, Progress};
pub use prune::{Pruned, prune};
pub(crate) use purged::{Gone, note as note_purge};
pub use restore::{Restored, Target as RestoreTarget, restore};
pub(crate) use runs::BACKUP;
pub use runs::Backup;
pub use snapshot::{Missing, Snapshot, TableFile, find, snapshots};
pub(crate) use verify::content_in_rows;
pub use verify::{Finding, Verified, verify};

/// Where a blob lies in a depot.
pub(crate) fn blob_name(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{}/{hex}", shard(digest))
}

/// The folder of a blob in a depot.
fn shard(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), &digest.hex()[..2])
}

/// Where it is said that a blob in a depot is wrong.
const WRONG: &str = "wrong";

fn wrong_name(digest: &Digest) -> String {
    format!("{WRONG}/{}-{}", digest.algorithm().as_str(), digest.hex())
}

/// Says that a blob in the depot is wrong, so that the next backup copies it again. A depot that cannot be written to keeps what it
/// has.
pub(crate) async fn is_wrong(depot: &Arc<dyn Depot>, digest: &Digest) {
    match depot.swap(&wrong_name(digest), None, b"").await {
        Ok(_) => tracing::error!(%digest, "a blob in the backup is damaged; the next backup copies it again"),
        Err(error) => tracing::error!(%digest, %error, "a blob in the backup is damaged, and that could not be noted"),
    }
}

/// Whether a place where snapshots were written has any: it may be the empty folder that a disk is mounted at.
pub(crate) async fn is_still_there(depot: &Arc<dyn Depot>) -> Result<()> {
    if !snapshot::folders(depot).await?.is_empty() {
        return Ok(());
    }
    let place = depot.place();
    Err(Error::Backup(format!("no snapshot is in {place}, though some were written there: is it mounted?")))
}

async fn is_right(depot: &Arc<dyn Depot>, digest: &Digest) -> Result<()> {
    Ok(depot.remove(&wrong_name(digest)).await?)
}

/// The blobs that are said to be wrong.
async fn wrong(depot: &Arc<dyn Depot>) -> Result<HashSet<Digest>> {
    let found = depot.list(WRONG).await?;
    Ok(found.iter().filter_map(|entry| entry.name.replacen('-', ":", 1).parse().ok()).collect())
}

impl Core {
    /// Writes a snapshot into `depot`: rows as they are now, and the bytes they name that are not there yet. A blob whose bytes
    /// are damaged or gone does not end it; the snapshot names it as missing.
    ///
    /// `run` tells snapshots apart that begin in the same second, and what an earlier try of the same run left is removed.
    ///
    /// # Errors
    /// [`DepotError::Busy`] while others write to the depot; those of database, storage and depot. Then there is no snapshot, and older ones are as they were.
    pub async fn back_up(&self, depot: &Arc<dyn Depot>, run: &str, progress: &Progress) -> Result<Snapshot> {
        let lease = Lease::take(depot, &self.inner.clock, &format!("backup {run}")).await?;
        let made = self.back_up_alone(depot, &lease, run, progress).await;
        if let Err(error) = lease.release().await {
            tracing::warn!(%error, "the lease of the backup directory was not given back: it ends by itself");
        }
        made
    }

    /// The same by whoever has the data of a server that is stopped. The line of the audit log is in the backup too.
    ///
    /// # Errors
    /// As [`Core::back_up`].
    pub async fn back_up_offline(&self, depot: &Arc<dyn Depot>, run: &str, progress: &Progress) -> Result<Snapshot> {
        let line = Actor::offline().did_to_server("backup.create", self.inner.clock.now());
        self.write_line(about(line, Some(depot.place()), None)).await?;
        self.back_up(depot, run, progress).await
    }

    async fn back_up_alone(
        &self,
        depot: &Arc<dyn Depot>,
        lease: &Lease,
        run: &str,
        progress: &Progress,
    ) -> Result<Snapshot> {
        snapshot::remove_halves_of(depot, run).await?;
        // Pulls are acknowledged before they are written down: here now, by others within that time.
        let others = if self.inner.db.engine() == Engine::Postgres {
            self.inner.config.access_flush * 2
        } else {
            Duration::ZERO
        };
        let mark = self.inner.clock.now().before(others);
        self.flush_accesses().await?;
        // Before the rows are taken: what they name stays until it is copied.
        let pin = self.pin(&format!("backup {run}")).await?;
        let mut snapshot = write::tables(&self.inner, depot, run, progress).await?;
        snapshot.mark = snapshot.mark.min(mark);
        let copied = blobs::copy(self, depot, &mut snapshot, lease, progress).await?;
        pin.check()?;
        pin.release().await?;
        snapshot.missing.extend(copied);
        snapshot.missing.sort_by_key(|missing| missing.digest.to_bytes());
        snapshot.finished_at = self.inner.clock.now();
        // What counts must be there: whoever knows of no lease may have tidied up meanwhile.
        snapshot::check_tables(depot, &snapshot).await?;
        blobs::check(depot, &snapshot).await?;
        lease.confirm().await?;
        snapshot::finish(depot, &snapshot).await?;
        Ok(snapshot)
    }
}

impl From<DepotError> for Error {
    fn from(error: DepotError) -> Self {
        Self::Depot(error)
    }
}
