//! The steps of a purge, each a short transaction. References go before what they point at, rows before bytes.

use std::collections::{BTreeMap, BTreeSet};

use wharf_db::catalog::purges::Candidate;
use wharf_db::catalog::{
    audit, bin, collection, doomed, holders, manifests, packages, purges, repositories, reviews, tags,
};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, FormatName, RepoName, Timestamp};

use super::{Order, Purged, TOLD, is_used};
use crate::actor::about;
use crate::artifact::{Doors, reflect_move};
use crate::collect::Collected;
use crate::package::unlist;
use crate::publish::ask_for_index;
use crate::repository::Target;
use crate::{Core, Error, Result};

/// Rows of one transaction.
const STEP: i64 = 64;

/// Before every pin: what was doomed then is held by none.
const BEFORE_PINS: Timestamp = Timestamp::from_millis(0);

/// What one transaction erased.
#[derive(Default)]
struct Erased {
    more: bool,
    bin: u64,
    links: u64,
    packages: Vec<String>,
    gone: Vec<collection::Gone>,
}

impl Core {
    /// Takes a manifest out of a repository, with its tags. What it named is reviewed in its time.
    /// False if it stays because something uses it.
    pub(super) async fn take_apart(&self, taking: Taking, order: &Order, purged: &mut Purged) -> Result<bool> {
        loop {
            let args = (taking, order.clone(), self.inner.rules.doors().clone());
            let step = self.inner.db.write(Durability::Full, args, |tx, (taking, order, doors)| {
                Box::pin(async move {
                    if !taking.at_any_rate && is_used(tx, &taking.manifest).await? {
                        return Ok(None);
                    }
                    take_apart(tx, taking, order, doors).await.map(Some)
                })
            });
            let Some(step) = step.await? else { return Ok(false) };
            let room = TOLD.saturating_sub(purged.tags.len());
            purged.tags.extend(step.tags.into_iter().take(room));
            if !step.more {
                return Ok(true);
            }
        }
    }

    /// Removes everything that holds on to a digest no manifest names, its row and its bytes.
    pub(super) async fn erase(&self, digest: &Digest, order: &Order, purged: &mut Purged) -> Result<()> {
        loop {
            let args = (*digest, order.clone(), self.formats(), self.inner.config.publish_delay);
            let erased = self.inner.db.write(Durability::Full, args, |tx, (digest, order, formats, delay)| {
                Box::pin(erase(tx, digest, order, formats, *delay))
            });
            let erased = erased.await?;
            purged.bin += erased.bin;
            purged.links += erased.links;
            purged.packages.extend(erased.packages);
            count(&erased.gone, purged);
            if !erased.more {
                break;
            }
        }
        let left = self.inner.db.read(digest, |tx, digest| {
            Box::pin(async move {
                let there = wharf_db::catalog::blobs::find(tx, digest).await?.is_some();
                Ok::<_, Error>((there, doomed::of_digest(tx, digest, i64::MAX).await?))
            })
        });
        let (there, objects) = left.await?;
        // Somebody has pushed it again in this very moment: that is told, not fought.
        if there {
            purged.keeps(*digest);
        } else {
            purged.lost(digest);
        }
        self.remove_at_once(objects, purged).await
    }

    /// Removes the rows and bytes of those that nothing uses. They have been looked at then.
    pub(super) async fn erase_unused(
        &self,
        candidates: &[Candidate],
        order: &Order,
        purged: &mut Purged,
    ) -> Result<()> {
        let args = (candidates.to_vec(), order.clone());
        let erased = self
            .inner
            .db
            .write(Durability::Full, args, |tx, (candidates, order)| Box::pin(erase_unused(tx, candidates, order)));
        let (went, objects) = erased.await?;
        purged.blobs += went.values().flatten().count() as u64;
        purged.bytes += went.values().flatten().sum::<u64>();
        for candidate in candidates {
            if went.contains_key(&candidate.digest) {
                purged.lost(&candidate.digest);
            } else if candidate.was_here {
                purged.keeps(candidate.digest);
            }
        }
        self.remove_at_once(objects, purged).await
    }

    /// What the storage does not remove now stays doomed and due.
    async fn remove_at_once(&self, objects: Vec<doomed::Doomed>, purged: &mut Purged) -> Result<()> {
        let (all, mut removed) = (objects.len() as u64, Collected::default());
        if let Err(error) = self.remove_doomed(objects, &mut removed, None).await {
            tracing::error!(%error, "purged bytes are still in the storage; the collector tries again");
        }
        purged.objects += removed.objects;
        purged.waiting += all - removed.objects;
        Ok(())
    }
}

fn count(gone: &[collection::Gone], purged: &mut Purged) {
    purged.blobs += gone.len() as u64;
    purged.bytes += gone.iter().map(|blob| blob.size).sum::<u64>();
}

