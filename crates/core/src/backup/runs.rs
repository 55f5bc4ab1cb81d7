//! Backups as jobs: asked for by an administrator, done by whichever server takes the job, seen by everybody who may.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use wharf_db::Durability;
use wharf_db::catalog::{audit, backups, events, jobs};
use wharf_types::Timestamp;

use super::{Progress, Snapshot};
use crate::actor::about;
use crate::collect::PURGE;
use crate::{Actor, Core, Error, Result};

/// The kind of the job. Its key is the number of the backup.
pub(crate) const BACKUP: &str = "backup";

/// How often the row says how far it is.
const PACE: Duration = Duration::from_secs(1);

pub use wharf_db::catalog::backups::Backup;

/// What the job is told beside the row.
#[derive(Default, Serialize, Deserialize)]
struct Payload {
    /// Whether a place where snapshots were written may be empty.
    #[serde(default)]
    anew: bool,
}

struct Ask {
    id: i64,
    to: String,
    payload: String,
    actor: Actor,
    at: Timestamp,
}

impl Core {
    /// Asks for a backup into `to`, which must lie where this server may write; empty means that place itself. If one is under way
    /// there, it is that one. A place where snapshots were written and none is now is refused by the job, unless it is to begin `anew`.
    ///
    /// # Errors
    /// [`Error::Backup`] if the server may not write there; those of the database.
    pub async fn ask_for_backup(&self, to: &str, anew: bool, actor: &Actor) -> Result<Backup> {
        (self.inner.depots)(to).map_err(Error::Backup)?;
        let at = self.inner.clock.now();
        let id = self.inner.new_run(at);
        let payload = json!(Payload { anew }).to_string();
        let ask = Ask { id, to: to.to_owned(), payload, actor: actor.clone(), at };
        let asked = self.inner.db.write(Durability::Full, ask, |tx, ask| Box::pin(enter(tx, ask)));
        let id = asked.await?;
        self.inner.work.notify_one();
        self.backup(id).await?.ok_or_else(|| Error::Inconsistent(format!("backup {id} is gone")))
    }

