//! Putting things into the bin, in the transaction that deletes them.

use serde::{Deserialize, Serialize};
use wharf_db::Tx;
use wharf_db::catalog::bin::{self, Kind, NewEntry};
use wharf_db::catalog::{manifests, repositories};
use wharf_types::{Digest, Tag, Timestamp};

use crate::{Error, Result};

/// Who deletes something, where and when, and until when it is kept.
pub(crate) struct Deletion<'a> {
    pub(crate) repository: &'a repositories::Repository,
    pub(crate) actor: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) until: Timestamp,
}

/// What is written down of a manifest beside its digest. What it names is in its bytes, which stay.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptManifest {
    pub(super) media_type: String,
    pub(super) artifact_type: Option<String>,
    pub(super) subject: Option<Digest>,
    pub(super) annotations: Option<String>,
    pub(super) size: u64,
    pub(super) pushed_at: Timestamp,
    pub(super) tags: Vec<Tag>,
}

impl KeptManifest {
    pub(super) fn read(entry: &bin::Entry) -> Result<Self> {
        let broken = |e: serde_json::Error| Error::Inconsistent(format!("the entry {} of the bin: {e}", entry.id));
        serde_json::from_str(&entry.payload).map_err(broken)
    }
}

impl Deletion<'_> {
    async fn keep(&self, tx: &mut Tx<'_>, what: (Kind, &str), digest: Option<&Digest>, payload: &str) -> Result<i64> {
        let (kind, name) = what;
        let new = NewEntry {
            repository: self.repository.id,
            project: self.repository.project_id,
            kind,
            name,
            digest: digest.copied(),
            payload,
            actor: self.actor,
            deleted_at: self.at,
            expires_at: self.until,
        };
        Ok(bin::put(tx, &new).await?)
    }
}

/// A tag: its manifest stays whatever happens to it meanwhile.
pub(crate) async fn keep_tag(tx: &mut Tx<'_>, deletion: &Deletion<'_>, tag: &Tag, digest: &Digest) -> Result<()> {
    let id = deletion.keep(tx, (Kind::Tag, tag.as_str()), Some(digest), "{}").await?;
    Ok(bin::refer(tx, id, deletion.repository.id, digest).await?)
}

/// A manifest with its tags, while it is still there: its bytes and what it names stay.
pub(crate) async fn keep_manifest(
    tx: &mut Tx<'_>,
    deletion: &Deletion<'_>,
    manifest: &manifests::Manifest,
    tags: &[Tag],
) -> Result<()> {
    let kept = KeptManifest {
        media_type: manifest.media_type.to_string(),
        artifact_type: manifest.artifact_type.clone(),
        subject: manifest.subject,
        annotations: manifest.annotations.clone(),
        size: manifest.size,
        pushed_at: manifest.pushed_at,
        tags: tags.to_vec(),
    };
    let payload = serde_json::to_string(&kept).map_err(|e| Error::Inconsistent(e.to_string()))?;
    let digest = &manifest.digest;
    let id = deletion.keep(tx, (Kind::Manifest, &digest.to_string()), Some(digest), &payload).await?;
    bin::refer(tx, id, deletion.repository.id, digest).await?;
    Ok(bin::refer_to_targets(tx, id, deletion.repository.id, digest).await?)
}

/// A repository: all its rows stay as they are.
pub(crate) async fn keep_repository(tx: &mut Tx<'_>, deletion: &Deletion<'_>) -> Result<()> {
    let name = deletion.repository.name.canonical();
    deletion.keep(tx, (Kind::Repository, name), None, "{}").await.map(drop)
}