/// Gives what went, with its bytes unless it was counted before, and the objects that are to go.
async fn erase_unused(
    tx: &mut Tx<'_>,
    candidates: &[Candidate],
    order: &Order,
) -> Result<(BTreeMap<Digest, Option<u64>>, Vec<doomed::Doomed>)> {
    let digests: Vec<_> = candidates.iter().map(|candidate| candidate.digest).collect();
    let gone = collection::remove_unused(tx, &digests).await?;
    // What was never here was not purged.
    let digests = candidates.iter().filter(|candidate| candidate.was_here).map(|candidate| candidate.digest);
    let digests: BTreeSet<_> = digests.collect();
    doomed::insert(tx, &gone, BEFORE_PINS, BEFORE_PINS).await?;
    let (mut went, mut objects) = (BTreeMap::new(), Vec::new());
    for digest in digests {
        let size = gone.iter().find(|blob| blob.digest == digest).map(|blob| blob.size);
        if size.is_none() && purges::came_at(tx, &digest).await?.is_some_and(|came| came <= order.at) {
            continue;
        }
        // Or the collector was here first, which is in no hurry and writes nothing down.
        purges::hasten(tx, &digest).await?;
        let doomed = doomed::of_digest(tx, &digest, i64::MAX).await?;
        let size = size.or_else(|| doomed.first().map(|doomed| doomed.size)).unwrap_or_default();
        objects.extend(doomed);
        // For restores: each of them for itself, because a backup may hold it in another place.
        let first = purges::insert_once(tx, &order.row(Some(digest), None)).await?;
        went.insert(digest, first.then_some(size));
    }
    purges::remove_candidates(tx, candidates).await?;
    Ok((went, objects))
}

/// A manifest that is taken out of a repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taking {
    pub repository: i64,
    pub manifest: Digest,
    /// Whether it goes though something uses it.
    pub at_any_rate: bool,
    /// Whether what it names is to be looked at at once.
    pub whole: bool,
}

/// What one transaction came to.
struct Step {
    /// It has more tags than go in one.
    more: bool,
    /// Those that went, as `<repository>:<tag>`.
    tags: Vec<String>,
}

async fn take_apart(tx: &mut Tx<'_>, taking: &Taking, order: &Order, doors: &Doors) -> Result<Step> {
    let Taking { repository, manifest, whole, .. } = taking;
    let named = holders::tags(tx, *repository, manifest, STEP).await?;
    let home = repositories::living(tx, *repository).await?;
    for tag in &named {
        if let Some(home) = &home {
            reflect_move(tx, doors, (*repository, &home.name), tag, [Some(manifest), None], None, order.at).await?;
            note_removal(tx, "tag.delete", &home.name, Some(tag.to_string()), manifest, order).await?;
        }
        tags::remove(tx, *repository, tag).await?;
        let (actor, old) = (order.actor.name.clone(), Some(*manifest));
        tags::record(
            tx,
            *repository,
            &tags::Move { id: 0, tag: tag.clone(), old, new: None, act: tags::Act::Delete, actor, at: order.at },
        )
        .await?;
    }
    let told = home.iter().flat_map(|home| named.iter().map(move |tag| format!("{}:{tag}", home.name)));
    let step = Step { more: named.len() as i64 >= STEP, tags: told.collect() };
    if step.more {
        return Ok(step);
    }
    let targets = manifests::targets(tx, *repository, manifest).await?;
    reviews::enqueue_all(tx, Some(*repository), &targets, "manifest purged", order.due).await?;
    if *whole {
        purges::add_candidates(tx, order.run, *repository, &targets).await?;
    }
    manifests::remove(tx, *repository, manifest).await?;
    if let Some(home) = &home {
        note_removal(tx, "manifest.delete", &home.name, None, manifest, order).await?;
    }
    Ok(step)
}

/// For those who ask in the repository's own project what became of it: the purge itself is a line about the server.
async fn note_removal(
    tx: &mut Tx<'_>,
    action: &str,
    home: &RepoName,
    tag: Option<String>,
    manifest: &Digest,
    order: &Order,
) -> Result<()> {
    let mut entry = about(order.actor.did(action, home, order.at), tag, Some(*manifest));
    entry.detail = Some(format!("purged: {}", order.reason).trim_end_matches(": ").to_owned());
    Ok(audit::append(tx, &entry).await?)
}

async fn erase(
    tx: &mut Tx<'_>,
    digest: &Digest,
    order: &Order,
    formats: &[FormatName],
    delay: std::time::Duration,
) -> Result<Erased> {
    let mut erased = Erased::default();
    // Each entry is reviewed once, with what else it kept, and its row stays, so that its number means one thing.
    for entry in bin::needing(tx, digest, STEP).await? {
        bin::review(tx, entry, "its image was purged", order.due).await?;
        erased.bin += u64::from(bin::end_early(tx, entry, order.at).await?);
    }
    erased.links = purges::unlink(tx, digest, STEP).await?.len() as u64;
    let named = holders::packages(tx, digest, STEP).await?;
    for (repository, path, package) in &named {
        let channels = unlist(tx, *repository, *package).await?;
        packages::remove(tx, *package).await?;
        let Some(found) = holders::repository(tx, *repository).await? else { continue };
        erased.packages.push(format!("{} {path}", found.name));
        let format = formats.iter().copied().find(|format| format.as_str() == found.format);
        let living = format.filter(|_| found.deleted_at.is_none()).zip(found.name.parse::<RepoName>().ok());
        if let Some((format, name)) = living {
            let target = Target::new(format, name);
            for channel in &channels {
                ask_for_index(tx, &target, (*repository, channel), delay, order.at).await?;
            }
        }
    }
    erased.more = erased.bin > 0 || erased.links > 0 || !named.is_empty();
    if !erased.more {
        erased.gone = collection::remove_unused(tx, std::slice::from_ref(digest)).await?;
        doomed::insert(tx, &erased.gone, BEFORE_PINS, BEFORE_PINS).await?;
        purges::hasten(tx, digest).await?;
    }
    Ok(erased)
}
