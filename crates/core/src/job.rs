//! Workers: lease a job, do it with a heartbeat, finish it or put it off. Every handler may run twice for one order, so each
//! of them computes the state that should be and not a step towards it.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use wharf_db::catalog::jobs;
use wharf_db::{Durability, Tx};
use wharf_types::Timestamp;

use crate::artifact::{self, REFLECT};
use crate::backup::BACKUP;
use crate::collect::{DESTROY, PURGE};
use crate::publish::{Order, PUBLISH, RENEW};
use crate::recycle::EMPTY_BIN;
use crate::scrub::SCRUB;
use crate::sweep::SWEEP;
use crate::{Core, Error, Result};

/// Kinds of jobs that concern this server and its storage alone: a backup of its rows leaves them out.
pub(crate) const OF_THIS_SERVER: &[&str] = &[SWEEP, BACKUP, SCRUB];

/// Kinds of jobs that may take hours.
const LONG: &[&str] = &[BACKUP, SCRUB, SWEEP, DESTROY];
/// All others that this program knows. Jobs of a kind that it does not know are a newer program's, beside which it runs.
const SHORT: &[&str] = &[PUBLISH, RENEW, REFLECT, EMPTY_BIN, PURGE];

/// Which jobs a worker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    All,
    /// So that nobody waits for hours to see what was uploaded.
    Short,
}

impl Takes {
    fn kinds(self) -> Vec<&'static str> {
        match self {
            Self::All => [SHORT, LONG].concat(),
            Self::Short => SHORT.to_vec(),
        }
    }
}

/// Wakes a worker of each sort.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    all: Notify,
    short: Notify,
}

impl Wake {
    /// There may be work.
    pub(crate) fn notify_one(&self) {
        self.all.notify_one();
        self.short.notify_one();
    }

    async fn notified(&self, takes: Takes) {
        match takes {
            Takes::All => self.all.notified().await,
            Takes::Short => self.short.notified().await,
        }
    }
}

/// The background work of a process.
pub struct Workers {
    core: Core,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// A job that is not done: waiting, or given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Pages by this.
    pub id: i64,
    /// What kind of work.
    pub kind: String,
    /// What it is about.
    pub key: String,
    /// How often it was tried.
    pub attempts: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Not before this.
    pub due_at: Timestamp,
}

impl Workers {
    /// Takes no new jobs, and waits for those that run. What is cut off by the end of the process runs again elsewhere.
    /// Then writes down what of the audit log waits in memory, so it is called when no request is served any more.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.core.flush_at_the_end().await;
    }
}

impl Core {
    /// Starts this process's workers.
    pub fn start_workers(&self) -> Workers {
        let stop = CancellationToken::new();
        *self.inner.stopping.lock() = stop.clone();
        let mut tasks = JoinSet::new();
        // Each of them may have work that takes hours; one more has not.
        let workers = std::iter::repeat_n(Takes::All, self.inner.config.workers.max(2)).chain([Takes::Short]);
        for takes in workers {
            // Each worker is a holder of its own: one that lost its lease must not end the work of the one that took over.
            let holder = hex::encode(self.inner.entropy.bytes::<8>());
            tasks.spawn(self.clone().work(takes, holder, stop.clone()));
        }
        tasks.spawn(self.clone().ask_for_sweeps(stop.clone()));
        tasks.spawn(self.clone().keep_collecting(stop.clone()));
        tasks.spawn(self.clone().ask_for_scrubs(stop.clone()));
        tasks.spawn(self.clone().keep_flushing(stop.clone()));
        Workers { core: self.clone(), stop, tasks }
    }

