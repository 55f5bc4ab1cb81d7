//! The sweep: what crashes and absent clients leave behind. Runs as a job, so one replica does it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wharf_db::catalog::{accesses, audit, blobs, events, jobs, restores, storages, uploads};
use wharf_db::{Db, Durability};
use wharf_storage::{ObjectKey, Storage, Stored};
use wharf_types::{Clock, Timestamp};

use crate::collect::Pace;
use crate::recycle::EMPTY_BIN;
use crate::upload::Session;
use crate::{Core, Error, Result};

/// The kind of the job.
pub(crate) const SWEEP: &str = "sweep";

/// A sweep lists the whole storage.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

impl Core {
    /// Asks for a sweep now and then, and for a look into the bin; asking while one waits changes nothing.
    pub(crate) async fn ask_for_sweeps(self, stop: CancellationToken) {
        let interval = self.inner.config.sweep_interval.max(LEAST_INTERVAL);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
            let args = self.inner.clock.now();
            let asked = self.inner.db.write(Durability::Relaxed, args, |tx, at: &Timestamp| {
                Box::pin(async move {
                    jobs::enqueue(tx, SWEEP, "", "{}", *at, *at).await?;
                    jobs::enqueue(tx, EMPTY_BIN, "", "{}", *at, *at).await
                })
            });
            if let Err(error) = asked.await {
                tracing::warn!(%error, "no sweep could be asked for");
            }
        }
    }

    /// Forgets abandoned uploads, objects nobody points at, repositories nobody can restore, and old events.
    ///
    /// # Errors
    /// Those of storage and database; what was done until then stays done.
    pub async fn sweep(&self) -> Result<()> {
        let now = self.inner.clock.now();
        self.forget_abandoned(now.before(self.inner.config.upload_expiry)).await?;
        self.remove_orphans(now.before(self.inner.config.object_grace)).await?;
        self.thin_generations().await?;
        self.destroy_forgotten(now.before(self.inner.config.review_delay)).await?;
        let before = now.before(self.inner.config.event_retention);
        let trimmed =
            self.inner.db.write(Durability::Relaxed, before, |tx, before| Box::pin(events::trim(tx, *before)));
        trimmed.await.map_err(Error::from)?;
        self.trim_audit(now).await
    }

    /// In steps, each of which keeps other writers waiting for a moment only.
    async fn trim_audit(&self, now: Timestamp) -> Result<()> {
        const STEP: i64 = 500;
        let config = &self.inner.config;
        let (accesses_before, changes_before) =
            (now.before(config.access_retention), now.before(config.audit_retention));
        loop {
            let trimmed = self
                .inner
                .db
                .write(Durability::Relaxed, accesses_before, |tx, before| Box::pin(accesses::trim(tx, *before, STEP)));
            if trimmed.await.map_err(Error::from)? == 0 {
                break;
            }
        }
        loop {
            let trimmed = self
                .inner
                .db
                .write(Durability::Relaxed, changes_before, |tx, before| Box::pin(audit::trim(tx, *before, STEP)));
            if trimmed.await.map_err(Error::from)? == 0 {
                return Ok(());
            }
        }
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
                match self.forget(Session::from_row(row)?).await {
                    // Its client came back in this very moment.
                    Ok(()) | Err(Error::UploadTaken(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn remove_orphans(&self, before: Timestamp) -> Result<()> {
        const STEP: usize = 1000;
        self.bind_storage().await?;
        let (stopping, rate) = (self.inner.stopping.lock().clone(), self.inner.config.collection.rate.into());
        let (pace, mut after): (_, Option<ObjectKey>) = (Pace::new(), None);
        while !stopping.is_cancelled() {
            let found = self.inner.storage.survey(after.as_ref(), STEP).await?;
            let Some(last) = found.last() else { break };
            after = Some(last.key.clone());
            let looked_at = found.len() as u64;
            for object in self.suspicious(found.into_iter().filter(|object| object.modified < before).collect()).await?
            {
                self.judge(object).await?;
            }
            pace.keep(looked_at, rate, &stopping).await;
        }
        Ok(())
    }

    /// Those about which there is something to write. Nearly all are in use, and were yesterday: that costs a look, and no turn of the
    /// writer. What to do with one of the others is asked anew where it is done.
    async fn suspicious(&self, objects: Vec<Stored>) -> Result<Vec<Stored>> {
        let keys: Vec<String> = objects.iter().map(|object| object.key.to_string()).collect();
        let known = self.inner.db.read(&keys, |tx, keys| {
            Box::pin(async move { Ok((blobs::objects_in_use(tx, keys).await?, storages::orphans(tx, keys).await?)) })
        });
        let (in_use, noted) = known.await.map_err(|error: wharf_db::Error| Error::from(error))?;
        let (now, retention) = (self.inner.clock.now(), self.inner.config.orphan_retention);
        let is_settled = |key: &str| match noted.get(key) {
            Some(since) => !in_use.contains(key) && now.since(*since) < retention,
            None => in_use.contains(key),
        };
        Ok(objects.into_iter().zip(keys).filter(|(_, key)| !is_settled(key)).map(|(object, _)| object).collect())
    }

    async fn judge(&self, object: Stored) -> Result<()> {
        let now = self.inner.clock.now();
        let args = (object.key.to_string(), now);
        let orphan_since = self.inner.db.write(Durability::Relaxed, args, |tx, (key, now)| {
            Box::pin(async move {
                if blobs::object_in_use(tx, key).await? {
                    storages::forget_orphan(tx, key).await?;
                    return Ok::<_, Error>(None);
                }
                Ok(Some(storages::note_orphan(tx, key, *now).await?))
            })
        });
        let Some(since) = orphan_since.await? else { return Ok(()) };
        if now.since(since) < self.inner.config.orphan_retention {
            return Ok(());
        }
        tracing::info!(object = %object.key, object.size, since = %since, "removing an object that no row points at");
        self.inner.storage.discard(&object.key, &wharf_storage::Progress::default()).await?;
        let key = object.key.to_string();
        self.inner.storage.remove(&[object.key]).await?;
        let forgotten =
            self.inner.db.write(Durability::Relaxed, key, |tx, key| Box::pin(storages::forget_orphan(tx, key)));
        Ok(forgotten.await?)
    }

    /// Makes sure that catalog and storage belong together: the first storage that a catalog sees must be empty, and every later
    /// one the same. Called at start, before anything is served, and before anything is swept.
    ///
    /// # Errors
    /// [`Error::ForeignStorage`].
    pub async fn bind_storage(&self) -> Result<()> {
        let restore = self.inner.db.read(&(), |tx, ()| Box::pin(restores::state(tx))).await.map_err(Error::from)?;
        if let Some(restore) = restore.filter(|restore| restore.finished_at.is_none()) {
            let problem = format!("the restore of snapshot {} into this database is not finished", restore.snapshot);
            return Err(Error::Backup(format!("{problem}: run it again, or start with a new database")));
        }
        bind(&self.inner.db, &self.inner.storage, &self.inner.clock, false).await
    }
}

/// Binds `storage` to a catalog that has seen none under its name. Only a restore that goes on may bind one with bytes in it.
pub(crate) async fn bind(db: &Db, storage: &Arc<dyn Storage>, clock: &Clock, filled: bool) -> Result<()> {
    let args = storage.name().to_owned();
    let known = db.read(&args, |tx, name| Box::pin(storages::identity(tx, name))).await;
    match known.map_err(Error::from)? {
        Some(known) if known == storage.identity() => return Ok(()),
        Some(_) => return Err(Error::ForeignStorage("another storage than the one this database was used with")),
        None if !filled && !storage.survey(None, 1).await?.is_empty() => {
            return Err(Error::ForeignStorage("not empty, and this database has never seen it"));
        }
        None => {}
    }
    let args = (args, storage.identity().to_owned(), clock.now());
    let bound =
        db.write(Durability::Full, args, |tx, (name, identity, at)| Box::pin(storages::bind(tx, name, identity, *at)));
    Ok(bound.await?)
}
