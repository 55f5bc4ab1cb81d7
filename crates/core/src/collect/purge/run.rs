//! A purge as a job: what it was told is in the job, what it has still to look at in `purge_candidates`, and what went in `purges`,
//! each written down before what it is about goes. So it can be taken up after any step.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use wharf_auth::Origin;
use wharf_db::catalog::{audit, events, holders, jobs, purges};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, RepoName, Timestamp};

use super::{Purged, Purging};
use crate::actor::about;
use crate::job::first_run;
use crate::repository::Target;
use crate::trail::PURGE_REFUSED;
use crate::{Actor, Core, Error, Result};

/// The kind of the job. Its key is the number of the run.
pub(crate) const PURGE: &str = "purge";

/// What goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goes {
    Digest {
        digest: Digest,
        force: bool,
    },
    /// Those that went before, with the time in milliseconds, and that a restore has brought back.
    Again {
        digests: Vec<(Digest, i64)>,
    },
    /// By their rows, because the name may mean another one by the time a run is taken up.
    Repository {
        format: String,
        name: RepoName,
        rows: Vec<i64>,
    },
}

/// What was asked for, by whom and when.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub run: i64,
    pub goes: Goes,
    pub actor: Actor,
    pub reason: String,
    pub at: Timestamp,
    /// When what lost a reference by the way is reviewed.
    pub due: Timestamp,
}

/// An order as the job remembers it; times in milliseconds.
#[derive(Serialize, Deserialize)]
struct Payload {
    run: i64,
    goes: Goes,
    actor: String,
    credential: String,
    address: Option<IpAddr>,
    request_id: Option<String>,
    reason: String,
    at: i64,
    due: i64,
    /// Whether all is gone, and only to be told.
    #[serde(default)]
    carried_out: bool,
}

impl Order {
    /// As the catalog remembers it, of one thing.
    pub(super) fn row(&self, digest: Option<Digest>, repository: Option<String>) -> purges::Purge {
        let (actor, reason) = (self.actor.name.clone(), self.reason.clone());
        let (run, under_way) = (Some(self.run), true);
        purges::Purge { id: 0, digest, repository, repository_id: None, actor, reason, at: self.at, run, under_way }
    }

    /// What it is about, one by one.
    fn rows(&self) -> Vec<purges::Purge> {
        match &self.goes {
            Goes::Digest { digest, .. } => vec![self.row(Some(*digest), None)],
            Goes::Repository { rows, .. } => {
                let row = |id: &i64| purges::Purge { repository_id: Some(*id), ..self.row(None, self.repository()) };
                rows.iter().map(row).collect()
            }
            Goes::Again { digests } => {
                digests.iter().map(|(digest, at)| self.of(*digest, *at).row(Some(*digest), None)).collect()
            }
        }
    }

    /// The order for one of those that went before.
    fn of(&self, digest: Digest, at: i64) -> Self {
        let (goes, at) = (Goes::Digest { digest, force: true }, Timestamp::from_millis(at));
        Self { run: self.run, goes, actor: self.actor.clone(), reason: self.reason.clone(), at, due: self.due }
    }

    /// The rows of the repository that goes.
    pub(super) fn repository_rows(&self) -> &[i64] {
        match &self.goes {
            Goes::Digest { .. } | Goes::Again { .. } => &[],
            Goes::Repository { rows, .. } => rows,
        }
    }

    /// The repository that goes, as `<format>/<canonical name>`.
    pub(super) fn repository(&self) -> Option<String> {
        match &self.goes {
            Goes::Digest { .. } | Goes::Again { .. } => None,
            Goes::Repository { format, name, .. } => Some(format!("{format}/{}", name.canonical())),
        }
    }

    fn digest(&self) -> Option<Digest> {
        if let Goes::Digest { digest, .. } = &self.goes { Some(*digest) } else { None }
    }

    /// A line of the audit log about it.
    fn entry(&self, action: &str, at: Timestamp) -> audit::Entry {
        let entry = match &self.goes {
            Goes::Repository { name, .. } => self.actor.did(action, name, at),
            _ => self.actor.did_to_server(action, at),
        };
        about(entry, None, self.digest())
    }

    fn payload(&self, carried_out: bool) -> Result<String> {
        let Self { run, goes, actor, reason, at, due } = self.clone();
        let Origin { address, request_id } = actor.origin().clone();
        let (actor, credential) = (actor.name, actor.credential);
        let (at, due) = (at.as_millis(), due.as_millis());
        let payload = Payload { run, goes, actor, credential, address, request_id, reason, at, due, carried_out };
        serde_json::to_string(&payload).map_err(|error| Error::Inconsistent(error.to_string()))
    }