    async fn work(self, takes: Takes, holder: String, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.run_one_of(takes, &holder).await {
                Ok(true) => {}
                Ok(false) => self.wait_for_work(takes, &stop).await,
                Err(error) => {
                    tracing::warn!(%error, "no job could be taken");
                    self.wait_for_work(takes, &stop).await;
                }
            }
        }
    }

    async fn wait_for_work(&self, takes: Takes, stop: &CancellationToken) {
        let kinds = takes.kinds();
        let due = self.inner.db.read(&kinds, |tx, kinds| Box::pin(jobs::next_due(tx, kinds))).await.ok().flatten();
        let poll = self.inner.config.job_poll;
        let until_due = due.map_or(poll, |due| due.since(self.inner.clock.now()));
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.inner.work.notified(takes) => {}
            () = tokio::time::sleep(until_due.clamp(Duration::from_millis(5), poll)) => {}
        }
    }

    /// Does one job if one is due. Public for tests that do without workers.
    ///
    /// # Errors
    /// Those of the database; what goes wrong in the job itself is written to its row.
    pub async fn run_one(&self, holder: &str) -> Result<bool> {
        self.run_one_of(Takes::All, holder).await
    }

    async fn run_one_of(&self, takes: Takes, holder: &str) -> Result<bool> {
        let now = self.inner.clock.now();
        let args = (holder.to_owned(), now, takes.kinds(), self.leases());
        let leased = self.inner.db.write(Durability::Relaxed, args, |tx, (holder, now, kinds, spans)| {
            Box::pin(jobs::lease(tx, holder, *now, kinds, *spans))
        });
        let Some(job) = leased.await.map_err(Error::from)? else { return Ok(false) };
        let panicked = |_| Err(Error::Inconsistent("the job panicked".into()));
        let handled = Box::pin(std::panic::AssertUnwindSafe(self.handle(&job)).catch_unwind());
        let Some(outcome) = self.hold(&job, holder, handled).await else { return Ok(true) };
        let problem = outcome.unwrap_or_else(panicked).err().map(|error| error.to_string());
        self.settle(job, holder, problem).await?;
        self.announce_publication();
        Ok(true)
    }

    /// Does the work of a job that `holder` has leased, and keeps the lease. `None` if it was lost, and the work broken off.
    pub(crate) async fn hold<T>(&self, job: &jobs::Job, holder: &str, work: impl Future<Output = T>) -> Option<T> {
        // In a task of its own: work that keeps its thread busy must not keep its own sign of life from going out, nor leave one
        // half done, whose transaction would hold the job's row.
        let mut heartbeat =
            AbortOnDropHandle::new(tokio::spawn(self.clone().keep_lease(job.clone(), holder.to_owned())));
        tokio::select! {
            done = work => Some(done),
            _ = &mut heartbeat => None,
        }
    }

    pub(crate) fn leases(&self) -> jobs::Spans<'static> {
        jobs::Spans { others: self.inner.config.job_lease, of: (PUBLISH, self.inner.config.publish_lease) }
    }

    async fn handle(&self, job: &jobs::Job) -> Result<()> {
        match job.kind.as_str() {
            PUBLISH => self.publish(&job.payload).await,
            RENEW => self.renew(&job.payload).await,
            REFLECT => self.reflect(&job.payload).await,
            SWEEP => self.sweep().await,
            BACKUP => self.run_backup(job).await,
            SCRUB => self.scrub().await,
            DESTROY => self.destroy(&job.key).await,
            EMPTY_BIN => self.empty_bin().await,
            PURGE => self.go_on_purging(job).await,
            other => Err(Error::Inconsistent(format!("jobs of the kind {other} are not known here"))),
        }
    }

    /// Ends only when the lease is lost: then somebody else does the job.
    async fn keep_lease(self, job: jobs::Job, holder: String) {
        let span = self.leases().of(&job.kind);
        loop {
            tokio::time::sleep(span / 3).await;
            let args = (job.id, holder.clone(), span);
            let kept = self.inner.db.write(Durability::Relaxed, args, |tx, (id, holder, span)| {
                Box::pin(jobs::heartbeat(tx, *id, holder, *span))
            });
            // A database that is away for a moment does not end the work.
            if matches!(kept.await, Ok(false)) {
                tracing::warn!(job.id, job.kind, "the lease was lost to another worker");
                return;
            }
        }
    }

    /// Ends a job, or puts it off because of what went wrong.
    pub(crate) async fn settle(&self, job: jobs::Job, holder: &str, error: Option<String>) -> Result<()> {
        let now = self.inner.clock.now();
        if let Some(error) = &error {
            tracing::warn!(job.id, job.kind, job.key, job.attempts, error, "a job failed");
        }
        // What must not be here is not forgotten because a disk was away for a weekend.
        let give_up = job.attempts >= self.inner.config.job_attempts && job.kind != PURGE;
        // 1 s, 2 s, 4 s … up to about an hour.
        let pause = Duration::from_secs(1 << job.attempts.saturating_sub(1).min(12));
        let args = (job, holder.to_owned(), error, give_up, now, now.after(pause));
        let settled = self.inner.db.write(Durability::Full, args, |tx, (job, holder, error, give_up, now, due)| {
            Box::pin(async move {
                match error {
                    None => finish(tx, job, holder).await?,
                    Some(error) if *give_up => jobs::bury(tx, job.id, holder, error, *now).await?,
                    Some(error) => jobs::retry(tx, job, holder, error, *due).await?,
                }
                Ok::<_, Error>(())
            })
        });
        settled.await
    }

    /// Up to `limit` jobs that are not done, or (`dead`) were given up, by id after `after`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn jobs(&self, dead: bool, after: i64, limit: usize) -> Result<Vec<Job>> {
        let args = (dead, after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self
            .inner
            .db
            .read(&args, |tx, (dead, after, limit)| Box::pin(jobs::page(tx, *dead, *after, *limit)))
            .await
            .map_err(Error::from)?;
        let job = |row: jobs::Job| {
            let key = subject(&row);
            let jobs::Job { id, kind, attempts, last_error, due_at, .. } = row;
            Job { id, kind, key, attempts, last_error, due_at }
        };
        Ok(rows.into_iter().map(job).collect())
    }

    /// Gives a job that was given up another chance. False if there is no such job.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn retry_job(&self, id: i64, actor: &crate::Actor) -> Result<bool> {
        let args = (id, actor.clone(), self.inner.clock.now());
        let revived = self
            .inner
            .db
            .write(Durability::Full, args, |tx, (id, actor, at)| Box::pin(revive(tx, *id, actor, *at)))
            .await?;
        self.inner.work.notify_one();
        Ok(revived)
    }
}

