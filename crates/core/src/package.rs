//! Packages of formats that publish an index: taken in, listed by the next generation, taken out.

mod add;
mod find;
mod list;
mod place;

use std::collections::BTreeSet;

use wharf_db::catalog::{audit, blobs, events, packages, placements, repositories, reviews, snapshots, tags};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, FormatName, Tag, Timestamp};

pub(crate) use add::{Adding, Inspections};
pub use find::Listed;
pub use list::{ListEntry, Stretch};

use crate::actor::about;
use crate::artifact::{self, Companion, Shown};
use crate::manifest::Removal;
use crate::publish::ask_for_index;
use crate::repository::Target;
use crate::tag_rule::RuleBook;
use crate::{Actor, Blob, Core, Error, Format, Result};

/// What the request says of the package it brings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrival {
    /// The index it goes into; empty where a repository has one.
    pub channel: String,
    /// What else the request says of where in the index: an APT component.
    pub section: String,
    /// The file name it came under, if it had one.
    pub file_name: Option<String>,
    /// Whether other content at its path makes way.
    pub replaces: bool,
}

/// A package that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Where clients fetch it once it is published.
    pub path: String,
    /// What it hashes to.
    pub digest: Digest,
    /// False if the very same package was here already.
    pub new: bool,
}

/// A package as lists and indexes see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Where clients fetch it inside the repository. Lists are in this order and page by it.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its version, as its format writes it.
    pub version: String,
    /// Its architecture; empty where a format has none.
    pub architecture: String,
    /// What the file hashes to.
    pub digest: Digest,
    /// Bytes of the file.
    pub size: u64,
    /// When it came.
    pub created_at: Timestamp,
}

impl From<packages::NewPackage> for Package {
    fn from(row: packages::NewPackage) -> Self {
        let packages::NewPackage { path, name, version, architecture, digest, size, created_at, .. } = row;
        Self { path, name, version, architecture, digest, size, created_at }
    }
}

/// A list of an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The index.
    pub channel: String,
    /// The list in it; empty where an index has one.
    pub part: String,
}

/// Where a list has a package: as its format says, or by arrival. Arrivals of one instant are told apart by their content.
pub(crate) fn position(sorts_as: Option<&str>, digest: &Digest, at: Timestamp) -> String {
    match sorts_as {
        Some(text) => text.to_owned(),
        None => format!("{:012x}-{}", at.as_millis().max(0), digest.hex()),
    }
}

struct Take {
    target: Target,
    path: String,
    companions: Vec<String>,
    /// The form that the package has as an artifact, which goes too.
    shown: Option<Shown>,
    /// Nothing is done unless the tag points there.
    still: Option<Pointed>,
    rules: RuleBook,
    kept_until: Option<Timestamp>,
    actor: Actor,
    at: Timestamp,
    review_due: Timestamp,
    publish_delay: std::time::Duration,
}

impl Core {
    pub(crate) fn format_of(&self, target: &Target) -> Result<std::sync::Arc<dyn Format>> {
        let found = self.inner.formats.iter().find(|format| format.name() == target.format).cloned();
        found.ok_or_else(|| Error::Inconsistent(format!("no format {} is installed", target.format)))
    }

    /// The names of the kinds of goods this server takes.
    pub fn formats(&self) -> Vec<FormatName> {
        self.inner.formats.iter().map(|format| format.name()).collect()
    }

    /// The kind of goods of this name.
    pub fn format_named(&self, text: &str) -> Option<FormatName> {
        self.formats().into_iter().find(|name| name.as_str() == text)
    }

    /// The package at a path.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn package(&self, target: &Target, path: &str) -> Result<Blob> {
        let args = (target, path);
        let found = self
            .inner
            .db
            .read(&args, |tx, (target, path)| {
                Box::pin(async move {
                    let repository = target.require(tx).await?.id;
                    let unknown = || Error::FileUnknown((*path).to_owned());
                    let package = packages::find(tx, repository, path).await?.ok_or_else(unknown)?.package;
                    blobs::linked(tx, repository, &package.digest).await?.ok_or_else(unknown)
                })
            })
            .await?;
        Ok(found.into())
    }

    /// Up to `limit` packages of a channel, by path after `after`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn packages(&self, target: &Target, channel: &str, after: &str, limit: usize) -> Result<Vec<Package>> {
        let args = (target, channel, after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.inner.db.read(&args, |tx, (target, channel, after, limit)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                Ok::<_, Error>(packages::page(tx, repository, channel, after, *limit).await?)
            })
        });
        Ok(rows.await?.into_iter().map(|row| Package::from(row.package)).collect())
    }

    /// Takes a package out and asks for a new index.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn remove_package(&self, target: &Target, path: &str, actor: &Actor) -> Result<()> {
        let args = self.take_of(target, path, actor)?;
        self.inner.db.write(Durability::Full, args, |tx, t| Box::pin(take(tx, t))).await?;
        self.inner.work.notify_one();
        Ok(())
    }

    /// Takes a package out that is no artifact any more.
    pub(crate) async fn remove_reflected(&self, target: &Target, path: &str, still: Pointed) -> Result<()> {
        let args = Take { still: Some(still), ..self.take_of(target, path, &Actor::system())? };
        let done = self.inner.db.write(Durability::Full, args, |tx, t| Box::pin(take(tx, t))).await;
        self.inner.work.notify_one();
        match done {
            Err(Error::FileUnknown(_)) => Ok(()),
            other => other,
        }
    }

    fn take_of(&self, target: &Target, path: &str, actor: &Actor) -> Result<Take> {
        let at = self.inner.clock.now();
        Ok(Take {
            target: target.clone(),
            path: path.to_owned(),
            companions: self.format_of(target)?.companions(path),
            shown: self.inner.rules.doors().shown_by(target.format.as_str()),
            still: None,
            rules: self.inner.rules.clone(),
            kept_until: self.kept_until(at),
            actor: actor.clone(),
            at,
            review_due: at.after(self.inner.config.review_delay),
            publish_delay: self.inner.config.publish_delay,
        })
    }
}

