//! Manifests: taken byte for byte, understood as far as the registry must, served as they came.

mod object;
mod parse;
mod put;
mod served;

use wharf_db::catalog::{audit, events, manifests, repositories, reviews, tags};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, MediaType, Reference, Tag, Timestamp};

pub use parse::{InvalidManifest, Kind, Parsed, media};
pub use put::Pushed;
pub(crate) use put::{Put, put_rows, references};
pub use served::Manifest;

use crate::actor::about;
use crate::artifact::reflect_manifest;
use crate::recycle::{self, Deletion};
use crate::repository::Target;
use crate::tag::{Act, Mover};
use crate::tag_rule::RuleBook;
use crate::{Actor, Core, Error, Result};

/// A manifest as lists and detail pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestInfo {
    /// What its bytes hash to.
    pub digest: Digest,
    /// As its content says.
    pub media_type: MediaType,
    /// What it is.
    pub artifact_type: Option<String>,
    /// What it is attached to.
    pub subject: Option<Digest>,
    /// Its annotations as a JSON object.
    pub annotations: Option<String>,
    /// Bytes of the manifest itself.
    pub size: u64,
    /// When it came.
    pub pushed_at: Timestamp,
    /// The tags that point at it; empty in lists.
    pub tags: Vec<Tag>,
}

impl From<manifests::Manifest> for ManifestInfo {
    fn from(row: manifests::Manifest) -> Self {
        let manifests::Manifest { digest, media_type, artifact_type, subject, annotations, size, pushed_at } = row;
        Self { digest, media_type, artifact_type, subject, annotations, size, pushed_at, tags: Vec::new() }
    }
}

/// A removal of a tag or a manifest.
#[derive(Clone)]
pub(crate) struct Removal {
    pub(crate) target: Target,
    pub(crate) reference: Reference,
    pub(crate) actor: Actor,
    pub(crate) rules: RuleBook,
    pub(crate) at: Timestamp,
    /// When what nothing needs any more is looked at.
    pub(crate) due: Timestamp,
    /// Until when it lies in the bin, if there is one.
    pub(crate) kept_until: Option<Timestamp>,
}

impl Core {
    /// What is known of the manifest that a tag or digest names.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::ManifestUnknown`].
    pub async fn manifest_info(&self, target: &Target, reference: &Reference) -> Result<ManifestInfo> {
        let args = (target, reference);
        let info = self.inner.db.snapshot(&args, |tx, (target, reference)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                let unknown = || Error::ManifestUnknown((*reference).clone());
                let digest = match reference {
                    Reference::Tag(tag) => tags::find(tx, repository, tag).await?.ok_or_else(unknown)?,
                    Reference::Digest(digest) => *digest,
                };
                let row = manifests::find(tx, repository, &digest).await?.ok_or_else(unknown)?;
                let tags = tags::of_manifest(tx, repository, &digest).await?;
                Ok::<_, Error>(ManifestInfo { tags, ..row.into() })
            })
        });
        info.await
    }

    /// Up to `limit` manifests of a repository by digest after `after`.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn manifests(&self, target: &Target, after: Option<&Digest>, limit: usize) -> Result<Vec<ManifestInfo>> {
        let after = after.map(Digest::to_bytes).unwrap_or_default();
        let args = (target, after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.inner.db.read(&args, |tx, (target, after, limit)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                Ok::<_, Error>(manifests::page(tx, repository, after, *limit).await?)
            })
        });
        Ok(rows.await?.into_iter().map(ManifestInfo::from).collect())
    }

    /// Removes a tag, or a manifest with all its tags. It lies in the bin for a while, from where it can be restored.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::ManifestUnknown`], and [`Error::Rule`] if a rule of the project keeps a tag.
    pub async fn delete_manifest(&self, target: &Target, reference: &Reference, actor: &Actor) -> Result<()> {
        let at = self.inner.clock.now();
        let due = at.after(self.inner.config.review_delay);
        let (target, reference, actor) = (target.clone(), reference.clone(), actor.clone());
        let (rules, kept_until) = (self.inner.rules.clone(), self.kept_until(at));
        let args = Removal { target, reference, actor, rules, at, due, kept_until };
        self.inner.db.write(Durability::Full, args, |tx, r| Box::pin(remove(tx, r))).await?;
        // What lists artifacts may have something to do.
        self.inner.work.notify_one();
        Ok(())
    }
}

