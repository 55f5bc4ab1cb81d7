//! Taking a deleted repository apart. A job, so that a crash in the middle only delays it; a few rows a transaction, so that a
//! repository with a million tags disturbs nobody. The audit log keeps its name.

use tokio_util::sync::CancellationToken;
use wharf_db::catalog::{destruction, jobs, uploads};
use wharf_db::{Durability, Tx};
use wharf_types::Timestamp;

use super::pace::Pace;
use crate::upload::Session;
use crate::{Core, Error, Result};

/// The kind of the job.
pub(crate) const DESTROY: &str = "destroy";

/// Rows of one transaction.
const STEP: i64 = 64;

/// Asks for a deleted repository to be taken apart, in the transaction that removes it from the bin. Asking twice is asking once.
pub(crate) async fn ask_to_destroy(tx: &mut Tx<'_>, repository: i64, at: Timestamp) -> Result<()> {
    Ok(jobs::enqueue(tx, DESTROY, &repository.to_string(), "{}", at, at).await?)
}

impl Core {
    /// Runs a job of the kind `destroy`.
    pub(crate) async fn destroy(&self, key: &str) -> Result<()> {
        let repository = key.parse().map_err(|_| Error::Inconsistent(format!("{key:?} is no repository's key")))?;
        self.destroy_repository(repository, "repository deleted").await
    }

    /// Removes everything in a repository that was deleted and is not in the bin, in steps of a few rows, and at last its row.
    /// The digests that it held are reviewed at once. A repository that is alive, or may still be restored, is left alone.
    ///
    /// # Errors
    /// Those of storage and database; what was done until then stays done, and the next call goes on from there.
    pub async fn destroy_repository(&self, repository: i64, reason: &str) -> Result<()> {
        let pace = Pace::new();
        self.forget_uploads(repository).await?;
        loop {
            let args = (repository, reason.to_owned(), self.inner.clock.now());
            let more = self.inner.db.write(Durability::Relaxed, args, |tx, (repository, reason, at)| {
                Box::pin(async move {
                    if destruction::may_go(tx, *repository).await? != Some(true) {
                        return Ok::<_, Error>(false);
                    }
                    Ok(destruction::step(tx, *repository, reason, *at, STEP).await?)
                })
            });
            if !more.await? {
                return Ok(());
            }
            let rate = self.inner.config.collection.rate.into();
            pace.keep(STEP.unsigned_abs(), rate, &CancellationToken::new()).await;
        }
    }

    /// Asks for all that was deleted long ago and that no bin would bring back.
    pub(crate) async fn destroy_forgotten(&self, before: Timestamp) -> Result<()> {
        const PAGE: i64 = 100;
        let mut after = 0;
        loop {
            let args = (before, after, self.inner.clock.now());
            let asked = self.inner.db.write(Durability::Relaxed, args, |tx, (before, after, at)| {
                Box::pin(async move {
                    let found = destruction::forgotten(tx, *before, *after, PAGE).await?;
                    for &repository in &found {
                        ask_to_destroy(tx, repository, *at).await?;
                    }
                    Ok::<_, Error>(found.last().copied())
                })
            });
            let Some(last) = asked.await? else { return Ok(()) };
            after = last;
        }
    }

    async fn forget_uploads(&self, repository: i64) -> Result<()> {
        loop {
            let args = repository;
            let rows = self.inner.db.read(&args, |tx, repository| {
                Box::pin(async move {
                    // A repository that came back keeps its uploads.
                    if destruction::may_go(tx, *repository).await? != Some(true) {
                        return Ok::<_, Error>(Vec::new());
                    }
                    Ok(uploads::of_repository(tx, *repository, STEP).await?)
                })
            });
            let rows = rows.await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                match self.forget(Session::from_row(row)?).await {
                    // It has ended by itself in this very moment.
                    Ok(()) | Err(Error::UploadTaken(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