async fn take(tx: &mut Tx<'_>, take: &Take) -> Result<()> {
    let Take { target, path, companions, actor, at, review_due, publish_delay, .. } = take;
    if !still_points(tx, take.still.as_ref()).await? {
        return Ok(());
    }
    let repository = target.require(tx).await?.id;
    let found = packages::find(tx, repository, path).await?;
    let found = found.ok_or_else(|| Error::FileUnknown(path.clone()))?;
    take.artifact(tx, &found.package).await?;
    let mut channels = drop_package(tx, repository, &found, (*at, *review_due)).await?;
    for companion in companions {
        if let Some(companion) = packages::find(tx, repository, companion).await? {
            channels.append(&mut drop_package(tx, repository, &companion, (*at, *review_due)).await?);
        }
    }
    let package = found.package;
    let entry = actor.did("package.remove", &target.name, *at);
    audit::append(tx, &about(entry, Some(path.clone()), Some(package.digest))).await?;
    let payload = serde_json::json!({
        "format": target.format, "repository": target.name.canonical(), "path": path, "digest": package.digest,
    });
    events::append(tx, *at, "package.removed", &payload.to_string()).await?;
    for channel in channels {
        ask_for_index(tx, target, (repository, &channel), *publish_delay, *at).await?;
    }
    Ok(())
}

/// What a reflected tag pointed at when it was looked at.
pub(crate) struct Pointed {
    pub(crate) repository: i64,
    pub(crate) tag: Tag,
    pub(crate) digest: Option<Digest>,
}

/// A tag that has moved since left an order of its own.
async fn still_points(tx: &mut Tx<'_>, still: Option<&Pointed>) -> Result<bool> {
    let Some(Pointed { repository, tag, digest }) = still else { return Ok(true) };
    let living = repositories::is_living(tx, *repository).await?;
    let now = if living { tags::find(tx, *repository, tag).await? } else { None };
    Ok(now == *digest)
}

impl Take {
    /// Takes the artifact away that the package is too, or the layer of a file that goes with it.
    async fn artifact(&self, tx: &mut Tx<'_>, package: &packages::NewPackage) -> Result<()> {
        let Some(shown) = self.shown.filter(|_| self.still.is_none()) else { return Ok(()) };
        let Some(of) = shown.twin_of(&self.target, &package.name, &package.version) else { return Ok(()) };
        let (actor, rules, at, due) = (self.actor.clone(), self.rules.clone(), self.at, self.review_due);
        let (media_type, _) = shown.form.companion();
        let name = of.target.name.clone();
        let own = artifact::view_of(&name).and_then(|(_, name)| shown.form.path(&name, &of.tag));
        if own.as_deref() != Some(self.path.as_str()) {
            return artifact::attach(tx, &Companion { of, media_type, actor, rules, at, due }, None).await;
        }
        let kept_until = self.kept_until;
        artifact::remove_twin(tx, &of, &package.digest, |target, reference| Removal {
            target,
            reference,
            actor,
            rules,
            at,
            due,
            kept_until,
        })
        .await
    }
}

/// Removes a package's row and lets its bytes be reviewed. Says which channels have to be published.
async fn drop_package(
    tx: &mut Tx<'_>,
    repository: i64,
    gone: &packages::Package,
    (at, review_due): (Timestamp, Timestamp),
) -> Result<BTreeSet<String>> {
    let channels = unlist(tx, repository, gone.id).await?;
    if snapshots::hold(tx, gone.id).await? {
        // Its file stays while a snapshot lists it.
        packages::mark_removed(tx, gone.id, Some(at)).await?;
        return Ok(channels);
    }
    packages::remove(tx, gone.id).await?;
    reviews::enqueue(tx, Some(repository), &gone.package.digest, "package removed", review_due).await?;
    Ok(channels)
}

/// Takes a package out of all lists. Says which channels have to be published.
pub(crate) async fn unlist(tx: &mut Tx<'_>, repository: i64, package: i64) -> Result<BTreeSet<String>> {
    let mut channels = BTreeSet::new();
    for place in placements::of_package(tx, package).await? {
        placements::remove(tx, repository, &place).await?;
        channels.insert(place.channel);
    }
    Ok(channels)
}