    /// With whether it is carried out.
    fn from_payload(text: &str) -> Result<(Self, bool)> {
        let unreadable = |error| Error::Inconsistent(format!("a purge cannot be read: {error}"));
        let payload: Payload = serde_json::from_str(text).map_err(unreadable)?;
        let Payload { run, goes, actor, credential, address, request_id, reason, at, due, carried_out } = payload;
        let actor = Actor::absent(actor, credential, Origin { address, request_id });
        let (at, due) = (Timestamp::from_millis(at), Timestamp::from_millis(due));
        Ok((Self { run, goes, actor, reason, at, due }, carried_out))
    }
}

/// What is left to do when all is gone.
#[derive(Default)]
struct Told {
    /// Whether the places of backups know of it; `None` if there are none.
    noted: Option<bool>,
    /// Why it is to be tried again.
    problem: Option<String>,
}

impl Core {
    /// What the job will have to do, unless that is refused.
    pub(super) async fn order_purge(&self, what: &Purging, force: bool, reason: &str, actor: &Actor) -> Result<Order> {
        let goes = match what {
            Purging::Digest(digest) => {
                let namers = self.namers(digest).await?;
                if !force && !namers.is_empty() {
                    return Err(Error::PurgeBreaks(namers));
                }
                Goes::Digest { digest: *digest, force }
            }
            Purging::Repository(Target { format, name, .. }) => {
                let args = (format.as_str().to_owned(), name.canonical().to_owned());
                let rows = self
                    .inner
                    .db
                    .read(&args, |tx, (format, name)| Box::pin(holders::repositories_named(tx, format, name)));
                let rows = rows.await.map_err(Error::from)?;
                if rows.is_empty() {
                    return Err(Error::RepositoryUnknown(name.clone()));
                }
                Goes::Repository { format: format.as_str().to_owned(), name: name.clone(), rows }
            }
        };
        let at = self.inner.clock.now();
        let due = at.after(self.inner.config.review_delay);
        let run = self.inner.new_run(at);
        Ok(Order { run, goes, actor: actor.clone(), reason: reason.to_owned(), at, due })
    }

    /// Writes the purge down, with its line in the audit log and the job that `holder` has begun, before anything goes.
    pub(super) async fn begin_purge(&self, order: &Order, holder: &str) -> Result<jobs::Job> {
        let args = (order.clone(), order.payload(false)?, holder.to_owned(), self.leases().of(PURGE));
        let begun = self.inner.db.write(Durability::Full, args, |tx, (order, payload, holder, span)| {
            Box::pin(async move {
                write_down(tx, order).await?;
                let work = (PURGE, order.run.to_string());
                Ok::<_, Error>(jobs::begin(tx, (work.0, &work.1, payload), holder, *span, order.at).await?)
            })
        });
        begun.await
    }

    /// Does the job that [`Core::begin_purge`] wrote down.
    pub(super) async fn purge_at_once(self, order: Order, job: jobs::Job, holder: String) -> Result<Purged> {
        let mut purged = Purged::default();
        let work = async {
            let refused = self.carry_out(&order, &mut purged).await?;
            Ok::<_, Error>((refused, self.tell(&order, job.id).await))
        };
        let Some(done) = self.hold(&job, &holder, work).await else { return Err(Error::PurgeGoesOn) };
        let problem = match &done {
            Ok((_, told)) => told.problem.clone(),
            Err(error) => Some(error.to_string()),
        };
        if let Err(error) = self.settle(job, &holder, problem).await {
            tracing::warn!(%error, "the end of a purge was not written down: a worker looks at it again");
        }
        let (refused, told) = done?;
        purged.noted = told.noted;
        refused.map_or(Ok(purged), Err)
    }

    /// Runs a job of the kind `purge`: one that was cut off, or that has still somebody to tell.
    pub(crate) async fn go_on_purging(&self, job: &jobs::Job) -> Result<()> {
        let (order, carried_out) = Order::from_payload(&job.payload)?;
        if !carried_out {
            let rows = order.rows();
            let known = self.inner.db.write(Durability::Full, rows, |tx, rows| {
                Box::pin(async move {
                    for row in rows {
                        purges::insert_once(tx, row).await?;
                    }
                    Ok::<_, wharf_db::Error>(())
                })
            });
            known.await?;
            let mut purged = Purged::default();
            if self.carry_out(&order, &mut purged).await?.is_none() {
                let Purged { blobs, objects, .. } = purged;
                tracing::info!(blobs, objects, order.reason, "a purge that was cut off is carried out");
            }
        }
        self.tell(&order, job.id).await.problem.map_or(Ok(()), |problem| Err(Error::PurgeUnfinished(problem)))
    }