/// The least number of a run that is asked for at this time: numbers grow with it, and fit into one of JavaScript.
pub(crate) fn first_run(at: Timestamp) -> i64 {
    at.as_millis() * 4096
}

impl crate::Inner {
    /// A number for a run; two that are asked for at once are told apart.
    pub(crate) fn new_run(&self, at: Timestamp) -> i64 {
        first_run(at) + i64::from(u16::from_le_bytes(self.entropy.bytes()) & 4095)
    }
}

/// What a job is about, for people: its key is for machines.
fn subject(job: &jobs::Job) -> String {
    let told = match job.kind.as_str() {
        PUBLISH | RENEW => Order::subject(&job.payload),
        REFLECT => artifact::Order::subject(&job.payload),
        _ => None,
    };
    told.unwrap_or_else(|| job.key.clone())
}

/// The work is done, so what was given up of it before is done too, and nobody has to ask for it again.
async fn finish(tx: &mut Tx<'_>, done: &jobs::Job, holder: &str) -> Result<()> {
    const STEP: i64 = 100;
    if !jobs::finish(tx, done.id, holder).await? {
        return Ok(());
    }
    let mut after = 0;
    while jobs::pending(tx, &done.kind, &done.key).await?.is_some_and(|job| job.dead) {
        let given_up = jobs::page(tx, true, after, STEP).await?;
        let Some(last) = given_up.last() else { break };
        after = last.id;
        for job in given_up.iter().filter(|job| job.kind == done.kind && job.key == done.key) {
            jobs::exhume(tx, job.id).await?;
        }
    }
    Ok(())
}

async fn revive(tx: &mut Tx<'_>, id: i64, actor: &crate::Actor, at: Timestamp) -> Result<bool> {
    let Some(job) = jobs::exhume(tx, id).await? else { return Ok(false) };
    jobs::enqueue(tx, &job.kind, &job.key, &job.payload, at, at).await?;
    let entry = wharf_db::catalog::audit::Entry {
        subject: Some(format!("{} {}", job.kind, subject(&job)).trim_end().to_owned()),
        ..actor.did_to_server("job.retry", at)
    };
    wharf_db::catalog::audit::append(tx, &entry).await?;
    Ok(true)
}
