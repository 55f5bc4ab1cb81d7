//! Purging: content that must not be here, because it is a secret that leaked, goes at once and everywhere. No delay, no grace,
//! no bin and no pin keeps it.
//!
//! An image whose layer is gone cannot be pulled, and this registry holds no such images. So a purge of what manifests name is
//! refused with their names; with `force` it takes those manifests and their tags along. An index may lack an image: it stays,
//! and is told of. A purged manifest takes along what nothing else names. The purge is written down before anything goes, so that
//! restores leave out what backups still hold, and so that one that was cut off can be seen; asking again finishes it.

mod erase;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use wharf_db::catalog::{audit, backups, bin, events, holders, manifests, purges, repositories};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, Timestamp};

use super::preview::name;
use crate::actor::about;
use crate::artifact::ask_to_reflect;
use crate::backup;
use crate::repository::Target;
use crate::{Actor, Core, Error, Result};

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
    /// All digests that went.
    pub gone: Vec<Digest>,
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
}

/// Of each kind, so many are told.
const TOLD: usize = 100;

/// Who asked, and when.
#[derive(Debug, Clone)]
struct Order {
    actor: Actor,
    reason: String,
    at: Timestamp,
    /// When what lost a reference by the way is reviewed.
    due: Timestamp,
}

impl Order {
    /// As the catalog remembers it, of one thing.
    fn row(&self, digest: Option<Digest>, repository: Option<String>) -> purges::Purge {
        let (actor, reason) = (self.actor.name.clone(), self.reason.clone());
        purges::Purge { id: 0, digest, repository, actor, reason, at: self.at }
    }
}

impl Core {
    /// Purges, and says what went.
    ///
    /// # Errors
    /// [`Error::PurgeBreaks`] without `force` if manifests name it, [`Error::PurgeIndexed`] if an index of packages is made of it,
    /// [`Error::RepositoryUnknown`]. Those of the database leave a purge that has begun and can be asked for again.
    pub async fn purge(&self, what: &Purging, force: bool, reason: &str, actor: &Actor) -> Result<Purged> {
        let at = self.inner.clock.now();
        let due = at.after(self.inner.config.review_delay);
        let order = Order { actor: actor.clone(), reason: reason.to_owned(), at, due };
        let purged = match what {
            Purging::Digest(digest) => self.purge_digest(digest, force, &order).await,
            Purging::Repository(target) => self.purge_repository(target, &order).await,
        }?;
        if let Err(error) = self.inner.db.wipe().await {
            tracing::error!(%error, "what was purged may still be read in the files of the database, until its log starts anew");
        }
        Ok(purged)
    }

    /// Up to `limit` purges after `after`, the oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn purges(&self, after: i64, limit: usize) -> Result<Vec<Purge>> {
        let args = (after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.inner.db.read(&args, |tx, (after, limit)| Box::pin(purges::page(tx, *after, *limit))).await;
        let purge = |row: purges::Purge| {
            let purges::Purge { id, digest, repository, actor, reason, at } = row;
            Purge { id, digest, repository, actor, reason, at }
        };
        Ok(rows.map_err(Error::from)?.into_iter().map(purge).collect())
    }

    async fn purge_digest(&self, digest: &Digest, force: bool, order: &Order) -> Result<Purged> {
        let namers = self.namers(digest).await?;
        if !force && !namers.is_empty() {
            return Err(Error::PurgeBreaks(namers));
        }
        self.begin_purge(Some(*digest), None, order).await?;
        let mut purged = Purged::default();
        let (incomplete, whole) = namers.into_iter().partition(|namer| namer.kind == "manifest");
        (purged.incomplete, purged.manifests) = (incomplete, whole);
        loop {
            let users =
                self.inner.db.read(digest, |tx, digest| Box::pin(holders::users(tx, digest, TOLD as i64))).await;
            let users = users.map_err(Error::from)?;
            if users.is_empty() {
                break;
            }
            // Pushed since it was looked: that is for whoever asked to decide again.
            if !force {
                self.withdraw(digest, order).await?;
                return Err(Error::PurgeBreaks(self.namers(digest).await?));
            }
            for (repository, manifest) in users {
                self.write_down(&manifest, order).await?;
                self.take_apart(repository, manifest, true, order).await?;
                self.erase(&manifest, order, &mut purged).await?;
                // It stays while another repository has it, whose turn is to come.
                if !self.withdraw(&manifest, order).await? {
                    purged.gone.push(manifest);
                }
            }
        }
        self.purge_whole(digest, order, &mut purged).await?;
        if self.withdraw(digest, order).await? {
            tracing::warn!(%digest, "what was to be purged is still here, because something has come to use it");
        } else {
            purged.gone.push(*digest);
        }
        // What one repository kept for another went with that one.
        let gone: HashSet<Digest> = purged.gone.iter().copied().collect();
        purged.kept.retain(|digest| !gone.contains(digest));
        self.note_in_backups(order, &mut purged).await;
        Ok(purged)
    }

