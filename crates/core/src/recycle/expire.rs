//! The end of what lies in the bin: its time is up, or somebody did not want to wait.

use std::time::Duration;

use wharf_db::catalog::bin::{self, Kind, Outcome};
use wharf_db::catalog::{audit, tags};
use wharf_db::{Durability, Tx};
use wharf_types::Timestamp;

use super::restore::entry_of;
use crate::actor::about;
use crate::collect::ask_to_destroy;
use crate::repository::Target;
use crate::{Actor, Core, Error, Result};

/// The kind of the job.
pub(crate) const EMPTY_BIN: &str = "empty-bin";

/// Entries of one transaction. Each may bring ten thousand digests to be reviewed.
const ENTRIES: i64 = 20;
/// Moves of tags that one transaction forgets.
const MOVES: i64 = 1000;

/// So long an entry that has ended says so.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

struct Emptying {
    target: Target,
    id: i64,
    actor: Actor,
    at: Timestamp,
    due: Timestamp,
}

impl Core {
    /// Lets everything go whose time in the bin is up, and forgets old moves of tags. A few at a time; what was done stays done.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn empty_bin(&self) -> Result<()> {
        let now = self.inner.clock.now();
        let due = now.after(self.inner.config.review_delay);
        loop {
            let step = self
                .inner
                .db
                .write(Durability::Full, (now, due), |tx, (now, due)| Box::pin(expire_some(tx, *now, *due)));
            if step.await? == 0 {
                break;
            }
        }
        let before = now.before(self.inner.config.history_retention);
        loop {
            let step = self
                .inner
                .db
                .write(Durability::Relaxed, before, |tx, before| Box::pin(tags::trim_history(tx, *before, MOVES)));
            if step.await.map_err(Error::from)? == 0 {
                return Ok(());
            }
        }
    }

    /// Lets one entry go at once: it cannot be restored any more, and what nothing else needs is collected.
    ///
    /// # Errors
    /// [`SecondThought::NoEntry`](crate::SecondThought::NoEntry), [`SecondThought::Ended`](crate::SecondThought::Ended).
    pub async fn empty_bin_entry(&self, target: &Target, id: i64, actor: &Actor) -> Result<()> {
        let at = self.inner.clock.now();
        let due = at.after(self.inner.config.review_delay);
        let args = Emptying { target: target.clone(), id, actor: actor.clone(), at, due };
        self.inner.db.write(Durability::Full, args, |tx, e| Box::pin(empty(tx, e))).await
    }
}

async fn empty(tx: &mut Tx<'_>, emptying: &Emptying) -> Result<()> {
    let Emptying { target, id, actor, at, due } = emptying;
    let entry = entry_of(tx, target, *id, actor, *at).await?;
    let_go(tx, &entry, Outcome::Emptied, *at, *due).await?;
    Ok(audit::append(tx, &line(actor, "bin.empty", &entry, *at)).await?)
}

/// How many entries went. The newest that has ended never goes, so a step that finds only that one is the last.
async fn expire_some(tx: &mut Tx<'_>, now: Timestamp, due: Timestamp) -> Result<usize> {
    let mut gone = 0;
    for entry in bin::due(tx, now, ENTRIES).await? {
        if entry.ended.is_some() {
            gone += usize::from(bin::forget(tx, entry.id).await?);
            continue;
        }
        let_go(tx, &entry, Outcome::Expired, now, due).await?;
        audit::append(tx, &line(&Actor::system(), "bin.expire", &entry, now)).await?;
        gone += 1;
    }
    Ok(gone)
}

/// Ends an entry. What it needed is reviewed; a repository is taken apart by the collector.
async fn let_go(tx: &mut Tx<'_>, entry: &bin::Entry, outcome: Outcome, at: Timestamp, due: Timestamp) -> Result<()> {
    let reason = format!("{} in the bin", outcome.as_str());
    bin::review(tx, entry.id, &reason, due).await?;
    bin::end(tx, entry.id, outcome, at, at.after(REMEMBERED)).await?;
    if entry.kind == Kind::Repository {
        ask_to_destroy(tx, entry.repository_id, at).await?;
    }
    Ok(())
}

/// A line of the audit log about an entry.
pub(super) fn line(actor: &Actor, action: &str, entry: &bin::Entry, at: Timestamp) -> audit::Entry {
    let subject = (entry.kind != Kind::Repository).then(|| entry.name.clone());
    let mut line = about(actor.did(action, &entry.repository, at), subject, entry.digest);
    line.detail = Some(format!("entry {}: a {}", entry.id, entry.kind.as_str()));
    line
}
