//! Snapshots: what a channel listed at one moment, under a name. Its index and the files that this lists stay until it is deleted,
//! whatever is removed from the repository meanwhile.
//!
//! A published snapshot is what clients of its channel see. Uploads go on and are listed in the channel's newest index, which
//! nobody sees until that is published again: promoting is one pointer, and so is rolling back. What the index says of itself, such as
//! its date and who has signed it, is said anew (`publish/reissue.rs`); the lists stay as they were.

use wharf_db::catalog::snapshots::{self, Held, NewSnapshot};
use wharf_db::catalog::{audit, events, generations, packages, placements, reviews};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, SubjectName, Timestamp};

use crate::publish::{Reissue, Reissued, replace};
use crate::repository::Target;
use crate::{Actor, Core, Error, Result};

/// Packages that are compared, or removed, in one step.
const STEP: i64 = 500;
/// How often a snapshot is tried of a channel that others go on changing.
const TRIES: usize = 20;

/// Why a snapshot is not made, shown or deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// No snapshot of this name.
    #[error("there is no snapshot {0} in this repository")]
    Unknown(SubjectName),
    /// There is one.
    #[error("there is a snapshot {0} already: it is not changed")]
    Exists(SubjectName),
    /// Clients see it.
    #[error("the snapshot {0} is what clients see: publish another or the newest index first")]
    Published(SubjectName),
    /// There is nothing to see.
    #[error("nothing was published in {0:?} yet")]
    NoIndex(String),
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name in the repository.
    pub name: SubjectName,
    /// Of which index; empty where a repository has one.
    pub channel: String,
    /// How many packages it lists.
    pub packages: u64,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Whether clients see it.
    pub published: bool,
}

/// What differs between two snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotDiff {
    /// By name and architecture, in order.
    pub items: Vec<Difference>,
    /// Where to go on: name and architecture of the last that was compared, if there are more.
    pub next: Option<(String, String)>,
}

/// A package of which two snapshots have different versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// Its architecture; empty where a format has none.
    pub architecture: String,
    /// The versions of the first snapshot; none if it was added.
    pub from: Vec<String>,
    /// The versions of the second; none if it was removed.
    pub to: Vec<String>,
}

impl From<snapshots::Snapshot> for Snapshot {
    fn from(row: snapshots::Snapshot) -> Self {
        let snapshots::Snapshot { name, channel, packages, created_by, created_at, published, .. } = row;
        Self { name, channel, packages, created_by, created_at, published }
    }
}

struct Change {
    target: Target,
    name: SubjectName,
    channel: String,
    actor: Actor,
    at: Timestamp,
}

/// What clients of a channel are to see.
struct Show {
    target: Target,
    channel: String,
    /// `None` is the newest index.
    snapshot: Option<SubjectName>,
    /// The generation that it was when it was said anew.
    generation: i64,
    reissued: Reissued,
    actor: Actor,
    at: Timestamp,
}

impl Core {
    /// Makes a snapshot of what a channel lists when all that was uploaded before the call is listed.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`SnapshotError`], [`Error::NotPublished`] if the index does not come to rest.
    pub async fn create_snapshot(
        &self,
        target: &Target,
        channel: &str,
        name: SubjectName,
        actor: &Actor,
    ) -> Result<Snapshot> {
        for _ in 0..TRIES {
            self.wait_until_published(target, channel).await?;
            let change = self.snapshot_change(target, &name, channel, actor);
            let made = self.inner.db.write(Durability::Full, change, |tx, c| Box::pin(create(tx, c))).await?;
            if let Some(made) = made {
                return Ok(made);
            }
        }
        Err(Error::NotPublished("others go on changing it: try again".to_owned()))
    }

