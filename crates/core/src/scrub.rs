//! The scrub: reads every blob, slowly, and stops those from being served that are not what their digest says.
//!
//! A pass goes through the blobs in the order of their digests, some seconds at a time, as a job: any server takes the next
//! turn. Nothing is locked; what is found counts only if the blob's row still says what it said when it was read. A damaged
//! blob is unknown to clients until it is taken again from the backup or somebody pushes it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wharf_db::Durability;
use wharf_db::catalog::blobs::{self, Blob, Place};
use wharf_db::catalog::{events, jobs, scrub};
use wharf_storage::{DepotError, Progress};
use wharf_types::{Digest, Timestamp};

use crate::backup::{blob_name, checked, mismatch};
use crate::{Core, Error, Result};

pub use wharf_db::catalog::scrub::{Damaged, Pass};

/// The kind of the job.
pub(crate) const SCRUB: &str = "scrub";

/// How long a turn lasts, unless a single blob takes longer: other jobs want the worker too.
const TURN: Duration = Duration::from_secs(10);
/// How often a server asks whether a pass is due.
const LOOK: Duration = Duration::from_secs(60);
/// Rows read at a time.
const STEP: i64 = 32;

/// When to read, and how fast.
#[derive(Debug, Clone)]
pub struct Scrubbing {
    /// Bytes a second; 0 reads nothing.
    pub rate: u64,
    /// From the beginning of a pass to that of the next.
    pub interval: Duration,
}

impl Default for Scrubbing {
    fn default() -> Self {
        Self { rate: 16 << 20, interval: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}

/// What this process has found since it began.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    blobs: AtomicU64,
    bytes: AtomicU64,
    damaged: AtomicU64,
    healed: AtomicU64,
}

/// What a process has found since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// Blobs read.
    pub blobs: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Blobs found to be damaged.
    pub damaged: u64,
    /// Blobs taken again from the backup.
    pub healed: u64,
}

/// What a look at a blob came to.
enum Found {
    Right,
    Wrong(String),
    /// It is not there any more, or lies elsewhere by now.
    Moved,
}

impl Core {
    /// Asks for a turn whenever a pass is due or under way; asking while one waits changes nothing.
    pub(crate) async fn ask_for_scrubs(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let due = self.scrub_is_due().await;
            let asked = match due {
                Ok(true) => self.ask_for_scrub().await,
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = asked {
                tracing::warn!(%error, "no scrub could be asked for");
            }
        }
    }

    async fn scrub_is_due(&self) -> Result<bool> {
        let config = &self.inner.config.scrub;
        if config.rate == 0 {
            return Ok(false);
        }
        let pass = self.scrub_pass().await?;
        let now = self.inner.clock.now();
        Ok(pass.finished_at.is_none() || pass.begun_at.is_none_or(|begun| now.since(begun) >= config.interval))
    }

    async fn ask_for_scrub(&self) -> Result<()> {
        let at = self.inner.clock.now();
        let asked = self.inner.db.write(Durability::Relaxed, at, |tx, at: &Timestamp| {
            Box::pin(jobs::enqueue(tx, SCRUB, "", "{}", *at, *at))
        });
        asked.await.map_err(Error::from)?;
        self.inner.work.notify_one();
        Ok(())
    }

    /// Begins a pass now, if none is under way.
    ///
    /// # Errors
    /// Those of the database; [`Error::Backup`] never.
    pub async fn start_scrub(&self) -> Result<()> {
        let args = self.inner.clock.now();
        let begun = self.inner.db.write(Durability::Full, args, |tx, at: &Timestamp| {
            Box::pin(async move {
                if scrub::pass(tx).await?.finished_at.is_some() {
                    scrub::set_pass(tx, &Pass { begun_at: Some(*at), ..Pass::default() }).await?;
                }
                Ok::<_, wharf_db::Error>(())
            })
        });
        begun.await?;
        self.ask_for_scrub().await
    }

