//! The scrub: reads every blob, slowly, and stops those from being served that are not what their digest says.
//!
//! A pass goes through the blobs in the order of their digests, some seconds at a time, as a job: any server takes the next
//! turn. Nothing is locked; what is found counts only if the blob's row still says what it said when it was read. A damaged
//! blob is unknown to clients until it is taken again from the backup or somebody pushes it; it is looked at again each hour.
//! What a storage does not hand out at all may be the storage's fault and not the blob's: see `scrub/turn.rs`.

mod heal;
mod look;
mod turn;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use wharf_db::Durability;
use wharf_db::catalog::blobs::Place;
use wharf_db::catalog::{audit, events, jobs, scrub};
use wharf_types::{Digest, Timestamp};

use crate::{Actor, Core, Error, Result};
use turn::Turn;
pub(crate) use turn::away;

pub use wharf_db::catalog::scrub::{Damaged, Pass};

/// The kind of the job.
pub(crate) const SCRUB: &str = "scrub";

/// How often a server asks whether a pass is due.
const LOOK: Duration = Duration::from_secs(60);
/// How long what is damaged or could not be read waits until it is read again, and looked for in the backup.
const RETRY: Duration = Duration::from_secs(60 * 60);
/// A storage that does not hand out so many one after the other is away.
pub(crate) const MOST_IN_A_ROW: usize = 16;

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
    unread: AtomicU64,
    /// When a pull last found no object.
    suspected: AtomicI64,
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
    /// Damaged blobs that are right again, most of them taken from the backup.
    pub healed: u64,
    /// Times that a blob could not be read.
    pub unread: u64,
}

impl Core {
    /// Asks for a turn whenever a pass is due or under way; asking while one waits changes nothing.
    pub(crate) async fn ask_for_scrubs(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            if let Err(error) = self.ask_for_due_scrub().await {
                tracing::warn!(%error, "no scrub could be asked for");
            }
        }
    }

    /// Asks for a turn if a pass is due or under way, or something is to be tried again. Public for tests that do without workers.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ask_for_due_scrub(&self) -> Result<()> {
        if self.scrub_is_due().await? { self.ask_for_scrub().await } else { Ok(()) }
    }

    async fn scrub_is_due(&self) -> Result<bool> {
        let config = &self.inner.config.scrub;
        if config.rate == 0 {
            return Ok(false);
        }
        Ok(self.pass_is_due(&self.scrub_pass().await?) || self.retry_is_due().await?)
    }

    async fn retry_is_due(&self) -> Result<bool> {
        let before = self.inner.clock.now().before(RETRY);
        Ok(self.inner.db.read(&before, |tx, before| Box::pin(scrub::retry_is_due(tx, *before))).await?)
    }

    fn pass_is_due(&self, pass: &Pass) -> bool {
        let (config, now) = (&self.inner.config.scrub, self.inner.clock.now());
        pass.finished_at.is_none() || pass.begun_at.is_none_or(|begun| now.since(begun) >= config.interval)
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

    /// A pull found no object where the catalog says that one is: a turn looks at it now, and not when the pass comes to it. One a
    /// second, because clients ask again.
    pub(crate) fn suspect(&self, digest: Digest, place: &Place, problem: &wharf_storage::Error) {
        let Place::Stored { object, .. } = place else { return };
        let (object, problem) = (object.clone(), problem.to_string());
        let (now, last) = (self.inner.clock.now(), &self.inner.scrubbed.suspected);
        let before = last.load(Relaxed);
        let rests = now.as_millis().abs_diff(before) < 1000;
        if self.inner.config.scrub.rate == 0
            || rests
            || last.compare_exchange(before, now.as_millis(), Relaxed, Relaxed).is_err()
        {
            return;
        }
        let core = self.clone();
        tokio::spawn(async move {
            let args = (digest, object, problem, now);
            let noted = core.inner.db.write(Durability::Relaxed, args, |tx, (digest, object, problem, at)| {
                Box::pin(scrub::suspect(tx, digest, object, problem, *at))
            });
            let noted: wharf_db::Result<()> = noted.await;
            let asked = match noted {
                Ok(()) => core.ask_for_scrub().await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = asked {
                tracing::warn!(%digest, %error, "a blob whose object is not there is not looked at before the scrub comes to it");
            }
        });
    }

    /// Begins a pass now, if none is under way.
    ///
    /// # Errors
    /// [`Error::ScrubOff`]; those of the database.
    pub async fn start_scrub(&self, actor: &Actor) -> Result<()> {
        if self.inner.config.scrub.rate == 0 {
            return Err(Error::ScrubOff);
        }
        let at = self.inner.clock.now();
        let args = (actor.did_to_server("scrub.run", at), at);
        let begun = self.inner.db.write(Durability::Full, args, |tx, (line, at): &(audit::Entry, Timestamp)| {
            Box::pin(async move {
                if scrub::pass(tx).await?.finished_at.is_some() {
                    scrub::set_pass(tx, &Pass { begun_at: Some(*at), ..Pass::default() }).await?;
                }
                audit::append(tx, line).await
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
        let Tally { blobs, bytes, damaged, healed, unread, suspected: _ } = &self.inner.scrubbed;
        Scrubbed {
            blobs: blobs.load(Relaxed),
            bytes: bytes.load(Relaxed),
            damaged: damaged.load(Relaxed),
            healed: healed.load(Relaxed),
            unread: unread.load(Relaxed),
        }
    }

    /// One turn of a pass, and of what is to be tried again; asks for the next.
    pub(crate) async fn scrub(&self) -> Result<()> {
        // Asked for by a server with another setting, or by this one before it got this setting.
        if self.inner.config.scrub.rate == 0 {
            return Ok(());
        }
        let mut pass = self.scrub_pass().await?;
        let read_on = self.pass_is_due(&pass);
        if read_on && (pass.finished_at.is_some() || pass.begun_at.is_none()) {
            pass = Pass { begun_at: Some(self.inner.clock.now()), ..Pass::default() };
        }
        let mut turn = Turn::begin(self, pass);
        let mut done = turn.try_again().await;
        if done.is_ok() && read_on {
            done = turn.read_on().await;
        }
        // Whatever happened: what was read is not read again.
        let pass = turn.end();
        let finished = !read_on || pass.finished_at.is_some();
        let noted = self.inner.db.write(Durability::Relaxed, pass, |tx, pass| {
            Box::pin(async move {
                scrub::set_pass(tx, pass).await?;
                scrub::forget_healed(tx).await
            })
        });
        done.and(noted.await.map_err(Error::from))?;
        if finished && !self.retry_is_due().await? { Ok(()) } else { self.ask_for_scrub().await }
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
}
