//! Removing bytes whose row is gone. The order: the blob's row is removed and the object written down as doomed in one
//! transaction, a durable lease of it, the object, the row of the doomed object. A crash in between leaves a row that is leased
//! again; an object that is gone already is passed over.

use futures_util::{StreamExt, stream};
use wharf_db::Durability;
use wharf_db::catalog::{doomed, pins};
use wharf_storage::ObjectKey;

use super::Collected;
use crate::{Core, Error, Result};

/// Objects that are leased at once.
const STEP: i64 = 256;

/// Objects that are removed in one call of the storage, and how many of those calls run at once.
const CALL: usize = 64;
const AT_ONCE: usize = 4;

impl Core {
    /// Removes a batch of doomed objects whose time has come and that no pin holds.
    pub(super) async fn remove_some(&self, done: &mut Collected) -> Result<()> {
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
        self.remove_doomed(leased.await.map_err(Error::from)?, done).await
    }

    /// Removes leased objects, and says of those that are gone that they are, whatever becomes of the others.
    pub(super) async fn remove_doomed(&self, leased: Vec<doomed::Doomed>, done: &mut Collected) -> Result<()> {
        let calls: Vec<Vec<doomed::Doomed>> = leased.chunks(CALL).map(<[_]>::to_vec).collect();
        let removals = calls.into_iter().map(|call| async move {
            // A key that is none was never an object's.
            let keys: Vec<ObjectKey> = call.iter().filter_map(|doomed| doomed.object.parse().ok()).collect();
            self.inner.storage.remove(&keys).await.map(|()| call)
        });
        let (mut gone, mut freed, mut failure) = (Vec::new(), 0, None);
        let mut removals = stream::iter(removals).buffer_unordered(AT_ONCE);
        while let Some(outcome) = removals.next().await {
            match outcome {
                Ok(call) => {
                    freed += call.iter().map(|doomed| doomed.size).sum::<u64>();
                    gone.extend(call.into_iter().map(|doomed| doomed.object));
                }
                Err(error) => failure = Some(error),
            }
        }
        if !gone.is_empty() {
            let removed = Collected { objects: gone.len() as u64, freed, ..Collected::default() };
            let finished =
                self.inner.db.write(Durability::Relaxed, gone, |tx, gone| Box::pin(doomed::finish(tx, gone)));
            finished.await.map_err(Error::from)?;
            self.inner.tally.count(&removed);
            done.add(&removed);
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }
}