    /// Up to `limit` snapshots by name after `after`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn snapshots(&self, target: &Target, after: &str, limit: usize) -> Result<Vec<Snapshot>> {
        let args = (target, after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.inner.db.read(&args, |tx, (target, after, limit)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                Ok::<_, Error>(snapshots::page(tx, repository, after, *limit).await?)
            })
        });
        Ok(rows.await?.into_iter().map(Snapshot::from).collect())
    }

    /// A snapshot.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`SnapshotError::Unknown`].
    pub async fn snapshot(&self, target: &Target, name: &SubjectName) -> Result<Snapshot> {
        let args = (target, name);
        let found = self.inner.db.read(&args, |tx, (target, name)| Box::pin(require(tx, target, name)));
        Ok(found.await?.1.into())
    }

    /// What two snapshots have that the other has not, by name and architecture behind `after`, up to about `limit`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`SnapshotError::Unknown`].
    pub async fn diff_snapshots(
        &self,
        target: &Target,
        names: (&SubjectName, &SubjectName),
        after: (String, String),
        limit: usize,
    ) -> Result<SnapshotDiff> {
        let args = (target, names.0, names.1);
        let found = self.inner.db.read(&args, |tx, (target, one, other)| {
            Box::pin(async move {
                let (one, other) = (require(tx, target, one).await?.1, require(tx, target, other).await?.1);
                Ok::<_, Error>((one.id, other.id))
            })
        });
        let (one, other) = found.await?;
        let (mut one, mut other) = (Side::new(one, &after), Side::new(other, &after));
        let mut diff = SnapshotDiff::default();
        loop {
            self.fill(&mut one).await?;
            self.fill(&mut other).await?;
            let next = [one.key(), other.key()].into_iter().flatten().min();
            let Some((name, architecture)) = next.map(|(name, arch)| (name.to_owned(), arch.to_owned())) else {
                return Ok(diff);
            };
            if diff.items.len() >= limit {
                return Ok(SnapshotDiff {
                    next: diff.items.last().map(|last| (last.name.clone(), last.architecture.clone())),
                    ..diff
                });
            }
            let from = self.take(&mut one, (&name, &architecture)).await?;
            let to = self.take(&mut other, (&name, &architecture)).await?;
            if from != to {
                let versions = |held: Vec<(String, Digest)>| held.into_iter().map(|(version, _)| version).collect();
                diff.items.push(Difference { name, architecture, from: versions(from), to: versions(to) });
            }
        }
    }

    /// All versions of one package, front of a side.
    async fn take(&self, side: &mut Side, key: (&str, &str)) -> Result<Vec<(String, Digest)>> {
        let mut taken = Vec::new();
        while side.key() == Some(key) {
            if let Some(held) = side.page.pop_front() {
                taken.push((held.version.clone(), held.digest));
                side.after = Some(held);
            }
            self.fill(side).await?;
        }
        Ok(taken)
    }

    async fn fill(&self, side: &mut Side) -> Result<()> {
        if !side.page.is_empty() || side.done {
            return Ok(());
        }
        let args = (side.snapshot, side.after.clone());
        let page = self
            .inner
            .db
            .read(&args, |tx, (snapshot, after)| Box::pin(snapshots::packages(tx, *snapshot, after.as_ref(), STEP)));
        side.page = page.await.map_err(Error::from)?.into();
        side.done = side.page.is_empty();
        Ok(())
    }

    /// Lets clients of its channel see a snapshot.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`SnapshotError::Unknown`].
    pub async fn publish_snapshot(&self, target: &Target, name: &SubjectName, actor: &Actor) -> Result<()> {
        for _ in 0..TRIES {
            let args = (target, name);
            let found = self.inner.db.read(&args, |tx, (target, name)| Box::pin(require(tx, target, name)));
            let (repository, snapshots::Snapshot { channel, generation, .. }) = found.await?;
            let reissued = self.reissue(target, (repository, &channel), generation, Reissue::Shown).await?;
            let (target, snapshot, actor) = (target.clone(), Some(name.clone()), actor.clone());
            let at = self.inner.clock.now();
            let show = Show { target, channel, snapshot, generation, reissued, actor, at };
            if self.inner.db.write(Durability::Full, show, |tx, s| Box::pin(publish(tx, s))).await? {
                return Ok(());
            }
        }
        Err(Error::NotPublished("others go on publishing it: try again".to_owned()))
    }

    /// Lets clients of a channel see the newest index again.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`SnapshotError::NoIndex`].
    pub async fn publish_live(&self, target: &Target, channel: &str, actor: &Actor) -> Result<()> {
        for _ in 0..TRIES {
            let args = (target, channel);
            let found = self.inner.db.read(&args, |tx, (target, channel)| Box::pin(newest(tx, target, channel)));
            let (repository, generation, hidden) = found.await?;
            // Who sees the newest has seen nothing newer.
            let reissued = match hidden {
                true => self.reissue(target, (repository, channel), generation, Reissue::Shown).await?,
                false => Reissued::default(),
            };
            let (target, channel, actor) = (target.clone(), channel.to_owned(), actor.clone());
            let (snapshot, at) = (None, self.inner.clock.now());
            let show = Show { target, channel, snapshot, generation, reissued, actor, at };
            if self.inner.db.write(Durability::Full, show, |tx, s| Box::pin(go_live(tx, s))).await? {
                return Ok(());
            }
        }
        Err(Error::NotPublished("others go on changing it: try again".to_owned()))
    }

    /// Deletes a snapshot. What only it kept goes.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`SnapshotError::Unknown`], [`SnapshotError::Published`].
    pub async fn delete_snapshot(&self, target: &Target, name: &SubjectName, actor: &Actor) -> Result<()> {
        let change = self.snapshot_change(target, name, "", actor);
        let repository = self.inner.db.write(Durability::Full, change, |tx, c| Box::pin(delete(tx, c))).await?;
        // In steps, each of which keeps other writers waiting for a moment only. What a crash leaves here the next deletion finds.
        loop {
            let args = (repository, self.inner.clock.now().after(self.inner.config.review_delay));
            let removed = self.inner.db.write(Durability::Full, args, |tx, (repository, due)| {
                Box::pin(async move {
                    let removed = packages::remove_forgotten(tx, *repository, STEP).await?;
                    for digest in &removed {
                        reviews::enqueue(tx, Some(*repository), digest, "package removed", *due).await?;
                    }
                    Ok::<_, wharf_db::Error>(removed.len())
                })
            });
            if removed.await.map_err(Error::from)? == 0 {
                return Ok(());
            }
        }
    }

    fn snapshot_change(&self, target: &Target, name: &SubjectName, channel: &str, actor: &Actor) -> Change {
        let at = self.inner.clock.now();
        let (target, name, channel, actor) = (target.clone(), name.clone(), channel.to_owned(), actor.clone());
        Change { target, name, channel, actor, at }
    }
}

