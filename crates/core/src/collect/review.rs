//! Reviews: does anything still use this?
//!
//! A link goes in two steps. First it is hidden: pulls, checks and mounts do not see it, so that clients which need the blob
//! bring it again. A client that has seen it just before does not bring it, but names it in its manifest within the grace: that
//! shows the link again. Only a link that stayed hidden for all of the grace goes. So a push needs no write to keep a link, and
//! none is taken from under it.

use std::time::Duration;

use wharf_db::catalog::collection::Link;
use wharf_db::catalog::reviews::Review;
use wharf_db::catalog::{collection, doomed, reviews};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, Timestamp};

use super::Collected;
use super::pace::Brake;
use crate::{Config, Core, Error, Result};

/// The reason of a review that begins with a link's age.
pub(super) const UNNAMED: &str = "no manifest uses it";

/// The least age of a link that is looked at: a transaction may commit later than its time says, and clocks differ.
const YOUNGEST: Duration = Duration::from_secs(60);

/// When things go, seen from `now`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) now: Timestamp,
    /// A link that is younger is looked at when it is old enough, by the cursor.
    pub(super) mature: Timestamp,
    pub(super) grace: Duration,
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

    /// Settles a batch of links that have come of age.
    pub(super) async fn look_at_links(&self, done: &mut Collected, brake: &Brake<'_>) -> Result<()> {
        let times = self.times();
        let any = self.inner.db.read(&times, |tx, times| {
            Box::pin(async move {
                let from = collection::cursor(tx).await?;
                Ok::<_, Error>(!collection::links_by_age(tx, &from, times.cursor, 1).await?.is_empty())
            })
        });
        if !any.await? {
            return Ok(());
        }
        let mut left = self.inner.config.collection.batch.max(1) as usize;
        while left > 0 {
            let step = brake.step().min(left);
            let args = (times, step);
            let passed = self
                .inner
                .db
                .write(Durability::Relaxed, args, |tx, (times, step)| Box::pin(settle_aged(tx, times, *step)));
            let (passed, found) = passed.await?;
            self.inner.tally.count(&passed);
            done.add(&passed);
            if found < step {
                break;
            }
            left -= step;
            brake.rows(passed.reviewed).await;
        }
        Ok(())
    }

    /// Leases a batch of reviews and settles it.
    pub(super) async fn review_some(&self, done: &mut Collected, brake: &Brake<'_>) -> Result<()> {
        let (times, config) = (self.times(), &self.inner.config);
        let any = self.inner.db.read(&times, |tx, times| Box::pin(reviews::any_due(tx, times.now))).await;
        if !any.map_err(Error::from)? {
            return Ok(());
        }
        let args = (times, config.job_lease, i64::from(config.collection.batch.max(1)));
        let leased = self.inner.db.write(Durability::Relaxed, args, |tx, (times, span, limit)| {
            Box::pin(reviews::lease(tx, times.now, *span, *limit))
        });
        let mut leased = leased.await.map_err(Error::from)?;
        while !leased.is_empty() {
            let rest = leased.split_off(brake.step().min(leased.len()));
            let settled = self.settle_reviews(std::mem::replace(&mut leased, rest), times).await?;
            self.inner.tally.count(&settled);
            done.add(&settled);
            brake.rows(settled.reviewed).await;
        }
        Ok(())
    }

    async fn settle_reviews(&self, batch: Vec<Review>, times: Times) -> Result<Collected> {
        // Not synced by itself: the bytes go only after a later transaction that is, and all before it with it.
        let args = (batch, times);
        self.inner.db.write(Durability::Relaxed, args, |tx, (batch, times)| Box::pin(settle(tx, batch, times))).await
    }
}

/// Passes links that have come of age, and says how many there were. Those that nothing uses need no review before their first step.
async fn settle_aged(tx: &mut Tx<'_>, times: &Times, most: usize) -> Result<(Collected, usize)> {
    let links = collection::pass_links(tx, times.cursor, most as i64).await?;
    let mut done = Collected { reviewed: links.len() as u64, ..Collected::default() };
    let with = |wanted: Verdict| -> Vec<Link> {
        links.iter().filter(|link| link.expiring_at.is_none() && times.judge(link) == wanted).cloned().collect()
    };
    let (hides, goes) = (with(Verdict::Hides), with(Verdict::Goes));
    done.hidden = collection::hide(tx, &hides, Some(times.now)).await?;
    for (repository, digests) in collection::by_repository(&hides) {
        reviews::enqueue_all(tx, Some(repository), &digests, UNNAMED, times.now.after(times.grace)).await?;
    }
    done.links = collection::unlink(tx, &goes).await?;
    done.reviewed += goes.len() as u64;
    remove_unused(tx, goes.iter().map(|link| link.digest).collect(), times, &mut done).await?;
    Ok((done, links.len()))
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
        remove_unused(tx, bytes.iter().map(|review| review.digest).collect(), times, &mut done).await?;
        reviews::finish(tx, &bytes.iter().map(|review| review.id).collect::<Vec<_>>()).await?;
    }
    Ok(done)
}

/// Removes the blobs' rows that nothing uses, and writes down their objects.
async fn remove_unused(tx: &mut Tx<'_>, mut digests: Vec<Digest>, times: &Times, done: &mut Collected) -> Result<()> {
    digests.sort_unstable();
    digests.dedup();
    let gone = collection::remove_unused(tx, &digests).await?;
    doomed::insert(tx, &gone, times.now, times.object_due).await?;
    done.blobs += gone.len() as u64;
    done.bytes += gone.iter().map(|blob| blob.size).sum::<u64>();
    Ok(())
}

/// Gives the reviews that have no link in their way any more.
async fn settle_links<'a>(
    tx: &mut Tx<'_>,
    reviews: &[&'a Review],
    times: &Times,
    done: &mut Collected,
) -> Result<Vec<&'a Review>> {
    let ids: Vec<i64> = reviews.iter().map(|review| review.id).collect();
    let judged: Vec<(i64, Link, Verdict)> = collection::links_under_review(tx, &ids)
        .await?
        .into_iter()
        .map(|(review, link)| {
            let verdict = times.judge(&link);
            (review, link, verdict)
        })
        .collect();
    let links = |wanted: Verdict| -> Vec<Link> {
        judged.iter().filter(|(_, _, verdict)| *verdict == wanted).map(|(_, link, _)| link.clone()).collect()
    };
    let reviews_of = |wanted: &dyn Fn(Verdict) -> bool| -> Vec<i64> {
        judged.iter().filter(|(_, _, verdict)| wanted(*verdict)).map(|(review, _, _)| *review).collect()
    };
    collection::hide(tx, &links(Verdict::Stays(true)), None).await?;
    done.hidden += collection::hide(tx, &links(Verdict::Hides), Some(times.now)).await?;
    reviews::put_off(tx, &reviews_of(&|verdict| verdict == Verdict::Hides), times.now.after(times.grace)).await?;
    for (review, _, verdict) in &judged {
        if let Verdict::Waits(until) = verdict {
            reviews::put_off(tx, &[*review], *until).await?;
        }
    }
    done.links += collection::unlink(tx, &links(Verdict::Goes)).await?;
    reviews::finish(tx, &reviews_of(&|verdict| matches!(verdict, Verdict::Stays(_) | Verdict::TooYoung))).await?;
    // Without a link, the bytes may have no use either.
    let held = |id: i64| judged.iter().any(|(review, _, verdict)| *review == id && *verdict != Verdict::Goes);
    Ok(reviews.iter().filter(|review| !held(review.id)).copied().collect())
}
