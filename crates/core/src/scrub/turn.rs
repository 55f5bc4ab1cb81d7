//! One turn of the scrub.
//!
//! That an object is not there, or cannot be read, says something about the blob only if the storage is the right one and hands
//! out others. So such a blob is in doubt until the storage has confirmed who it is and another blob was read after it; after
//! too many in a row the turn ends, with nothing said about any of them.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;
use wharf_db::Durability;
use wharf_db::catalog::blobs::Blob;
use wharf_db::catalog::scrub;

use super::look::{Found, Throttle, object};
use super::{MOST_IN_A_ROW, Pass, RETRY};
use crate::{Core, Error, Result};

/// How long a turn lasts, unless a single blob takes longer: other jobs want the worker too.
const TURN: Duration = Duration::from_secs(10);
/// Rows read at a time.
const STEP: i64 = 32;

pub(super) struct Turn<'a> {
    core: &'a Core,
    pass: Pass,
    begun: Instant,
    throttle: Throttle,
    doubts: Vec<Doubt>,
    /// Whether what is looked at was looked at before, and is not counted again.
    again: bool,
}

struct Doubt {
    blob: Blob,
    problem: String,
    missing: bool,
    /// The pass as it was before this blob.
    before: Pass,
}

impl<'a> Turn<'a> {
    pub(super) fn begin(core: &'a Core, pass: Pass) -> Self {
        let stopping = core.inner.stopping.lock().clone();
        let throttle = Throttle::new(core.inner.config.scrub.rate, stopping);
        Self { core, pass, begun: Instant::now(), throttle, doubts: Vec::new(), again: false }
    }

    /// How far the pass is. What is still in doubt is read again.
    pub(super) fn end(self) -> Pass {
        self.doubts.into_iter().next().map_or(self.pass, |first| first.before)
    }

    fn is_over(&self) -> bool {
        self.throttle.stopping.is_cancelled() || self.doubts.is_empty() && self.begun.elapsed() >= TURN
    }

    /// Reads again what was damaged or could not be read an hour ago.
    pub(super) async fn try_again(&mut self) -> Result<()> {
        let now = self.core.inner.clock.now();
        let args = (now.before(RETRY), now);
        let due = self
            .core
            .inner
            .db
            .write(Durability::Relaxed, args, |tx, (before, now)| Box::pin(scrub::retry(tx, *before, *now, STEP)));
        let pass = self.pass.clone();
        self.again = true;
        for (blob, damaged) in due.await.map_err(Error::from)? {
            if self.throttle.stopping.is_cancelled() || !self.look(blob, damaged).await? {
                break;
            }
        }
        if !self.doubts.is_empty() && !self.hands_out_others().await? {
            let problem = std::mem::take(&mut self.doubts).swap_remove(0).problem;
            let said = format!("no object can be had from the storage, among others because {problem}");
            return Err(Error::Storage(wharf_storage::Error::Unavailable(io::Error::other(said))));
        }
        self.settle().await?;
        (self.again, self.pass) = (false, pass);
        Ok(())
    }

    /// Whether the storage hands out what is not in doubt, or nothing else is in it.
    async fn hands_out_others(&self) -> Result<bool> {
        let args = (Vec::new(), STEP + MOST_IN_A_ROW as i64);
        let rows =
            self.core.inner.db.read(&args, |tx, (after, limit)| Box::pin(scrub::stored_after(tx, after, *limit)));
        let rows = rows.await.map_err(Error::from)?;
        let in_doubt = |blob: &&Blob| self.doubts.iter().any(|doubt| doubt.blob.digest == blob.digest);
        let mut alone = true;
        for blob in rows.iter().filter(|blob| !in_doubt(blob)) {
            alone = false;
            if self.core.can_be_read(blob).await {
                return Ok(true);
            }
        }
        Ok(alone)
    }

