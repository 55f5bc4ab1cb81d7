//! A purge as a job: what it was told is in the job, what it has still to look at in `purge_candidates`, and what went in `purges`,
//! each written down before what it is about goes. So it can be taken up after any step.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use wharf_auth::Origin;
use wharf_db::catalog::{audit, events, holders, jobs, purges};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, RepoName, Timestamp};

use super::{Purged, Purging};
use crate::actor::about;
use crate::repository::Target;
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
}

impl Order {
    /// As the catalog remembers it, of one thing.
    pub(super) fn row(&self, digest: Option<Digest>, repository: Option<String>) -> purges::Purge {
        let (actor, reason) = (self.actor.name.clone(), self.reason.clone());
        let (run, under_way) = (Some(self.run), true);
        purges::Purge { id: 0, digest, repository, actor, reason, at: self.at, run, under_way }
    }

    fn payload(&self) -> Result<String> {
        let Self { run, goes, actor, reason, at, due } = self.clone();
        let Origin { address, request_id } = actor.origin().clone();
        let (actor, credential) = (actor.name, actor.credential);
        let (at, due) = (at.as_millis(), due.as_millis());
        let payload = Payload { run, goes, actor, credential, address, request_id, reason, at, due };
        serde_json::to_string(&payload).map_err(|error| Error::Inconsistent(error.to_string()))
    }

    fn from_payload(text: &str) -> Result<Self> {
        let unreadable = |error| Error::Inconsistent(format!("a purge cannot be read: {error}"));
        let payload: Payload = serde_json::from_str(text).map_err(unreadable)?;
        let Payload { run, goes, actor, credential, address, request_id, reason, at, due } = payload;
        let actor = Actor::absent(actor, credential, Origin { address, request_id });
        let (at, due) = (Timestamp::from_millis(at), Timestamp::from_millis(due));
        Ok(Self { run, goes, actor, reason, at, due })
    }
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
        // Grows with time, and two at once are told apart.
        let run = at.as_millis() * 4096 + i64::from(u16::from_le_bytes(self.inner.entropy.bytes()) & 4095);
        Ok(Order { run, goes, actor: actor.clone(), reason: reason.to_owned(), at, due })
    }

    /// Writes the purge down, with its line in the audit log and the job that `holder` has begun, before anything goes.
    pub(super) async fn begin_purge(&self, order: &Order, holder: &str) -> Result<jobs::Job> {
        let args = (order.clone(), order.payload()?, holder.to_owned(), self.leases().of(PURGE));
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
            self.carry_out(&order, &mut purged).await?;
            self.note_beside_backups(&order).await
        };
        let Some(done) = self.hold(&job, &holder, work).await else { return Err(Error::PurgeGoesOn) };
        let problem = done.as_ref().err().filter(|error| !is_refusal(error)).map(ToString::to_string);
        if let Err(error) = self.settle(job, &holder, problem).await {
            tracing::warn!(%error, "the end of a purge was not written down: a worker looks at it again");
        }
        purged.noted = match done {
            Ok(noted) => noted,
            Err(Error::NotNoted(_)) => Some(false),
            Err(error) => return Err(error),
        };
        Ok(purged)
    }

    /// Runs a job of the kind `purge`: one that was cut off, or could not be told to a place of backups.
    pub(crate) async fn go_on_purging(&self, payload: &str) -> Result<()> {
        let (order, mut purged) = (Order::from_payload(payload)?, Purged::default());
        match self.carry_out(&order, &mut purged).await {
            Err(error) if is_refusal(&error) => tracing::warn!(%error, order.reason, "a purge ended early"),
            carried_out => carried_out?,
        }
        self.note_beside_backups(&order).await?;
        tracing::info!(
            blobs = purged.blobs,
            objects = purged.objects,
            order.reason,
            "a purge that was cut off is done"
        );
        Ok(())
    }

    async fn carry_out(&self, order: &Order, purged: &mut Purged) -> Result<()> {
        match &order.goes {
            Goes::Digest { digest, force } => self.purge_digest(digest, *force, order, purged).await?,
            Goes::Repository { format, name, rows } => {
                let unknown = || Error::Inconsistent(format!("the format {format} is not known here"));
                let target = Target::new(self.format_named(format).ok_or_else(unknown)?, name.clone());
                self.purge_repository(&target, rows, order, purged).await?;
            }
        }
        if let Err(error) = self.inner.db.wipe().await {
            tracing::error!(%error, "what was purged may still be read in the files of the database, until its log starts anew");
        }
        Ok(())
    }
}

/// Asks for what was purged at `at` to go again, because a restore has brought back what names it. `number` tells those apart that are
/// asked for at once.
pub(crate) async fn ask_to_purge(
    tx: &mut Tx<'_>,
    digest: Digest,
    at: Timestamp,
    number: usize,
    now: Timestamp,
) -> Result<()> {
    let run = now.as_millis() * 4096 + number as i64;
    let (goes, actor) = (Goes::Digest { digest, force: true }, Actor::system());
    let order = Order { run, goes, actor, reason: "purged before the restore".to_owned(), at, due: now };
    purges::insert(tx, &order.row(Some(digest), None)).await?;
    Ok(jobs::enqueue(tx, PURGE, &run.to_string(), &order.payload()?, now, now).await?)
}

/// What trying again does not change: somebody has to decide.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::PurgeBreaks(_) | Error::PurgeIndexed { .. })
}

async fn write_down(tx: &mut Tx<'_>, order: &Order) -> Result<()> {
    let (digest, repository) = match &order.goes {
        Goes::Digest { digest, .. } => (Some(*digest), None),
        Goes::Repository { format, name, .. } => (None, Some((format, name))),
    };
    let entry = match repository {
        Some((_, name)) => order.actor.did("content.purge", name, order.at),
        None => audit::Entry { project: None, ..order.actor.did_to_project("content.purge", "", order.at) },
    };
    let repository = repository.map(|(format, name)| format!("{format}/{}", name.canonical()));
    purges::insert(tx, &order.row(digest, repository.clone())).await?;
    let detail = (!order.reason.is_empty()).then(|| order.reason.clone());
    audit::append(tx, &audit::Entry { detail, ..about(entry, None, digest) }).await?;
    let payload = serde_json::json!({ "digest": digest, "repository": repository });
    Ok(events::append(tx, order.at, "content.purged", &payload.to_string()).await?)
}
