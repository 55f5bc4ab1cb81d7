//! A digest goes wherever it is, and with it what only it named.

use std::collections::BTreeSet;

use wharf_db::catalog::purges::Candidate;
use wharf_db::catalog::{holders, purges};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, Timestamp};

use super::erase::Taking;
use super::{Broken, Order, Purged, TOLD, is_used};
use crate::{Core, Error, Result};

/// Candidates of one read.
const STEP: i64 = 64;

impl Core {
    /// Purges the digest. What it named is written down for [`Core::purge_candidates`]. A refusal leaves the digest here, is in the audit
    /// log, because who asked may not be listening any more, and is returned.
    ///
    /// # Errors
    /// Those of the catalog and the storage.
    pub(super) async fn purge_digest(
        &self,
        digest: &Digest,
        force: bool,
        order: &Order,
        purged: &mut Purged,
    ) -> Result<Option<Error>> {
        let came = self.inner.db.read(digest, |tx, digest| Box::pin(purges::came_at(tx, digest)));
        // In a run that is taken up: that is not what the order is about.
        if came.await.map_err(Error::from)?.is_some_and(|came| came > order.at) {
            return Ok(None);
        }
        match self.take_namers_apart(digest, force, order, purged).await {
            Err(error) if is_refusal(&error) => {
                self.withdraw(digest, order.at).await?;
                self.note_refusal(order, &error).await?;
                Ok(Some(error))
            }
            taken => {
                taken?;
                self.purge_whole(digest, order, purged).await.map(|()| None)
            }
        }
    }

    /// Looks at what the run has written down: what an earlier try came no further with, and what purged manifests named.
    pub(super) async fn purge_candidates(&self, order: &Order, purged: &mut Purged) -> Result<()> {
        let left = self.inner.db.read(&order.run, |tx, run| Box::pin(purges::left_of(tx, *run)));
        for (digest, at) in left.await.map_err(Error::from)? {
            self.erase(&digest, order, purged).await?;
            self.withdraw(&digest, at).await?;
        }
        loop {
            let next = self.inner.db.read(&order.run, |tx, run| Box::pin(purges::candidates(tx, *run, STEP)));
            let next = next.await.map_err(Error::from)?;
            if next.is_empty() {
                return Ok(());
            }
            for candidate in &next {
                self.purge_candidate(candidate, order, purged).await?;
            }
        }
    }

    /// Manifests that name the digest go before it. Indexes stay.
    async fn take_namers_apart(&self, digest: &Digest, force: bool, order: &Order, purged: &mut Purged) -> Result<()> {
        let namers = self.namers(digest).await?;
        let (incomplete, whole): (Vec<Broken>, _) = namers.into_iter().partition(|namer| namer.kind == "manifest");
        (purged.incomplete, purged.manifests) = (incomplete, whole);
        loop {
            let users =
                self.inner.db.read(digest, |tx, digest| Box::pin(holders::users(tx, digest, TOLD as i64))).await;
            let users = users.map_err(Error::from)?;
            if users.is_empty() {
                return Ok(());
            }
            // Pushed since it was looked: that is for whoever asked to decide again.
            if !force {
                return Err(Error::PurgeBreaks(self.namers(digest).await?));
            }
            for (repository, manifest) in users {
                let above = self.namers(&manifest).await?.into_iter().filter(|above| above.kind == "manifest");
                for index in above {
                    if purged.incomplete.len() < TOLD && !purged.incomplete.contains(&index) {
                        purged.incomplete.push(index);
                    }
                }
                self.write_down(&manifest, order).await?;
                let taking = Taking { repository, manifest, at_any_rate: true, whole: false };
                self.take_apart(taking, order, purged).await?;
                self.erase(&manifest, order, purged).await?;
                // It stays while another repository has it, whose turn is to come.
                self.withdraw(&manifest, order.at).await?;
            }
        }
    }

