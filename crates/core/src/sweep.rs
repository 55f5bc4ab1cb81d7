//! The sweep: what crashes and absent clients leave behind. Runs as a job, so one replica does it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wharf_db::Durability;
use wharf_db::catalog::{blobs, events, jobs, uploads};
use wharf_storage::ObjectKey;
use wharf_types::Timestamp;

use crate::upload::Session;
use crate::{Core, Error, Result};

/// The kind of the job.
pub(crate) const SWEEP: &str = "sweep";

const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// An object is written before the row that points at it. One that no row points at for so long was left by a crash.
const OBJECT_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

impl Core {
    /// Asks for a sweep at start and each hour; asking while one waits changes nothing.
    pub(crate) async fn ask_for_sweeps(self, stop: CancellationToken) {
        loop {
            let args = self.inner.clock.now();
            let asked = self.inner.db.write(Durability::Relaxed, args, |tx, at: &Timestamp| {
                Box::pin(jobs::enqueue(tx, SWEEP, "", "{}", *at, *at))
            });
            if let Err(error) = asked.await {
                tracing::warn!(%error, "no sweep could be asked for");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Forgets abandoned uploads, objects nobody points at, and old events.
    ///
    /// # Errors
    /// Those of storage and database; what was done until then stays done.
    pub async fn sweep(&self) -> Result<()> {
        let now = self.inner.clock.now();
        self.forget_abandoned(now.before(self.inner.config.upload_expiry)).await?;
        self.remove_orphans(now.before(OBJECT_GRACE)).await?;
        let before = now.before(self.inner.config.event_retention);
        let trimmed = self.inner.db.write(Durability::Relaxed, before, |tx, before| Box::pin(events::trim(tx, *before)));
        trimmed.await.map_err(Error::from)?;
        Ok(())
    }

    async fn forget_abandoned(&self, before: Timestamp) -> Result<()> {
        const STEP: i64 = 100;
        loop {
            let rows = self.inner.db.read(&before, |tx, before| Box::pin(uploads::abandoned(tx, *before, STEP))).await;
            let rows = rows.map_err(Error::from)?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                self.forget(Session::from_row(row)?).await?;
            }
        }
    }

    async fn remove_orphans(&self, before: Timestamp) -> Result<()> {
        const STEP: usize = 1000;
        let mut after: Option<ObjectKey> = None;
        loop {
            let found = self.inner.storage.survey(after.as_ref(), STEP).await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = Some(last.key.clone());
            for object in found.into_iter().filter(|object| object.modified < before) {
                let key = object.key.to_string();
                let used = self.inner.db.read(&key, |tx, key| Box::pin(blobs::object_in_use(tx, key))).await;
                if !used.map_err(Error::from)? {
                    tracing::info!(object = key, object.size, "removing an object that no row points at");
                    self.inner.storage.discard(&object.key, &wharf_storage::Progress::default()).await?;
                    self.inner.storage.remove(&[object.key]).await?;
                }
            }
        }
    }
}