    /// For restores: what goes along goes from what an older backup brings back too.
    async fn write_down(&self, digest: &Digest, order: &Order) -> Result<()> {
        let args = (*digest, order.clone());
        let written = self.inner.db.write(Durability::Full, args, |tx, (digest, order)| {
            Box::pin(async move { purges::insert(tx, &order.row(Some(*digest), None)).await.map_err(Error::from) })
        });
        written.await
    }

    /// A purge that did not happen must not be heard of by a restore. True if it did not.
    async fn withdraw(&self, digest: &Digest, order: &Order) -> Result<bool> {
        let args = (*digest, order.at);
        let withdrawn =
            self.inner.db.write(Durability::Full, args, |tx, (digest, at)| Box::pin(purges::withdraw(tx, digest, *at)));
        Ok(withdrawn.await?)
    }

    /// Says so wherever this server has written backups: the machine may be lost before the next one.
    async fn note_in_backups(&self, order: &Order, purged: &mut Purged) {
        if purged.gone.is_empty() {
            return;
        }
        let known = self.inner.db.read(&(), |tx, ()| Box::pin(backups::page(tx, i64::MAX, 1000))).await;
        let known: wharf_db::Result<Vec<backups::Backup>> = known;
        let mut places: BTreeSet<String> = known.unwrap_or_default().into_iter().map(|row| row.destination).collect();
        places.insert(String::new());
        for place in places {
            let Ok(depot) = (self.inner.depots)(&place) else { continue };
            let noted = backup::note_purge(&depot, &self.inner.instance_key.id(), order.at, &purged.gone).await;
            if let Err(error) = &noted {
                tracing::error!(%error, depot = depot.place(), "a purge could not be noted beside the backups");
            }
            purged.noted = Some(purged.noted.unwrap_or(true) && noted.is_ok());
        }
    }

    /// Erases a digest and, if it is a manifest, what nothing else names.
    async fn purge_whole(&self, digest: &Digest, order: &Order, purged: &mut Purged) -> Result<()> {
        let (mut queue, mut seen) = (VecDeque::from([*digest]), HashSet::from([*digest]));
        let mut homes = BTreeSet::new();
        while let Some(next) = queue.pop_front() {
            if next != *digest {
                let used = self.inner.db.read(&next, |tx, next| Box::pin(is_used(tx, next))).await?;
                if used {
                    purged.kept.extend((purged.kept.len() < TOLD).then_some(next));
                    continue;
                }
            }
            let places = self.inner.db.read(&next, |tx, next| {
                Box::pin(async move {
                    let mut places = Vec::new();
                    for repository in holders::as_manifest(tx, next, i64::MAX).await? {
                        places.push((repository, manifests::targets(tx, repository, next).await?));
                    }
                    Ok::<_, Error>(places)
                })
            });
            let places = places.await?;
            if places.is_empty() && next != *digest {
                self.let_go(&next, &homes, order, purged).await?;
                continue;
            }
            let mut whole = true;
            for (repository, targets) in places {
                // A manifest of an index: somebody may have tagged it since it was looked.
                whole = self.take_apart(repository, next, next == *digest, order).await?;
                if !whole {
                    break;
                }
                homes.insert(repository);
                queue.extend(targets.into_iter().filter(|target| seen.insert(*target)));
            }
            if next == *digest {
                self.erase(&next, order, purged).await?;
            } else if whole {
                self.let_go(&next, &homes, order, purged).await?;
            } else {
                purged.kept.extend((purged.kept.len() < TOLD).then_some(next));
            }
        }
        Ok(())
    }

