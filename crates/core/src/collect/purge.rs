//! Purging: content that must not be here, because it is a secret that leaked, goes at once and everywhere. No delay, no grace,
//! no bin and no pin keeps it.
//!
//! An image whose layer is gone cannot be pulled, and this registry holds no such images. So a purge of what manifests name is
//! refused with their names; with `force` it takes those manifests and their tags along. An index may lack an image: it stays,
//! and is told of. A purged manifest takes along what nothing else names. The purge is written down before anything goes, so that
//! restores leave out what backups still hold. It is a job from its first transaction on: who asked waits for it and hears what went,
//! and if the process dies, or a place of backups cannot be told, a worker goes on (`purge/run.rs`).

mod digest;
mod erase;
mod note;
mod repository;
mod run;

use std::collections::HashMap;

use wharf_db::Tx;
use wharf_db::catalog::{holders, purges};
use wharf_types::{Digest, Timestamp};

use super::preview::name;
use crate::repository::Target;
use crate::{Actor, Core, Error, Result};
use run::Order;
pub(crate) use run::{PURGE, PurgedBefore, ask_to_purge};

/// What is to go.
#[derive(Debug, Clone)]
pub enum Purging {
    /// A blob or a manifest, wherever it is.
    Digest(Digest),
    /// A repository and what only it has, be it deleted or not.
    Repository(Target),
}

/// A manifest that names what is purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The repository it is in.
    pub repository: String,
    /// The manifest.
    pub manifest: Digest,
    /// As what it names it: `config`, `layer`, `manifest`.
    pub kind: String,
    /// Some of its tags.
    pub tags: Vec<String>,
}

/// What a purge did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purged {
    /// Manifests that went because they name it.
    pub manifests: Vec<Broken>,
    /// Tags that went, as `<repository>:<tag>`, up to a hundred.
    pub tags: Vec<String>,
    /// Indexes that name it and stay, incomplete.
    pub incomplete: Vec<Broken>,
    /// Packages that went.
    pub packages: Vec<String>,
    /// Entries of the bin that went.
    pub bin: u64,
    /// Links that went.
    pub links: u64,
    /// Blobs that went, manifests among them.
    pub blobs: u64,
    /// Bytes of those blobs.
    pub bytes: u64,
    /// Objects whose bytes are gone from the storage.
    pub objects: u64,
    /// Objects that the storage did not remove: the collector tries again.
    pub waiting: u64,
    /// What stays because something else uses it, up to a hundred digests.
    pub kept: Vec<Digest>,
    /// Whether the places of backups know of it; `None` if this server has none.
    pub noted: Option<bool>,
}

/// A purge as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// Pages by this.
    pub id: i64,
    /// The content, or else
    pub digest: Option<Digest>,
    /// the repository, as `<format>/<canonical name>`.
    pub repository: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When: what was made here later was pushed anew.
    pub at: Timestamp,
    /// Whether the server still works on it, or on telling the places of backups.
    pub under_way: bool,
}

/// Of each kind, so many are told.
const TOLD: usize = 100;

impl Purged {
    fn keeps(&mut self, digest: Digest) {
        if self.kept.len() < TOLD && !self.kept.contains(&digest) {
            self.kept.push(digest);
        }
    }

    /// What one repository kept for another may go with that one.
    fn lost(&mut self, digest: &Digest) {
        self.kept.retain(|kept| kept != digest);
    }
}

impl Core {
    /// Purges, and says what went. Whoever stops listening stops nothing: a worker goes on.
    ///
    /// # Errors
    /// [`Error::PurgeBreaks`] without `force` if manifests name it, [`Error::PurgeIndexed`] if an index of packages is made of it,
    /// [`Error::RepositoryUnknown`]. After those of the database a purge that has begun is gone on with.
    pub async fn purge(&self, what: &Purging, force: bool, reason: &str, actor: &Actor) -> Result<Purged> {
        let order = self.order_purge(what, force, reason, actor).await?;
        let holder = hex::encode(self.inner.entropy.bytes::<8>());
        let job = self.begin_purge(&order, &holder).await?;
        let carried_out = tokio::spawn(self.clone().purge_at_once(order, job, holder));
        carried_out
            .await
            .unwrap_or_else(|died| Err(Error::Inconsistent(format!("the purge died and is taken up: {died}"))))
    }

    /// Up to `limit` purges after `after`, the oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn purges(&self, after: i64, limit: usize) -> Result<Vec<Purge>> {
        let args = (after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.inner.db.read(&args, |tx, (after, limit)| Box::pin(purges::page(tx, *after, *limit))).await;
        let purge = |row: purges::Purge| {
            let purges::Purge { id, digest, repository, actor, reason, at, under_way, .. } = row;
            Purge { id, digest, repository, actor, reason, at, under_way }
        };
        Ok(rows.map_err(Error::from)?.into_iter().map(purge).collect())
    }

    /// The manifests that name a digest, with their tags. Fails if an index of packages is made of it.
    async fn namers(&self, digest: &Digest) -> Result<Vec<Broken>> {
        let found = self.inner.db.snapshot(digest, |tx, digest| {
            Box::pin(async move {
                if let Some((_, _, path)) = holders::segments(tx, digest, 1).await?.into_iter().next() {
                    return Err(Error::PurgeIndexed { path });
                }
                let (mut names, mut namers) = (HashMap::new(), Vec::new());
                for (repository, manifest, kind) in holders::namers(tx, digest, TOLD as i64).await? {
                    let tags = holders::tags(tx, repository, &manifest, 20).await?;
                    let tags = tags.iter().map(ToString::to_string).collect();
                    let repository = name(tx, &mut names, repository).await?;
                    namers.push(Broken { repository, manifest, kind, tags });
                }
                Ok(namers)
            })
        });
        found.await
    }
}

/// Whether anything would miss the digest that went along with a purged manifest: another manifest, a tag, a package, the bin.
async fn is_used(tx: &mut Tx<'_>, digest: &Digest) -> Result<bool> {
    if !holders::namers(tx, digest, 1).await?.is_empty()
        || !holders::packages(tx, digest, 1).await?.is_empty()
        || !holders::segments(tx, digest, 1).await?.is_empty()
        || !holders::in_bin(tx, digest, 1).await?.is_empty()
    {
        return Ok(true);
    }
    for repository in holders::as_manifest(tx, digest, i64::MAX).await? {
        if !holders::tags(tx, repository, digest, 1).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