    /// The pass that is under way, or the last one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn scrub_pass(&self) -> Result<Pass> {
        Ok(self.inner.db.read(&(), |tx, ()| Box::pin(scrub::pass(tx))).await?)
    }

    /// Up to `limit` damaged blobs after `after`, in the order of their digests.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn damaged(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<Damaged>> {
        let args = (after.map(Digest::to_bytes).unwrap_or_default(), i64::try_from(limit).unwrap_or(i64::MAX));
        let found = self.inner.db.read(&args, |tx, (after, limit)| Box::pin(scrub::damaged_after(tx, after, *limit)));
        Ok(found.await?)
    }

    /// What this process has found since it began.
    pub fn scrubbed(&self) -> Scrubbed {
        let Tally { blobs, bytes, damaged, healed } = &self.inner.scrubbed;
        Scrubbed {
            blobs: blobs.load(Relaxed),
            bytes: bytes.load(Relaxed),
            damaged: damaged.load(Relaxed),
            healed: healed.load(Relaxed),
        }
    }

    /// One turn of a pass; asks for the next.
    pub(crate) async fn scrub(&self) -> Result<()> {
        let mut pass = self.scrub_pass().await?;
        let (now, rate) = (self.inner.clock.now(), self.inner.config.scrub.rate.max(1));
        if pass.finished_at.is_some() && !self.scrub_is_due().await? {
            return Ok(());
        }
        if pass.finished_at.is_some() || pass.begun_at.is_none() {
            pass = Pass { begun_at: Some(now), ..Pass::default() };
        }
        let (begun, stopping, mut read) = (Instant::now(), self.inner.stopping.lock().clone(), 0_u64);
        let turn_is_over = |read: u64| begun.elapsed() >= TURN || stopping.is_cancelled() || read == u64::MAX;
        while !turn_is_over(read) {
            let args = (pass.cursor.clone().unwrap_or_default(), STEP);
            let rows = self.inner.db.read(&args, |tx, (after, limit)| Box::pin(scrub::blobs_after(tx, after, *limit)));
            let rows = rows.await.map_err(Error::from)?;
            if rows.is_empty() {
                pass.finished_at = Some(self.inner.clock.now());
                break;
            }
            for (blob, known) in rows {
                pass.damaged += u64::from(self.look(&blob, known).await?);
                pass.cursor = Some(blob.digest.to_bytes());
                pass.blobs += 1;
                pass.bytes += blob.size;
                read += blob.size;
                // On the average of the turn, so that small blobs are not waited for one by one.
                let earliest = begun + Duration::from_secs_f64(read as f64 / rate as f64);
                tokio::select! {
                    () = tokio::time::sleep_until(earliest) => {}
                    () = stopping.cancelled() => {}
                }
                if turn_is_over(read) {
                    break;
                }
            }
        }
        let finished = pass.finished_at.is_some();
        let noted = self.inner.db.write(Durability::Relaxed, pass, |tx, pass| {
            Box::pin(async move {
                scrub::set_pass(tx, pass).await?;
                scrub::forget_healed(tx).await
            })
        });
        noted.await.map_err(Error::from)?;
        if finished { Ok(()) } else { self.ask_for_scrub().await }
    }

    /// Reads a blob. True if it is damaged, and stays so.
    async fn look(&self, blob: &Blob, known: bool) -> Result<bool> {
        let tally = &self.inner.scrubbed;
        let object = match &blob.place {
            Place::Here(_) => None,
            Place::Stored { object, .. } => Some(object.as_str()),
        };
        if known {
            // A storage that was away for a while is back, and nothing is wrong with what lies in it.
            let right = matches!(self.compare(blob).await?, Found::Right);
            return Ok(!(right && self.acquit(blob, object).await? || self.heal(blob).await?));
        }
        tally.blobs.fetch_add(1, Relaxed);
        tally.bytes.fetch_add(blob.size, Relaxed);
        let mut found = self.compare(blob).await?;
        if matches!(found, Found::Wrong(_)) {
            // What was wrong on its way is right the second time.
            found = self.compare(blob).await?;
        }
        let Found::Wrong(problem) = found else { return Ok(false) };
        if !self.quarantine(&blob.digest, object, &problem).await? {
            return Ok(false);
        }
        Ok(!self.heal(blob).await?)
    }

    async fn acquit(&self, blob: &Blob, object: Option<&str>) -> Result<bool> {
        let args = (blob.digest, object.map(str::to_owned), self.inner.clock.now());
        let acquitted = self.inner.db.write(Durability::Full, args, |tx, (digest, object, at)| {
            Box::pin(async move {
                let acquitted = scrub::acquit(tx, digest, object.as_deref()).await?;
                if acquitted {
                    events::append(tx, *at, "blob.healed", &json!({ "digest": digest }).to_string()).await?;
                }
                Ok::<_, wharf_db::Error>(acquitted)
            })
        });
        let acquitted = acquitted.await?;
        if acquitted {
            self.inner.scrubbed.healed.fetch_add(1, Relaxed);
            tracing::info!(digest = %blob.digest, "a blob that was damaged is right again");
        }
        Ok(acquitted)
    }

    async fn compare(&self, blob: &Blob) -> Result<Found> {
        let (digest, size) = (blob.digest, blob.size);
        if let Place::Here(content) = &blob.place {
            let actual = Digest::of(digest.algorithm(), content);
            let problem = || format!("the {} bytes in its row hash to {actual}", content.len());
            return Ok(if actual == digest { Found::Right } else { Found::Wrong(problem()) });
        }
        let content = match self.open_place(&blob.place, 0..size).await {
            Err(Error::Storage(wharf_storage::Error::NotFound(object))) => {
                let args = digest;
                let now = self.inner.db.read(&args, |tx, digest| Box::pin(blobs::find(tx, digest))).await?;
                let moved = now.is_none_or(|now| now.place != blob.place);
                let gone = || Found::Wrong(format!("object {object} is not in the storage"));
                return Ok(if moved { Found::Moved } else { gone() });
            }
            content => content?,
        };
        let mut content = checked(content, digest);
        loop {
            match content.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Found::Right),
                Err(error) => match mismatch(&error) {
                    Some(problem) => return Ok(Found::Wrong(problem)),
                    // A bad sector, or a storage that is away: only the first concerns this blob.
                    None if self.inner.storage.is_remote() => {
                        return Err(Error::Storage(wharf_storage::Error::Unavailable(error)));
                    }
                    None => return Ok(Found::Wrong(error.to_string())),
                },
            }
        }
    }

    /// Stops a blob from being served. False if it lies elsewhere by now.
    pub(crate) async fn quarantine(&self, digest: &Digest, object: Option<&str>, problem: &str) -> Result<bool> {
        let args = (*digest, object.map(str::to_owned), problem.to_owned(), self.inner.clock.now());
        let done = self.inner.db.write(Durability::Full, args, |tx, (digest, object, problem, at)| {
            Box::pin(async move {
                let marked = scrub::quarantine(tx, digest, object.as_deref(), problem, *at).await?;
                if marked {
                    let payload = json!({ "digest": digest, "problem": problem });
                    events::append(tx, *at, "blob.damaged", &payload.to_string()).await?;
                }
                Ok::<_, wharf_db::Error>(marked)
            })
        });
        let marked = done.await?;
        if marked {
            self.inner.scrubbed.damaged.fetch_add(1, Relaxed);
            tracing::error!(%digest, problem, "a blob is damaged and is not served any more");
        }
        Ok(marked)
    }

    /// Takes a damaged blob again from the backup, if there is one that has it. The old object, should it still be there, is
    /// nobody's then, and the sweep removes it after some days.
    async fn heal(&self, blob: &Blob) -> Result<bool> {
        let Ok(depot) = (self.inner.depots)("") else { return Ok(false) };
        let content = match depot.get(&blob_name(&blob.digest)).await {
            Ok(content) => content,
            Err(DepotError::NotFound(_)) => return Ok(false),
            Err(error) => {
                tracing::warn!(%error, "the backup cannot be read");
                return Ok(false);
            }
        };
        let (key, storage) = (self.inner.new_object_key(), &self.inner.storage);
        // Bytes before row.
        let written = storage.append(&key, &Progress::default(), checked(content, blob.digest)).await?;
        if let Some(error) = written.interrupted {
            tracing::error!(digest = %blob.digest, %error, "the backup of a damaged blob is damaged too");
            storage.discard(&key, &written.progress).await?;
            return Ok(false);
        }
        storage.seal(&key, &written.progress).await?;
        let args = (blob.digest, storage.name().to_owned(), key.to_string(), self.inner.clock.now());
        let healed = self.inner.db.write(Durability::Full, args, |tx, (digest, storage, object, at)| {
            Box::pin(async move {
                let healed = scrub::replace(tx, digest, storage, object).await?;
                if healed {
                    events::append(tx, *at, "blob.healed", &json!({ "digest": digest }).to_string()).await?;
                }
                Ok::<_, wharf_db::Error>(healed)
            })
        });
        let healed = healed.await?;
        if healed {
            self.inner.scrubbed.healed.fetch_add(1, Relaxed);
            tracing::info!(digest = %blob.digest, "a damaged blob was taken again from the backup");
        } else {
            storage.remove(&[key]).await?;
        }
        Ok(healed)
    }
}
