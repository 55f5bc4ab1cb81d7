//! From memory to the database.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wharf_db::catalog::accesses::{self, Access};
use wharf_db::{Db, Durability};
use wharf_types::Timestamp;

use super::{Accesses, Line};
use crate::{Core, Error, Result};

/// Lines in one transaction: more would keep other writers waiting.
const BATCH: usize = 256;

/// Batches that were taken out of the table and are not written yet, the oldest first.
#[derive(Default)]
pub(super) struct Pending {
    batches: VecDeque<Arc<Vec<Access>>>,
    /// How many drops have been reported.
    reported: u64,
}

impl Core {
    /// Writes down what was noted until now.
    ///
    /// # Errors
    /// Those of the database; what could not be written is kept for the next time.
    pub async fn flush_accesses(&self) -> Result<()> {
        self.flush_as(Durability::Full).await
    }

    async fn flush_as(&self, durability: Durability) -> Result<()> {
        let (accesses, now) = (&self.inner.accesses, self.inner.clock.now());
        let written = accesses.flush(&self.inner.db, durability, now).await;
        written.inspect_err(|_| {
            accesses.failures.fetch_add(1, Relaxed);
        })
    }

    /// Writes down every few seconds, or when the table fills up. At the end too: a clean stop loses nothing.
    pub(crate) async fn keep_flushing(self, stop: CancellationToken) {
        let interval = self.inner.config.access_flush.max(Duration::from_millis(10));
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
                () = self.inner.accesses.half_full.notified() => {}
            }
            if let Err(error) = self.flush_as(Durability::Relaxed).await {
                let held = self.inner.accesses.counts().held;
                tracing::warn!(%error, held, "reads, logins and refusals were not written to the audit log, trying again");
                // A database that is away is not asked again at once, however full the table is.
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(interval) => {}
                }
            }
        }
    }

    /// The last flush of a process.
    pub(crate) async fn flush_at_the_end(&self) {
        const TRIES: u32 = 3;
        for attempt in 1..=TRIES {
            let Err(error) = self.flush_as(Durability::Full).await else { return };
            let lost = self.inner.accesses.counts().held;
            if attempt == TRIES {
                tracing::error!(%error, lost, "lines of the audit log about reads, logins and refusals are lost");
            } else {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

impl Accesses {
    /// One at a time. What was taken out before comes first; only then is the table emptied, so that as long as the database is
    /// away, what is the same still falls together.
    async fn flush(&self, db: &Db, durability: Durability, now: Timestamp) -> Result<()> {
        let mut pending = self.pending.lock().await;
        self.write(&mut pending, db, durability).await?;
        self.take(&mut pending, now);
        self.write(&mut pending, db, durability).await
    }

    /// The connection may break where nobody knows whether a batch was committed; then it is there twice rather than not at all.
    async fn write(&self, pending: &mut Pending, db: &Db, durability: Durability) -> Result<()> {
        while let Some(batch) = pending.batches.front() {
            let written = db.write(durability, Arc::clone(batch), |tx, lines| Box::pin(accesses::append(tx, lines)));
            written.await.map_err(Error::from)?;
            let lines = batch.len();
            pending.batches.pop_front();
            self.held.fetch_sub(lines, Relaxed);
            self.written.fetch_add(lines as u64, Relaxed);
        }
        Ok(())
    }

    fn take(&self, pending: &mut Pending, now: Timestamp) {
        let mut lines: Vec<Line> = Vec::new();
        for part in &self.parts {
            lines.extend(std::mem::take(&mut *part.lock()));
        }
        lines.sort_unstable_by_key(Line::place);
        let mut rows: Vec<_> = lines.into_iter().map(Line::row).collect();
        let dropped = self.dropped.load(Relaxed);
        if dropped > pending.reported {
            rows.push(report(dropped - pending.reported, now));
            // It has no place of its own in the table, and is given back one when it is written.
            self.held.fetch_add(1, Relaxed);
            pending.reported = dropped;
        }
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(BATCH));
            pending.batches.push_back(Arc::new(std::mem::replace(&mut rows, rest)));
        }
    }
}

/// A log that is not whole says so.
fn report(dropped: u64, now: Timestamp) -> Access {
    tracing::warn!(dropped, "the audit log could not take all reads, logins and refusals");
    Access {
        at: now,
        last_at: now,
        times: dropped,
        actor: "wharf".to_owned(),
        credential: "internal".to_owned(),
        action: "audit.drop".to_owned(),
        outcome: "failed".to_owned(),
        detail: Some("there was no room for what was read, signed in or refused".to_owned()),
        ..Access::default()
    }
}

#[cfg(test)]
mod tests {
    use wharf_auth::Identity;

    use super::super::line::{Outcome, Seen, Source};
    use super::*;

    #[test]
    fn lines_of_one_millisecond_are_in_the_order_in_which_they_were_noted() {
        let (accesses, now) = (Accesses::new(1_000), Timestamp::from_millis(1_000));
        let nobody = Identity::nobody(now);
        let names: Vec<_> = (0..200).map(|number| format!("v{number}")).collect();
        for name in &names {
            let seen = Seen::new(&nobody, "login", Outcome::Failed(404), Source::default());
            accesses.note(&seen.about(Some(name), None), now);
        }
        let mut pending = Pending::default();
        accesses.take(&mut pending, now);
        let rows = pending.batches.iter().flat_map(|batch| batch.iter());
        assert_eq!(rows.map(|row| row.subject.clone().unwrap()).collect::<Vec<_>>(), names);
    }
}