/// Removes a tag, or a manifest with all its tags.
pub(crate) async fn remove(tx: &mut Tx<'_>, removal: &Removal) -> Result<()> {
    let repository = removal.target.require(tx).await?;
    match &removal.reference {
        Reference::Tag(tag) => remove_tag(tx, &repository, removal, tag).await,
        Reference::Digest(digest) => remove_manifest(tx, &repository, removal, digest).await,
    }
}

impl Removal {
    fn mover<'a>(&'a self, repository: &'a repositories::Repository) -> Mover<'a> {
        Mover::new(repository, Act::Delete, &self.actor.name, &self.rules, (self.at, self.due))
    }

    fn deletion<'a>(&'a self, repository: &'a repositories::Repository) -> Option<Deletion<'a>> {
        let actor = self.actor.name.as_str();
        self.kept_until.map(|until| Deletion { repository, actor, at: self.at, until })
    }

    fn unknown(&self) -> Error {
        Error::ManifestUnknown(self.reference.clone())
    }
}

async fn remove_tag(
    tx: &mut Tx<'_>,
    repository: &repositories::Repository,
    removal: &Removal,
    tag: &Tag,
) -> Result<()> {
    let digest = removal.mover(repository).remove(tx, tag).await?.ok_or_else(|| removal.unknown())?;
    if let Some(deletion) = removal.deletion(repository) {
        recycle::keep_tag(tx, &deletion, tag, &digest).await?;
    }
    tell_tag_deleted(tx, removal, tag, &digest).await
}

/// Tags in one event.
const TOLD_AT_ONCE: usize = 1000;

/// A manifest that goes takes its tags along: into the bin in one piece.
async fn remove_manifest(
    tx: &mut Tx<'_>,
    repository: &repositories::Repository,
    removal: &Removal,
    digest: &Digest,
) -> Result<()> {
    let Removal { target, actor, rules, at, due, .. } = removal;
    let manifest = manifests::find(tx, repository.id, digest).await?.ok_or_else(|| removal.unknown())?;
    rules.open(repository).let_manifest_go(tx, repository.id, digest).await?;
    let names = tags::of_manifest(tx, repository.id, digest).await?;
    match removal.deletion(repository) {
        Some(deletion) => recycle::keep_manifest(tx, &deletion, &manifest, &names).await?,
        None => {
            let targets = manifests::targets(tx, repository.id, digest).await?;
            reviews::enqueue_all(tx, Some(repository.id), &targets, "manifest deleted", *due).await?;
            reviews::enqueue(tx, None, digest, "manifest deleted", *due).await?;
        }
    }
    let named = (repository.id, &repository.name);
    reflect_manifest(tx, rules.doors(), named, manifest.artifact_type.as_deref(), &names, *at).await?;
    // However many tags there are: a few statements. The rules were asked about all of them above.
    if !names.is_empty() {
        let entry = about(actor.did("tag.delete", &target.name, *at), None, Some(*digest));
        audit::append_for_tags(tx, &entry, repository.id, digest).await?;
        tags::remove_all(tx, repository.id, digest, &actor.name, *at).await?;
        reviews::enqueue(tx, Some(repository.id), digest, "tag deleted", *due).await?;
        for some in names.chunks(TOLD_AT_ONCE) {
            tell(tx, "tag.deleted", target, digest, some, *at).await?;
        }
    }
    manifests::remove(tx, repository.id, digest).await?;
    let entry = actor.did("manifest.delete", &target.name, *at);
    audit::append(tx, &about(entry, None, Some(*digest))).await?;
    tell(tx, "manifest.deleted", target, digest, &[], *at).await
}

async fn tell_tag_deleted(tx: &mut Tx<'_>, removal: &Removal, tag: &Tag, digest: &Digest) -> Result<()> {
    let Removal { target, actor, at, .. } = removal;
    let entry = about(actor.did("tag.delete", &target.name, *at), Some(tag.to_string()), Some(*digest));
    audit::append(tx, &entry).await?;
    tell(tx, "tag.deleted", target, digest, std::slice::from_ref(tag), *at).await
}

/// Writes the event that tells of a change to a manifest.
pub(crate) async fn tell(
    tx: &mut Tx<'_>,
    kind: &str,
    target: &Target,
    digest: &Digest,
    tags: &[Tag],
    at: Timestamp,
) -> Result<()> {
    let repository = target.name.canonical();
    let payload = serde_json::json!({
        "format": target.format, "repository": repository, "digest": digest, "tags": tags,
    });
    Ok(events::append(tx, at, kind, &payload.to_string()).await?)
}