    /// Removes what is ordered. Gives why the one digest that was ordered was refused.
    async fn carry_out(&self, order: &Order, purged: &mut Purged) -> Result<Option<Error>> {
        match &order.goes {
            Goes::Digest { digest, force } => {
                let refused = self.purge_digest(digest, *force, order, purged).await?;
                self.purge_candidates(order, purged).await?;
                return Ok(refused);
            }
            Goes::Again { digests } => {
                for (digest, at) in digests {
                    self.purge_digest(digest, true, &order.of(*digest, *at), purged).await?;
                }
                self.purge_candidates(order, purged).await?;
            }
            Goes::Repository { format, name, rows } => {
                let unknown = || Error::Inconsistent(format!("the format {format} is not known here"));
                let target = Target::new(self.format_named(format).ok_or_else(unknown)?, name.clone());
                self.purge_repository(&target, rows, order, purged).await?;
            }
        }
        Ok(None)
    }

    /// Says in the audit log that a purge was refused after it had begun, once for each try.
    pub(super) async fn note_refusal(&self, order: &Order, why: &Error) -> Result<()> {
        tracing::error!(error = %why, order.reason, "a purge was given up");
        let line = order.entry(PURGE_REFUSED, self.inner.clock.now());
        self.write_line(audit::Entry { detail: Some(why.to_string()), ..line }).await
    }

    /// Tells the places of backups, and empties the log of the database. What goes wrong is tried again, and nothing is taken twice.
    async fn tell(&self, order: &Order, job: i64) -> Told {
        match self.try_to_tell(order, job).await {
            Ok(told) => told,
            Err(error) => Told { noted: Some(false), problem: Some(error.to_string()) },
        }
    }

    async fn try_to_tell(&self, order: &Order, job: i64) -> Result<Told> {
        let args = (job, order.payload(true)?);
        let known = self
            .inner
            .db
            .write(Durability::Full, args, |tx, (job, payload)| Box::pin(jobs::set_payload(tx, *job, payload)));
        known.await.map_err(Error::from)?;
        let mut told = Told::default();
        // The depot that it was restored from knows.
        if !matches!(order.goes, Goes::Again { .. }) {
            (told.noted, told.problem) = self.note_beside_backups(order).await?;
        }
        if let Err(error) = self.inner.db.wipe().await {
            tracing::error!(%error, "what was purged may still be read in the files of the database: its log is emptied later");
            told.problem.get_or_insert(error.to_string());
        }
        Ok(told)
    }
}

/// What was purged, and when.
#[derive(Debug, Clone, Default)]
pub(crate) struct PurgedBefore {
    pub(crate) digests: BTreeMap<Digest, Timestamp>,
    /// Their rows, with `<format>/<canonical name>`.
    pub(crate) repositories: BTreeMap<i64, (String, Timestamp)>,
}

/// Asks for what was purged to go again, because a restore has brought back what names it. It writes jobs only: the schema may be older
/// than the rest.
pub(crate) async fn ask_to_purge(tx: &mut Tx<'_>, purged: &PurgedBefore, now: Timestamp) -> Result<()> {
    let mut wanted = Vec::new();
    for (id, (repository, at)) in &purged.repositories {
        let Some((format, name)) = repository.split_once('/') else { continue };
        if let Ok(name) = name.parse()
            && purges::has_repository(tx, *id).await?
        {
            wanted.push((Goes::Repository { format: format.to_owned(), name, rows: vec![*id] }, *at));
        }
    }
    if !purged.digests.is_empty() {
        let digests = purged.digests.iter().map(|(digest, at)| (*digest, at.as_millis())).collect();
        wanted.push((Goes::Again { digests }, now));
    }
    for ((goes, at), number) in wanted.into_iter().zip(0..) {
        let (run, reason) = (first_run(now) + number, "purged before the restore".to_owned());
        let order = Order { run, goes, actor: Actor::system(), reason, at, due: now };
        jobs::enqueue(tx, PURGE, &run.to_string(), &order.payload(false)?, now, now).await?;
    }
    Ok(())
}

async fn write_down(tx: &mut Tx<'_>, order: &Order) -> Result<()> {
    for row in order.rows() {
        purges::insert(tx, &row).await?;
    }
    let detail = (!order.reason.is_empty()).then(|| order.reason.clone());
    audit::append(tx, &audit::Entry { detail, ..order.entry("content.purge", order.at) }).await?;
    let payload = serde_json::json!({ "digest": order.digest(), "repository": order.repository() });
    Ok(events::append(tx, order.at, "content.purged", &payload.to_string()).await?)
}
