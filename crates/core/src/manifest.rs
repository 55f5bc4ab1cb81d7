//! Manifests: taken byte for byte, understood as far as the registry must, served as they came.

mod object;
mod parse;
mod put;
mod served;

use wharf_db::catalog::{audit, events, manifests, reviews, tags};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, MediaType, Reference, Tag, Timestamp};

pub use parse::{InvalidManifest, Kind, Parsed, media};
pub use put::Pushed;
pub use served::Manifest;

use crate::actor::about;
use crate::repository::Target;
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

struct Removal {
    target: Target,
    reference: Reference,
    actor: Actor,
    at: Timestamp,
    due: Timestamp,
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

    /// Removes a tag, or a manifest with all its tags.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::ManifestUnknown`].
    pub async fn delete_manifest(&self, target: &Target, reference: &Reference, actor: &Actor) -> Result<()> {
        let at = self.inner.clock.now();
        let due = at.after(self.inner.config.review_delay);
        let (target, reference, actor) = (target.clone(), reference.clone(), actor.clone());
        let args = Removal { target, reference, actor, at, due };
        self.inner.db.write(Durability::Full, args, |tx, r| Box::pin(remove(tx, r))).await
    }
}

async fn remove(tx: &mut Tx<'_>, removal: &Removal) -> Result<()> {
    let repository = removal.target.require(tx).await?.id;
    let unknown = || Error::ManifestUnknown(removal.reference.clone());
    match &removal.reference {
        Reference::Tag(tag) => {
            let digest = tags::find(tx, repository, tag).await?.ok_or_else(unknown)?;
            remove_tag(tx, repository, removal, tag, &digest).await
        }
        Reference::Digest(digest) => {
            let manifest = manifests::find(tx, repository, digest).await?.ok_or_else(unknown)?;
            for tag in tags::of_manifest(tx, repository, digest).await? {
                remove_tag(tx, repository, removal, &tag, digest).await?;
            }
            for target in manifests::targets(tx, repository, digest).await? {
                reviews::enqueue(tx, Some(repository), &target, "manifest deleted", removal.due).await?;
            }
            manifests::remove(tx, repository, &manifest.digest).await?;
            reviews::enqueue(tx, None, digest, "manifest deleted", removal.due).await?;
            let entry = removal.actor.did("manifest.delete", &removal.target.name, removal.at);
            audit::append(tx, &about(entry, None, Some(*digest))).await?;
            tell(tx, "manifest.deleted", &removal.target, digest, &[], removal.at).await
        }
    }
}

async fn remove_tag(tx: &mut Tx<'_>, repository: i64, removal: &Removal, tag: &Tag, digest: &Digest) -> Result<()> {
    let Removal { target, actor, at, due, .. } = removal;
    tags::remove(tx, repository, tag).await?;
    let moved = tags::Move { tag: tag.clone(), old: Some(*digest), new: None, actor: actor.name.clone(), at: *at };
    tags::record(tx, repository, &moved).await?;
    reviews::enqueue(tx, Some(repository), digest, "tag deleted", *due).await?;
    let entry = about(actor.did("tag.delete", &target.name, *at), Some(tag.to_string()), Some(*digest));
    audit::append(tx, &entry).await?;
    tell(tx, "tag.deleted", target, digest, std::slice::from_ref(tag), *at).await
}

/// Writes the event that tells of a change to a manifest.
async fn tell(
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
