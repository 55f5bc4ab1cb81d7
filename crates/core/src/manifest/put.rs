//! Pushing a manifest: its content, what it names, its tags, in one transaction.

use wharf_db::catalog::{audit, blobs, manifests, repositories};
use wharf_db::{Durability, Tx};
use wharf_types::{Algorithm, Digest, MediaType, Tag, Timestamp};

use super::{Parsed, tell};
use crate::actor::about;
use crate::repository::Target;
use crate::tag::{Act, Mover};
use crate::tag_rule::RuleBook;
use crate::{Actor, Core, Error, Result};

/// Most bytes of annotations that lists of referrers repeat.
const LISTED_ANNOTATIONS: usize = 64 * 1024;

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// What the manifest is stored under.
    pub digest: Digest,
    /// What it is attached to.
    pub subject: Option<Digest>,
}

/// A push of a manifest.
pub(crate) struct Put {
    pub(crate) target: Target,
    pub(crate) repository: i64,
    pub(crate) digest: Digest,
    pub(crate) parsed: Parsed,
    pub(crate) content: Vec<u8>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) actor: Actor,
    pub(crate) rules: RuleBook,
    pub(crate) sparse: bool,
    /// Whether the package that it is as well is written beside it.
    pub(crate) with_package: bool,
    pub(crate) at: Timestamp,
    pub(crate) due: Timestamp,
}

impl Core {
    /// Stores a manifest and points tags at it. With `digest` the content must hash to it; otherwise it is stored under its
    /// SHA-256.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`], [`Error::ManifestInvalid`], [`Error::BlobsMissing`], and [`Error::Rule`] if a tag may not move.
    pub async fn put_manifest(
        &self,
        target: &Target,
        content: Vec<u8>,
        header: Option<&MediaType>,
        digest: Option<Digest>,
        tags: Vec<Tag>,
        actor: &Actor,
    ) -> Result<Pushed> {
        let algorithm = digest.map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let actual = Digest::of(algorithm, &content);
        if let Some(expected) = digest
            && expected != actual
        {
            return Err(Error::DigestMismatch { expected, actual });
        }
        let parsed = Parsed::read(&content, header)?;
        self.require_room().await?;
        let subject = parsed.subject;
        let at = self.inner.clock.now();
        let put = Put {
            target: target.clone(),
            repository: self.ensure_repository(target, actor).await?,
            digest: actual,
            parsed,
            content,
            tags,
            actor: actor.clone(),
            rules: self.inner.rules.clone(),
            sparse: self.inner.config.accept_sparse_images,
            with_package: false,
            at,
            due: at.after(self.inner.config.review_delay),
        };
        let listed = put.parsed.artifact_type.as_ref().is_some_and(|kind| put.rules.doors().of_type(kind).is_some());
        self.inner.db.write(Durability::Full, put, |tx, p| Box::pin(put_rows(tx, p))).await?;
        if listed {
            self.inner.work.notify_one();
        }
        Ok(Pushed { digest: actual, subject })
    }
}

/// Writes the rows of a push.
pub(crate) async fn put_rows(tx: &mut Tx<'_>, put: &Put) -> Result<()> {
    let living = repositories::living(tx, put.repository).await?;
    let repository = living.ok_or_else(|| Error::RepositoryUnknown(put.target.name.clone()))?;
    require_references(tx, put).await?;
    let new = store(tx, put).await?;
    let mover = Mover::new(&repository, Act::Push, &put.actor.name, &put.rules, (put.at, put.due));
    let mut mover = mover.pushing(put.digest, put.parsed.artifact_type.clone(), put.with_package);
    for tag in &put.tags {
        mover.point(tx, tag, &put.digest).await?;
    }
    if new || !put.tags.is_empty() {
        let subject = (!put.tags.is_empty()).then(|| put.tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(" "));
        let entry = about(put.actor.did("manifest.push", &put.target.name, put.at), subject, Some(put.digest));
        audit::append(tx, &entry).await?;
        tell(tx, "manifest.pushed", &put.target, &put.digest, &put.tags, put.at).await?;
    }
    Ok(())
}

async fn require_references(tx: &mut Tx<'_>, put: &Put) -> Result<()> {
    let mut wanted: Vec<Digest> = put.parsed.config.iter().chain(&put.parsed.layers).copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    // They need not be here, but if they are they are used from now on.
    blobs::claim(tx, put.repository, &put.parsed.foreign).await?;
    let missing = blobs::claim(tx, put.repository, &wanted).await?;
    if missing.is_empty() || put.sparse { Ok(()) } else { Err(Error::BlobsMissing(missing)) }
}

/// Writes content, row and references. False if the manifest was here already.
async fn store(tx: &mut Tx<'_>, put: &Put) -> Result<bool> {
    let size = put.content.len() as u64;
    blobs::insert_content(tx, &put.digest, &put.content, put.at).await?;
    let parsed = &put.parsed;
    let row = manifests::Manifest {
        digest: put.digest,
        media_type: parsed.media_type.clone(),
        artifact_type: parsed.artifact_type.clone(),
        subject: parsed.subject,
        // Lists carry them; what is too much for a list is read in the manifest itself.
        annotations: parsed.annotations.clone().filter(|json| json.len() <= LISTED_ANNOTATIONS),
        size,
        pushed_at: put.at,
    };
    if !manifests::insert(tx, put.repository, &row).await? {
        return Ok(false);
    }
    manifests::refer(tx, put.repository, &put.digest, &references(parsed)).await?;
    Ok(true)
}

/// What a manifest names, each piece once for each of its kinds.
pub(crate) fn references(parsed: &Parsed) -> Vec<(Digest, manifests::Kind)> {
    let kinds = [
        (manifests::Kind::Layer, &parsed.layers),
        (manifests::Kind::Layer, &parsed.foreign),
        (manifests::Kind::Manifest, &parsed.manifests),
    ];
    let mut targets: Vec<_> = parsed.config.iter().map(|digest| (*digest, manifests::Kind::Config)).collect();
    targets.extend(kinds.iter().flat_map(|(kind, list)| list.iter().map(|digest| (*digest, *kind))));
    targets.sort_unstable();
    targets.dedup();
    targets
}