/// One of two snapshots that are compared.
struct Side {
    snapshot: i64,
    page: std::collections::VecDeque<Held>,
    after: Option<Held>,
    done: bool,
}

impl Side {
    fn new(snapshot: i64, (name, architecture): &(String, String)) -> Self {
        // Behind every version of it: no version has such a character.
        let after = (!name.is_empty()).then(|| Held {
            name: name.clone(),
            architecture: architecture.clone(),
            version: "\u{10ffff}".to_owned(),
            digest: Digest::sha256(b""),
            id: i64::MAX,
        });
        Self { snapshot, page: std::collections::VecDeque::new(), after, done: false }
    }

    fn key(&self) -> Option<(&str, &str)> {
        self.page.front().map(|held| (held.name.as_str(), held.architecture.as_str()))
    }
}

async fn require(tx: &mut Tx<'_>, target: &Target, name: &SubjectName) -> Result<(i64, snapshots::Snapshot)> {
    let repository = target.require(tx).await?.id;
    let found = snapshots::find(tx, repository, name).await?;
    Ok((repository, found.ok_or_else(|| SnapshotError::Unknown(name.clone()))?))
}

/// `None` if the index does not list everything yet.
async fn create(tx: &mut Tx<'_>, change: &Change) -> Result<Option<Snapshot>> {
    let Change { target, name, channel, actor, at, .. } = change;
    let repository = target.require(tx).await?.id;
    let Some(generation) = generations::head(tx, repository, channel).await? else {
        return Err(SnapshotError::NoIndex(channel.clone()).into());
    };
    if !placements::changes(tx, repository, channel, 1).await?.is_empty() {
        return Ok(None);
    }
    let (name, created_by, at) = (name.clone(), actor.name.clone(), *at);
    let new = NewSnapshot { repository, name, channel: channel.clone(), generation, created_by, at };
    if snapshots::create(tx, &new).await?.is_none() {
        return Err(SnapshotError::Exists(new.name).into());
    }
    noted(tx, (target, channel), actor, ("snapshot.create", new.name.to_string()), at).await?;
    Ok(snapshots::find(tx, repository, &new.name).await?.map(Snapshot::from))
}