    /// What a purged manifest named goes too where nothing else uses it. Both steps look for themselves in the transaction that
    /// removes: a manifest that comes to name it in between finds it here or is refused.
    async fn let_go(&self, digest: &Digest, homes: &BTreeSet<i64>, order: &Order, purged: &mut Purged) -> Result<()> {
        let args = (*digest, homes.clone());
        let gone =
            self.inner.db.write(Durability::Full, args, |tx, (digest, homes)| Box::pin(let_go(tx, digest, homes)));
        let Some(links) = gone.await? else {
            purged.kept.extend((purged.kept.len() < TOLD).then_some(*digest));
            return Ok(());
        };
        purged.links += links;
        self.erase_unused(std::slice::from_ref(digest), order, purged).await
    }

    async fn purge_repository(&self, target: &Target, order: &Order) -> Result<Purged> {
        let args = (target.format.as_str().to_owned(), target.name.canonical().to_owned());
        let ids =
            self.inner.db.read(&args, |tx, (format, name)| Box::pin(holders::repositories_named(tx, format, name)));
        let ids = ids.await.map_err(Error::from)?;
        if ids.is_empty() {
            return Err(Error::RepositoryUnknown(target.name.clone()));
        }
        self.begin_purge(None, Some(target), order).await?;
        let mut purged = Purged::default();
        for id in ids {
            let (mut digests, mut after) = (Vec::new(), Vec::new());
            loop {
                let args = (id, after);
                let page = self.inner.db.read(&args, |tx, (id, after)| Box::pin(purges::held_by(tx, *id, after, 1000)));
                let page = page.await.map_err(Error::from)?;
                let Some(last) = page.last() else { break };
                after = last.to_bytes();
                digests.extend(page);
            }
            let args = (id, order.at, target.clone(), self.inner.rules.doors().clone());
            let closed = self.inner.db.write(Durability::Full, args, |tx, (id, at, target, doors)| {
                Box::pin(async move {
                    for shown in doors.of_format(target.format) {
                        ask_to_reflect(tx, shown, (*id, &target.name), None, *at).await?;
                    }
                    repositories::mark_deleted(tx, *id, *at).await?;
                    Ok::<_, Error>(bin::end_repository(tx, *id, *at).await?)
                })
            });
            closed.await?;
            self.destroy_repository(id, "repository purged").await?;
            for batch in digests.chunks(64) {
                self.erase_unused(batch, order, &mut purged).await?;
            }
        }
        self.note_in_backups(order, &mut purged).await;
        Ok(purged)
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

    /// Writes the purge down, with its line in the audit log, before anything goes.
    async fn begin_purge(&self, digest: Option<Digest>, target: Option<&Target>, order: &Order) -> Result<()> {
        let args = (digest, target.cloned(), order.clone());
        let begun = self.inner.db.write(Durability::Full, args, |tx, (digest, target, order)| {
            Box::pin(async move {
                let repository = target.as_ref().map(|target| format!("{}/{}", target.format, target.name.canonical()));
                purges::insert(tx, &order.row(*digest, repository.clone())).await?;
                let mut entry = match target {
                    Some(target) => order.actor.did("content.purge", &target.name, order.at),
                    None => audit::Entry { project: None, ..order.actor.did_to_project("content.purge", "", order.at) },
                };
                entry.detail = (!order.reason.is_empty()).then(|| order.reason.clone());
                audit::append(tx, &about(entry, None, *digest)).await?;
                let payload = serde_json::json!({ "digest": digest, "repository": repository });
                Ok::<_, Error>(events::append(tx, order.at, "content.purged", &payload.to_string()).await?)
            })
        });
        begun.await
    }
}

/// Takes a blob out of the repositories whose manifest was purged, unless something there has come to use it. Who has it elsewhere
/// keeps it. How many links that were; `None` if it stays.
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