    /// Erases the digest. What it named, if it is a manifest, is to be looked at.
    async fn purge_whole(&self, digest: &Digest, order: &Order, purged: &mut Purged) -> Result<()> {
        for repository in self.places_of(digest).await? {
            let taking = Taking { repository, manifest: *digest, at_any_rate: true, whole: true };
            self.take_apart(taking, order, purged).await?;
        }
        self.erase(digest, order, purged).await?;
        if self.withdraw(digest, order.at).await? {
            tracing::warn!(%digest, "what was to be purged is still here, because something has come to use it");
        }
        Ok(())
    }

    /// What a purged manifest named goes too where nothing else uses it.
    async fn purge_candidate(&self, candidate: &Candidate, order: &Order, purged: &mut Purged) -> Result<()> {
        let mut homes = BTreeSet::from([candidate.repository]);
        let used = self.inner.db.read(&candidate.digest, |tx, digest| Box::pin(is_used(tx, digest)));
        if used.await? {
            return self.pass_over(candidate, purged).await;
        }
        for repository in self.places_of(&candidate.digest).await? {
            // Somebody may have tagged it since it was looked.
            let taking = Taking { repository, manifest: candidate.digest, at_any_rate: false, whole: true };
            if !self.take_apart(taking, order, purged).await? {
                return self.pass_over(candidate, purged).await;
            }
            homes.insert(repository);
        }
        let args = (candidate.digest, homes);
        let gone =
            self.inner.db.write(Durability::Full, args, |tx, (digest, homes)| Box::pin(let_go(tx, digest, homes)));
        let Some(links) = gone.await? else { return self.pass_over(candidate, purged).await };
        purged.links += links;
        self.erase_unused(std::slice::from_ref(candidate), order, purged).await
    }

    async fn pass_over(&self, candidate: &Candidate, purged: &mut Purged) -> Result<()> {
        purged.keeps(candidate.digest);
        let passed = self.inner.db.write(Durability::Relaxed, candidate.clone(), |tx, candidate| {
            Box::pin(purges::remove_candidates(tx, std::slice::from_ref(candidate)))
        });
        Ok(passed.await?)
    }

    async fn places_of(&self, digest: &Digest) -> Result<Vec<i64>> {
        Ok(self.inner.db.read(digest, |tx, digest| Box::pin(holders::as_manifest(tx, digest, i64::MAX))).await?)
    }

    /// For restores: what goes along goes from what an older backup brings back too.
    async fn write_down(&self, digest: &Digest, order: &Order) -> Result<()> {
        let args = (*digest, order.clone());
        let written = self.inner.db.write(Durability::Full, args, |tx, (digest, order)| {
            Box::pin(async move { purges::insert_once(tx, &order.row(Some(*digest), None)).await.map_err(Error::from) })
        });
        written.await.map(drop)
    }

    /// A purge that did not happen must not be heard of by a restore. True if it did not.
    async fn withdraw(&self, digest: &Digest, at: Timestamp) -> Result<bool> {
        let args = (*digest, at);
        let withdrawn =
            self.inner.db.write(Durability::Full, args, |tx, (digest, at)| Box::pin(purges::withdraw(tx, digest, *at)));
        Ok(withdrawn.await?)
    }
}

/// Takes a blob out of the repositories whose manifest was purged, unless something there has come to use it: it looks in the
/// transaction that removes, so a manifest that comes to name it in between finds it here or is refused. Who has it elsewhere keeps
/// it. How many links that were; `None` if it stays.
async fn let_go(tx: &mut Tx<'_>, digest: &Digest, homes: &BTreeSet<i64>) -> Result<Option<u64>> {
    if is_used(tx, digest).await? {
        return Ok(None);
    }
    let mut links = 0;
    for home in homes {
        links += purges::unlink_from(tx, *home, digest).await?;
    }
    Ok(Some(links))
}

/// What trying again does not change: somebody has to decide.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::PurgeBreaks(_) | Error::PurgeIndexed { .. })
}