/// False if it was said anew by somebody else meanwhile.
async fn publish(tx: &mut Tx<'_>, show: &Show) -> Result<bool> {
    let Show { target, snapshot, generation, reissued, actor, at, .. } = show;
    let Some(name) = snapshot else { return Ok(false) };
    let (repository, found) = require(tx, target, name).await?;
    if found.generation != *generation {
        return Ok(false);
    }
    replace(tx, target, repository, &found, reissued, *at).await?;
    if !snapshots::publish(tx, repository, &found.channel, Some(found.id)).await? {
        return Err(SnapshotError::NoIndex(found.channel).into());
    }
    noted(tx, (target, &found.channel), actor, ("snapshot.publish", name.to_string()), *at).await?;
    told(tx, target, &found.channel, *at).await?;
    Ok(true)
}

/// The repository, the newest generation of a channel, and whether clients see a snapshot instead.
async fn newest(tx: &mut Tx<'_>, target: &Target, channel: &str) -> Result<(i64, i64, bool)> {
    let repository = target.require(tx).await?.id;
    let head = generations::head(tx, repository, channel).await?;
    let generation = head.ok_or_else(|| SnapshotError::NoIndex(channel.to_owned()))?;
    Ok((repository, generation, snapshots::shown(tx, repository, channel).await?.is_some()))
}

/// False if something was published meanwhile.
async fn go_live(tx: &mut Tx<'_>, show: &Show) -> Result<bool> {
    let Show { target, channel, generation, reissued, actor, at, .. } = show;
    let (repository, newest, _) = newest(tx, target, channel).await?;
    if newest != *generation {
        return Ok(false);
    }
    if let Some(anew) = reissued.write(tx, target, (repository, channel), newest, *at).await? {
        generations::copy_lists(tx, newest, anew).await?;
        generations::publish(tx, repository, channel, anew, *at).await?;
    }
    snapshots::publish(tx, repository, channel, None).await?;
    noted(tx, (target, channel), actor, ("snapshot.live", channel.clone()), *at).await?;
    told(tx, target, channel, *at).await?;
    Ok(true)
}

async fn delete(tx: &mut Tx<'_>, change: &Change) -> Result<i64> {
    let Change { target, name, actor, at, .. } = change;
    let (repository, found) = require(tx, target, name).await?;
    if found.published {
        return Err(SnapshotError::Published(name.clone()).into());
    }
    snapshots::delete(tx, found.id).await?;
    noted(tx, (target, &found.channel), actor, ("snapshot.delete", name.to_string()), *at).await?;
    Ok(repository)
}

async fn noted(
    tx: &mut Tx<'_>,
    (target, channel): (&Target, &str),
    actor: &Actor,
    (action, subject): (&str, String),
    at: Timestamp,
) -> Result<()> {
    let mut entry = actor.did(action, &target.name, at);
    entry.subject = Some(subject);
    entry.detail = Some(channel.to_owned()).filter(|channel| !channel.is_empty());
    Ok(audit::append(tx, &entry).await?)
}

async fn told(tx: &mut Tx<'_>, target: &Target, channel: &str, at: Timestamp) -> Result<()> {
    let payload =
        serde_json::json!({ "format": target.format, "repository": target.name.canonical(), "channel": channel });
    Ok(events::append(tx, at, "index.published", &payload.to_string()).await?)
}
