//! Reviews: does anything still use this?
//!
//! A link goes in two steps. First it is hidden: pulls, checks and mounts do not see it, so that clients which need the blob
//! bring it again. A client that has seen it just before does not bring it, but names it in its manifest within the grace: that
//! shows the link again. Only a link that stayed hidden for all of the grace goes. So a push needs no write to keep a link, and
//! none is taken from under it.

use wharf_db::catalog::reviews::Review;
use wharf_db::catalog::{collection, doomed, reviews};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, Timestamp};

use super::Collected;
use crate::{Config, Core, Error, Result};

/// Reviews of one transaction: on SQLite every push waits while it runs.
const STEP: usize = 64;

/// Links of one transaction.
const LINKS: i64 = 256;

/// The least age of a link that is looked at: a transaction may commit later than its time says, and clocks differ.
const YOUNGEST: std::time::Duration = std::time::Duration::from_secs(60);

/// When things go, seen from `now`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) now: Timestamp,
    /// A link that is younger is looked at when it is old enough, by the cursor.
    pub(super) mature: Timestamp,
    pub(super) grace: std::time::Duration,
    /// Until then the cursor looks at links.
    pub(super) cursor: Timestamp,
    object_due: Timestamp,
}

impl Times {
    pub(super) fn new(config: &Config, now: Timestamp) -> Self {
        Self {
            now,
            mature: now.before(config.review_delay),
            grace: config.collection.grace,
            cursor: now.before(config.review_delay.max(YOUNGEST)),
            object_due: now.after(config.collection.wait),
        }
    }
}

/// What becomes of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is used. The flag says that it was hidden.
    Stays(bool),
    /// The cursor will come to it.
    TooYoung,
    /// Nothing uses it: it is hidden from now on.
    Hides,
    /// It is hidden until then.
    Waits(Timestamp),
    /// Its grace is over.
    Goes,
}

impl Times {
    pub(super) fn judge(&self, link: &collection::Link) -> Verdict {
        match link.expiring_at {
            hidden if link.needed => Verdict::Stays(hidden.is_some()),
            Some(since) if since.after(self.grace) <= self.now => Verdict::Goes,
            Some(since) => Verdict::Waits(since.after(self.grace)),
            None if link.created_at > self.mature => Verdict::TooYoung,
            None if self.grace.is_zero() => Verdict::Goes,
            None => Verdict::Hides,
        }
    }
}

impl Core {
    pub(super) fn times(&self) -> Times {
        Times::new(&self.inner.config, self.inner.clock.now())
    }

    /// Asks for reviews of links that have come of age without a use. Says how many it looked at.
    pub(super) async fn look_at_links(&self) -> Result<u64> {
        let times = self.times();
        let any = self.inner.db.read(&times, |tx, times| {
            Box::pin(async move {
                let from = collection::cursor(tx).await?;
                Ok::<_, Error>(!collection::links_by_age(tx, &from, times.cursor, 1).await?.is_empty())
            })
        });
        if !any.await? {
            return Ok(0);
        }
        let passed = self.inner.db.write(Durability::Relaxed, times, |tx, times| {
            Box::pin(collection::look_at_links(tx, times.cursor, times.now, LINKS))
        });
        Ok(passed.await.map_err(Error::from)? as u64)
    }

    /// Leases a batch of reviews and settles it.
    pub(super) async fn review_some(&self, done: &mut Collected) -> Result<()> {
        let (times, config) = (self.times(), &self.inner.config);
        let any = self.inner.db.read(&times, |tx, times| Box::pin(reviews::any_due(tx, times.now))).await;
        if !any.map_err(Error::from)? {
            return Ok(());
        }
        let args = (times, config.job_lease, i64::from(config.collection.batch.max(1)));
        let leased = self.inner.db.write(Durability::Relaxed, args, |tx, (times, span, limit)| {
            Box::pin(reviews::lease(tx, times.now, *span, *limit))
        });
        for batch in leased.await.map_err(Error::from)?.chunks(STEP) {
            let settled = self.settle_reviews(batch.to_vec(), times).await?;
            self.inner.tally.count(&settled);
            done.add(&settled);
        }
        Ok(())
    }

    async fn settle_reviews(&self, batch: Vec<Review>, times: Times) -> Result<Collected> {
        // Not synced by itself: the bytes go only after a later transaction that is, and all before it with it.
        let args = (batch, times);
        self.inner.db.write(Durability::Relaxed, args, |tx, (batch, times)| Box::pin(settle(tx, batch, times))).await
    }
}

/// Settles reviews, in the transaction that looks. Where a link is out of the way, the bytes are looked at too.
async fn settle(tx: &mut Tx<'_>, batch: &[Review], times: &Times) -> Result<Collected> {
    let mut done = Collected { reviewed: batch.len() as u64, ..Collected::default() };
    let (links, mut bytes): (Vec<_>, Vec<_>) = batch.iter().partition(|review| review.repository.is_some());
    if !links.is_empty() {
        let free = settle_links(tx, &links, times, &mut done).await?;
        done.reviewed += free.len() as u64;
        bytes.extend(free);
    }
    if !bytes.is_empty() {
        let mut digests: Vec<Digest> = bytes.iter().map(|review| review.digest).collect();
        digests.sort_unstable();
        digests.dedup();
        let gone = collection::remove_unused(tx, &digests).await?;
        doomed::insert(tx, &gone, times.now, times.object_due).await?;
        reviews::finish(tx, &bytes.iter().map(|review| review.id).collect::<Vec<_>>()).await?;
        done.blobs = gone.len() as u64;
        done.bytes = gone.iter().map(|blob| blob.size).sum();
    }
    Ok(done)
}

/// Gives the reviews that have no link in their way any more.
async fn settle_links<'a>(
    tx: &mut Tx<'_>,
    links: &[&'a Review],
    times: &Times,
    done: &mut Collected,
) -> Result<Vec<&'a Review>> {
    let ids: Vec<i64> = links.iter().map(|review| review.id).collect();
    let found = collection::links_under_review(tx, &ids).await?;
    let verdict = |id: i64| found.iter().find(|(review, _)| *review == id).map(|(_, link)| times.judge(link));
    let which = |wanted: &dyn Fn(Option<Verdict>) -> bool| -> Vec<i64> {
        ids.iter().copied().filter(|&id| wanted(verdict(id))).collect()
    };
    let shown = which(&|verdict| verdict == Some(Verdict::Stays(true)));
    collection::hide(tx, &shown, None).await?;
    let hides = which(&|verdict| verdict == Some(Verdict::Hides));
    done.hidden += collection::hide(tx, &hides, Some(times.now)).await?;
    reviews::put_off(tx, &hides, times.now.after(times.grace)).await?;
    for &id in &ids {
        if let Some(Verdict::Waits(until)) = verdict(id) {
            reviews::put_off(tx, &[id], until).await?;
        }
    }
    let goes = which(&|verdict| verdict == Some(Verdict::Goes));
    done.links += collection::unlink(tx, &goes).await?;
    let settled = which(&|verdict| matches!(verdict, Some(Verdict::Stays(_) | Verdict::TooYoung)));
    reviews::finish(tx, &settled).await?;
    // Without a link, the bytes may have no use either.
    let free = |review: &&&Review| matches!(verdict(review.id), None | Some(Verdict::Goes));
    Ok(links.iter().filter(free).copied().collect())
}