    /// The backup of this number.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn backup(&self, id: i64) -> Result<Option<Backup>> {
        Ok(self.inner.db.read(&id, |tx, id| Box::pin(backups::find(tx, *id))).await?)
    }

    /// Up to `limit` backups before `before`, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn backups(&self, before: Option<i64>, limit: usize) -> Result<Vec<Backup>> {
        let args = (before.unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
        Ok(self.inner.db.read(&args, |tx, (before, limit)| Box::pin(backups::page(tx, *before, *limit))).await?)
    }

    /// Forgets the backups to a place that is gone for good, by whichever name they were asked for: no purge waits to be noted there, and
    /// the next backup there begins anew. What lies there stays as it is. False if none were to go there.
    ///
    /// # Errors
    /// [`Error::Backup`] while one is under way; those of the database.
    pub async fn forget_backups(&self, to: &str, actor: &Actor) -> Result<bool> {
        let place = |name: &str| (self.inner.depots)(name).map_or_else(|_| name.to_owned(), |depot| depot.place());
        let wanted = place(to);
        let names: Vec<_> = self.places_of_backups().await?.into_keys().filter(|name| place(name) == wanted).collect();
        if names.is_empty() {
            return Ok(false);
        }
        let args = (names, wanted, actor.clone(), self.inner.clock.now());
        let forgotten = self.inner.db.write(Durability::Full, args, |tx, (names, place, actor, at)| {
            Box::pin(forget(tx, names, place, actor, *at))
        });
        forgotten.await?;
        self.inner.work.notify_one();
        Ok(true)
    }

    /// Where backups were to go, and when a snapshot was last written there.
    pub(crate) async fn places_of_backups(&self) -> Result<BTreeMap<String, Option<Timestamp>>> {
        let places: wharf_db::Result<_> = self.inner.db.read(&(), |tx, ()| Box::pin(backups::places(tx))).await;
        Ok(places?.into_iter().collect())
    }

    /// Does the job.
    pub(crate) async fn run_backup(&self, job: &jobs::Job) -> Result<()> {
        let id: i64 = job.key.parse().map_err(|_| Error::Inconsistent(format!("{:?} is no backup", job.key)))?;
        let Some(row) = self.backup(id).await?.filter(|row| row.finished_at.is_none()) else { return Ok(()) };
        let Payload { anew } = serde_json::from_str(&job.payload).unwrap_or_default();
        let error = match self.back_up_to(&row, anew).await {
            Ok(snapshot) => return self.end_backup(id, Ok(snapshot)).await,
            Err(error) => error,
        };
        // A full disk stays full: whoever asked shall know. What may pass is tried again, and goes on where it was.
        let stopping = self.inner.stopping.lock().is_cancelled();
        if !(stopping || error.is_unavailable()) || job.attempts >= self.inner.config.job_attempts {
            return self.end_backup(id, Err(error)).await;
        }
        let args = (id, error.to_string());
        let noted = self
            .inner
            .db
            .write(Durability::Relaxed, args, |tx, (id, error)| Box::pin(backups::put_off(tx, *id, error)));
        noted.await.map_err(Error::from).and(Err(error))
    }

    async fn back_up_to(&self, row: &Backup, anew: bool) -> Result<Snapshot> {
        let depot = (self.inner.depots)(&row.destination).map_err(Error::Backup)?;
        let written = self.places_of_backups().await?.get(&row.destination).is_some_and(Option::is_some);
        if written && !anew {
            super::is_still_there(&depot).await.map_err(|error| match error {
                Error::Backup(problem) => Error::Backup(format!("{problem} `wharf backup --anew` begins there again")),
                error => error,
            })?;
        }
        let (run, progress) = (format!("{:x}", row.id), Progress::default());
        let stopping = self.inner.stopping.lock().clone();
        let mut work = std::pin::pin!(self.back_up(&depot, &run, &progress));
        loop {
            self.note_progress(row.id, &progress).await;
            tokio::select! {
                done = &mut work => {
                    self.note_progress(row.id, &progress).await;
                    return done;
                }
                () = stopping.cancelled() => {
                    return Err(Error::Backup("the server stops: the backup goes on when one runs again".into()));
                }
                () = tokio::time::sleep(PACE) => {}
            }
        }
    }

    async fn note_progress(&self, id: i64, progress: &Progress) {
        let super::Count { rows, blobs, bytes, blobs_total, bytes_total } = progress.count();
        let count = backups::Count { rows, blobs, blobs_total, bytes, bytes_total };
        let args = (id, count, self.inner.clock.now());
        let noted = self
            .inner
            .db
            .write(Durability::Relaxed, args, |tx, (id, count, at)| Box::pin(backups::advance(tx, *id, count, *at)));
        if let Err(error) = noted.await {
            tracing::debug!(%error, "the progress of a backup was not noted");
        }
    }

    async fn end_backup(&self, id: i64, outcome: Result<Snapshot>) -> Result<()> {
        let end = match outcome {
            Ok(snapshot) => backups::End {
                state: if snapshot.missing.is_empty() { "done" } else { "incomplete" }.into(),
                missing: snapshot.missing.len() as u64,
                error: snapshot.missing.first().map(|first| format!("{}: {}", first.digest, first.problem)),
                snapshot: Some(snapshot.id),
            },
            Err(error) => {
                tracing::error!(%error, backup = id, "a backup failed");
                backups::End { state: "failed".into(), error: Some(error.to_string()), ..backups::End::default() }
            }
        };
        let args = (id, end, self.inner.clock.now());
        let ended = self.inner.db.write(Durability::Full, args, |tx, (id, end, at)| {
            Box::pin(async move {
                backups::finish(tx, *id, end, *at).await?;
                let payload =
                    json!({ "backup": id, "state": end.state, "snapshot": end.snapshot, "missing": end.missing });
                events::append(tx, *at, "backup.finished", &payload.to_string()).await
            })
        });
        Ok(ended.await?)
    }
}

async fn enter(tx: &mut wharf_db::Tx<'_>, ask: &Ask) -> Result<i64> {
    let Ask { id, to, payload, actor, at } = ask;
    if let Some(known) = backups::under_way(tx, to).await? {
        return Ok(known);
    }
    backups::insert(tx, *id, to, &actor.name, *at).await?;
    jobs::enqueue(tx, BACKUP, &id.to_string(), payload, *at, *at).await?;
    audit::append(tx, &about(actor.did_to_server("backup.create", *at), Some(id.to_string()), None)).await?;
    Ok(*id)
}

async fn forget(tx: &mut wharf_db::Tx<'_>, names: &[String], place: &str, actor: &Actor, at: Timestamp) -> Result<()> {
    for name in names {
        if let Some(id) = backups::under_way(tx, name).await? {
            return Err(Error::Backup(format!("backup {id} there is under way")));
        }
        backups::forget(tx, name).await?;
    }
    audit::append(tx, &about(actor.did_to_server("backup.forget", at), Some(place.to_owned()), None)).await?;
    Ok(jobs::hurry(tx, PURGE, at).await?)
}
