//! Backups: a consistent copy of the catalog and of every blob it names, in a form that knows neither engine nor storage.
//!
//! A depot holds
//!
//! ```text
//! snapshots/<time>-<id>/<table>.jsonl.zst   rows as they were at one moment
//! snapshots/<time>-<id>/manifest.json       written last: without it the snapshot is half and counts for nothing
//! blobs/<algorithm>/<2 hex>/<hex>           bytes, shared by all snapshots
//! ```
//!
//! The rows come first, then the bytes that they name, which stay in the storage for so long under a pin.

mod blobs;
mod checked;
mod progress;
mod prune;
mod restore;
mod rows;
mod runs;
mod snapshot;
mod verify;
mod write;

use std::sync::Arc;

use wharf_storage::{Depot, DepotError};
use wharf_types::Digest;

use crate::{Core, Error, Result};
pub(crate) use checked::{checked, mismatch};
pub use progress::{Count, Progress};
pub use prune::{Pruned, prune};
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

impl Core {
    /// Writes a snapshot into `depot`: rows as they are now, and the bytes they name that are not there yet. A blob whose bytes
    /// are damaged or gone does not end it; the snapshot names it as missing.
    ///
    /// `run` tells snapshots apart that begin in the same second, and what an earlier try of the same run left is removed.
    ///
    /// # Errors
    /// Those of database, storage and depot. Then there is no snapshot, and older ones are as they were.
    pub async fn back_up(&self, depot: &Arc<dyn Depot>, run: &str, progress: &Progress) -> Result<Snapshot> {
        snapshot::remove_halves_of(depot, run).await?;
        // Pulls are acknowledged before they are written down.
        self.flush_accesses().await?;
        // Before the rows are taken: what they name stays until it is copied.
        let pin = self.pin(&format!("backup {run}")).await?;
        let mut snapshot = write::tables(&self.inner, depot, run, progress).await?;
        let copied = blobs::copy(self, depot, &snapshot, progress).await?;
        pin.check()?;
        pin.release().await?;
        snapshot.missing.extend(copied);
        snapshot.missing.sort_by_key(|missing| missing.digest.to_bytes());
        snapshot.finished_at = self.inner.clock.now();
        snapshot::finish(depot, &snapshot).await?;
        Ok(snapshot)
    }
}

impl From<DepotError> for Error {
    fn from(error: DepotError) -> Self {
        Self::Depot(error)
    }
}
