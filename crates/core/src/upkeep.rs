//! Whether the work behind the scenes is done, for whoever is woken if it is not. Asked of the database, so that each server and each
//! process says the same.

use wharf_db::catalog::{backups, jobs, scrub};
use wharf_types::Timestamp;

use crate::collect::{CollectionState, PURGE};
use crate::{Core, Error, Result};

/// How the work behind the scenes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upkeep {
    /// Jobs that were given up.
    pub dead_jobs: u64,
    /// Since when the job waits that is due longest and that nobody does.
    pub oldest_job: Option<Timestamp>,
    /// Purges that have not come to their end.
    pub purges: u64,
    /// When the last backup was over that lacks nothing.
    pub backup: Option<Timestamp>,
    /// Blobs that are damaged and not served, counted up to [`CollectionState::MOST`].
    pub damaged: u64,
    /// When the scrub's pass began that is under way or was the last.
    pub scrub_begun: Option<Timestamp>,
    /// When a pass was over last, that one or one before it.
    pub scrub_finished: Option<Timestamp>,
}

impl Core {
    /// How the work behind the scenes stands.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn upkeep(&self) -> Result<Upkeep> {
        let now = self.inner.clock.now();
        let found = self.inner.db.read(&now, |tx, now| {
            Box::pin(async move {
                let work = jobs::standing(tx, *now, PURGE).await?;
                Ok::<_, Error>(Upkeep {
                    dead_jobs: work.dead,
                    oldest_job: work.oldest,
                    purges: work.of_kind,
                    backup: backups::last_whole(tx).await?,
                    damaged: scrub::count_damaged(tx, CollectionState::MOST).await?,
                    scrub_begun: scrub::pass(tx).await?.begun_at,
                    scrub_finished: scrub::last_ended(tx).await?,
                })
            })
        });
        found.await
    }
}