    /// Goes on with the pass until the turn is over.
    pub(super) async fn read_on(&mut self) -> Result<()> {
        while !self.is_over() {
            let args = (self.pass.cursor.clone().unwrap_or_default(), STEP);
            let rows =
                self.core.inner.db.read(&args, |tx, (after, limit)| Box::pin(scrub::blobs_after(tx, after, *limit)));
            let rows = rows.await.map_err(Error::from)?;
            if rows.is_empty() {
                self.settle().await?;
                self.pass.finished_at = Some(self.core.inner.clock.now());
                return Ok(());
            }
            for (blob, damaged) in rows {
                let (cursor, size) = (blob.digest.to_bytes(), blob.size);
                if !self.look(blob, damaged).await? {
                    break;
                }
                self.pass.cursor = Some(cursor);
                self.pass.blobs += 1;
                self.pass.bytes += size;
                if self.is_over() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// False if it was broken off, and nothing is known.
    async fn look(&mut self, blob: Blob, damaged: bool) -> Result<bool> {
        let before = self.pass.clone();
        let found = self.core.compare(&blob, &self.throttle).await?;
        if matches!(found, Found::BrokenOff) {
            return Ok(false);
        }
        let tally = &self.core.inner.scrubbed;
        tally.blobs.fetch_add(1, Relaxed);
        tally.bytes.fetch_add(blob.size, Relaxed);
        let handed_out = matches!(found, Found::Right | Found::Wrong(_)) && object(&blob).is_some();
        match found {
            Found::Right if damaged => {
                // A storage that was away for a while is back, and nothing is wrong with what lies in it.
                let acquitted = self.core.acquit(&blob, object(&blob)).await?;
                self.pass.damaged += u64::from(!acquitted);
            }
            Found::Right | Found::Moved if self.again => self.core.was_read(&blob).await?,
            Found::Right | Found::Moved | Found::BrokenOff => {}
            _ if damaged => self.pass.damaged += u64::from(!self.core.heal(&blob).await?),
            Found::Wrong(problem) => self.condemn(&blob, &problem).await?,
            Found::Missing(problem) => self.doubt(Doubt { blob, problem, missing: true, before }).await?,
            Found::Unread(problem) => self.doubt(Doubt { blob, problem, missing: false, before }).await?,
        }
        if handed_out {
            self.settle().await?;
        }
        Ok(true)
    }

    async fn doubt(&mut self, doubt: Doubt) -> Result<()> {
        let problem = doubt.problem.clone();
        self.doubts.push(doubt);
        self.core.inner.storage.confirm().await?;
        if self.doubts.len() < MOST_IN_A_ROW {
            return Ok(());
        }
        Err(away(&problem))
    }

    /// The storage hands out others, or there are no others: then it is about these.
    async fn settle(&mut self) -> Result<()> {
        if self.doubts.is_empty() {
            return Ok(());
        }
        self.core.inner.storage.confirm().await?;
        for Doubt { blob, problem, missing, .. } in std::mem::take(&mut self.doubts) {
            if missing || self.is_repeated(&blob, &problem).await? {
                self.condemn(&blob, &problem).await?;
            }
        }
        Ok(())
    }

    /// Notes that a blob could not be read. True if that is so since another turn, and on a disk of this machine: a bad sector.
    async fn is_repeated(&mut self, blob: &Blob, problem: &str) -> Result<bool> {
        let core = self.core;
        let now = core.inner.clock.now();
        self.pass.unread += 1;
        core.inner.scrubbed.unread.fetch_add(1, Relaxed);
        tracing::error!(digest = %blob.digest, problem, "a blob cannot be read; it is tried again later");
        let args = (blob.digest, object(blob).map(str::to_owned), problem.to_owned(), now);
        let first = core.inner.db.write(Durability::Relaxed, args, |tx, (digest, object, problem, at)| {
            Box::pin(scrub::note_unread(tx, digest, object.as_deref(), problem, *at))
        });
        let first = first.await.map_err(Error::from)?;
        Ok(!core.inner.storage.is_remote() && first.is_some_and(|first| now.since(first) >= RETRY))
    }

    async fn condemn(&mut self, blob: &Blob, problem: &str) -> Result<()> {
        if self.core.quarantine(&blob.digest, object(blob), problem).await? {
            self.pass.damaged += u64::from(!self.core.heal(blob).await?);
        }
        Ok(())
    }
}

/// So many in a row say nothing about any of them.
pub(crate) fn away(problem: &str) -> Error {
    let said = format!(
        "{MOST_IN_A_ROW} blobs in a row cannot be had from the storage, the last because {problem}; if they are lost, restore a backup"
    );
    Error::Storage(wharf_storage::Error::Unavailable(io::Error::other(said)))
}
