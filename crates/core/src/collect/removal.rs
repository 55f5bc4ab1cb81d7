//! Removing bytes whose row is gone. The order: the blob's row is removed and the object written down as doomed in one
//! transaction, a durable lease of it, the object, the row of the doomed object. A crash in between leaves a row that is leased
//! again; an object that is gone already is passed over.

use futures_util::{StreamExt, stream};
use wharf_db::Durability;
use wharf_db::catalog::{doomed, pins};
use wharf_storage::ObjectKey;

use super::Collected;
use super::pace::Brake;
use crate::{Core, Error, Result};

/// Objects that are leased at once.
const STEP: i64 = 256;

/// Objects that are removed in one call of the storage, and how many of those calls run at once.
const CALL: usize = 64;
const AT_ONCE: usize = 4;

impl Core {
    /// Removes a batch of doomed objects whose time has come and that no pin holds.
    pub(super) async fn remove_some(&self, done: &mut Collected, brake: &Brake<'_>) -> Result<()> {
        let (storage, now) = (self.inner.storage.name().to_owned(), self.inner.clock.now());
        let args = (storage, now, self.inner.config.job_lease);
        let any = self.inner.db.read(&args, |tx, (storage, now, _)| Box::pin(doomed::any_due(tx, storage, *now))).await;
        if !any.map_err(Error::from)? {
            return Ok(());
        }
        let leased = self.inner.db.write(Durability::Full, args, |tx, (storage, now, span)| {
            Box::pin(async move {
                pins::forget_expired(tx).await?;
                doomed::lease(tx, storage, *now, *span, STEP).await
            })
        });
        self.remove_doomed(leased.await.map_err(Error::from)?, done, Some(brake)).await
    }

    /// Removes leased objects, and says of those that are gone that they are, whatever becomes of the others.
    pub(super) async fn remove_doomed(
        &self,
        leased: Vec<doomed::Doomed>,
        done: &mut Collected,
        brake: Option<&Brake<'_>>,
    ) -> Result<()> {
        let calls: Vec<Vec<doomed::Doomed>> = leased.chunks(CALL).map(<[_]>::to_vec).collect();
        let removals = calls.into_iter().map(|call| async move {
            // A key that is none was never an object's.
            let keys: Vec<ObjectKey> = call.iter().filter_map(|doomed| doomed.object.parse().ok()).collect();
            if let Some(brake) = brake {
                brake.objects(call.len() as u64, bytes_of(&call)).await;
            }
            self.inner.storage.remove(&keys).await.map(|()| call)
        });
        let mut failure = None;
        // Those that went while the last ones were written down are written down together.
        let mut removals = stream::iter(removals).buffer_unordered(AT_ONCE).ready_chunks(AT_ONCE);
        while let Some(outcomes) = removals.next().await {
            let mut gone = Vec::new();
            for outcome in outcomes {
                match outcome {
                    Ok(call) => gone.extend(call),
                    Err(error) => failure = Some(error),
                }
            }
            if !gone.is_empty() {
                self.are_gone(&gone, done).await?;
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn are_gone(&self, gone: &[doomed::Doomed], done: &mut Collected) -> Result<()> {
        let removed = Collected { objects: gone.len() as u64, freed: bytes_of(gone), ..Collected::default() };
        let keys: Vec<String> = gone.iter().map(|doomed| doomed.object.clone()).collect();
        let finished = self.inner.db.write(Durability::Relaxed, keys, |tx, keys| Box::pin(doomed::finish(tx, keys)));
        finished.await.map_err(Error::from)?;
        self.inner.tally.count(&removed);
        done.add(&removed);
        Ok(())
    }
}

fn bytes_of(objects: &[doomed::Doomed]) -> u64 {
    objects.iter().map(|doomed| doomed.size).sum()
}
