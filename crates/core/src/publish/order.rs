//! Orders for an index: written with the change that asks for it, and waited for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_db::catalog::{generations, jobs};
use wharf_db::{Durability, Tx};
use wharf_types::{RepoName, Timestamp};

use crate::repository::Target;
use crate::{Core, Error, Result};

/// The kind of the jobs that publish indexes.
pub(crate) const PUBLISH: &str = "publish";

/// The kind of the jobs that ask for an index whose time runs out.
pub(crate) const RENEW: &str = "renew";

/// What the job row says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(super) repository: i64,
    pub(super) channel: String,
    pub(super) format: String,
    pub(super) name: RepoName,
}

/// What a waiting request sees of the work it waits for.
struct Progress {
    pending: Option<jobs::Pending>,
    /// The newest generations, at most two, the newest first.
    newest: Vec<i64>,
}

impl Order {
    pub(super) fn read(payload: &str) -> Result<Self> {
        serde_json::from_str(payload).map_err(|error| Error::Inconsistent(format!("an order for an index: {error}")))
    }

    /// What it is about, for people.
    pub(crate) fn subject(payload: &str) -> Option<String> {
        let Self { channel, format, name, .. } = Self::read(payload).ok()?;
        Some(format!("{format} {name} {channel}").trim_end().to_owned())
    }
}

fn job_key(repository: i64, channel: &str) -> String {
    format!("{repository}/{channel}")
}

/// Asks for an index of a channel of a repository: at once where none was published lately, otherwise so much later that a
/// burst of changes makes few generations.
pub(crate) async fn ask_for_index(
    tx: &mut Tx<'_>,
    target: &Target,
    (repository, channel): (i64, &str),
    delay: Duration,
    at: Timestamp,
) -> Result<()> {
    let newest = generations::page(tx, repository, channel, 1).await?;
    let rested = newest.first().map_or(at, |(_, made, _)| made.after(delay));
    // Replicas' clocks differ: whatever they say, nobody waits longer than the delay.
    let due = rested.clamp(at, at.after(delay));
    let (format, name) = (target.format.as_str().to_owned(), target.name.clone());
    let order = Order { repository, channel: channel.to_owned(), format, name };
    let payload = serde_json::to_string(&order).map_err(|error| Error::Inconsistent(error.to_string()))?;
    Ok(jobs::enqueue(tx, PUBLISH, &job_key(repository, channel), &payload, due, at).await?)
}

/// Asks that an index be asked for again at `due`. That is work of another kind, so that nobody waits for it.
pub(super) async fn ask_for_renewal(
    tx: &mut Tx<'_>,
    target: &Target,
    (repository, channel): (i64, &str),
    due: Timestamp,
    at: Timestamp,
) -> Result<()> {
    let (format, name) = (target.format.as_str().to_owned(), target.name.clone());
    let order = Order { repository, channel: channel.to_owned(), format, name };
    let payload = serde_json::to_string(&order).map_err(|error| Error::Inconsistent(error.to_string()))?;
    Ok(jobs::enqueue(tx, RENEW, &job_key(repository, channel), &payload, due, at).await?)
}

async fn renew(tx: &mut Tx<'_>, (order, at): &(Order, Timestamp)) -> Result<()> {
    let key = job_key(order.repository, &order.channel);
    let payload = serde_json::to_string(order).map_err(|error| Error::Inconsistent(error.to_string()))?;
    Ok(jobs::enqueue(tx, PUBLISH, &key, &payload, *at, *at).await?)
}

impl Core {
    /// Runs a job of the kind [`RENEW`].
    pub(crate) async fn renew(&self, payload: &str) -> Result<()> {
        let args = (Order::read(payload)?, self.inner.clock.now());
        self.inner.db.write(Durability::Full, args, |tx, args| Box::pin(renew(tx, args))).await?;
        self.inner.work.notify_one();
        Ok(())
    }

    /// Waits until the index of a channel lists everything that was taken in before the call: what `?wait=1` asks for.
    ///
    /// # Errors
    /// [`Error::NotPublished`] after half a minute, or when the work was given up.
    pub async fn wait_until_published(&self, target: &Target, channel: &str) -> Result<()> {
        let late = || Error::NotPublished("it was not published in time and still will be".into());
        tokio::time::timeout(super::PATIENCE, self.published(target, channel)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn published(&self, target: &Target, channel: &str) -> Result<()> {
        let mut since = None;
        loop {
            let heard = self.inner.published.heard();
            let Progress { pending, newest } = self.progress(target, channel).await?;
            let since = *since.get_or_insert(newest.first().copied().unwrap_or_default());
            // Where others go on changing the channel there is always work to do. A generation follows the one that was
            // current when it was begun, so the second new one was begun after this call and has what was there before it.
            if newest.get(1).is_some_and(|second| *second > since) {
                return Ok(());
            }
            match pending {
                None => return Ok(()),
                Some(job) if job.dead => return Err(Error::NotPublished(job.last_error.unwrap_or_default())),
                // Another replica may do the work, and then nothing is heard here.
                Some(_) => drop(tokio::time::timeout(Duration::from_millis(100), heard).await),
            }
        }
    }

    async fn progress(&self, target: &Target, channel: &str) -> Result<Progress> {
        let args = (target, channel);
        let found = self.inner.db.read(&args, |tx, (target, channel)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                let pending = jobs::pending(tx, PUBLISH, &job_key(repository, channel)).await?;
                let newest = generations::page(tx, repository, channel, 2).await?;
                Ok::<_, Error>(Progress { pending, newest: newest.into_iter().map(|(id, ..)| id).collect() })
            })
        });
        found.await
    }
}
