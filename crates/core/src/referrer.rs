//! Referrers: the manifests attached to another (distribution-spec 1.1, "Listing Referrers").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_db::Tx;
use wharf_db::catalog::{manifests, tags};
use wharf_types::{Digest, Reference, Tag};

use crate::repository::Target;
use crate::{Core, Error, Result};

/// An entry of the index that the referrers API answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Of the manifest.
    pub media_type: String,
    /// Of the manifest.
    pub digest: Digest,
    /// Of the manifest, in bytes.
    pub size: u64,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What it says of itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A page of referrers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    /// By digest.
    pub descriptors: Vec<Descriptor>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

impl Core {
    /// Up to `limit` manifests attached to `subject`, by digest after `after`, optionally only of one artifact type. What
    /// clients without this API keep under the fallback tag is merged in. Nothing is attached in a repository that is not there.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn referrers(
        &self,
        target: &Target,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Referrers> {
        let mut descriptors = self.attached(target, subject, artifact_type, after, limit + 1).await?;
        let wanted = |entry: &Descriptor| {
            after.is_none_or(|after| entry.digest > *after)
                && artifact_type.is_none_or(|wanted| entry.artifact_type.as_deref() == Some(wanted))
        };
        for entry in self.fallback(target, subject).await?.into_iter().filter(wanted) {
            if let Err(at) = descriptors.binary_search_by(|known| known.digest.cmp(&entry.digest)) {
                descriptors.insert(at, entry);
            }
        }
        let more = descriptors.len() > limit;
        descriptors.truncate(limit);
        Ok(Referrers { descriptors, more })
    }

    async fn attached(
        &self,
        target: &Target,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Descriptor>> {
        let after = after.map(Digest::to_bytes).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let args = (target, subject, artifact_type, after, limit);
        let rows = self
            .inner
            .db
            .read(&args, |tx, (target, subject, artifact_type, after, limit)| {
                Box::pin(async move {
                    let Some(found) = target.find(tx).await? else { return Ok::<_, Error>(Vec::new()) };
                    Ok(manifests::referrers(tx, found.id, subject, *artifact_type, after, *limit).await?)
                })
            })
            .await?;
        rows.into_iter().map(describe).collect()
    }

    /// The entries of the index under the fallback tag, if there is one.
    async fn fallback(&self, target: &Target, subject: &Digest) -> Result<Vec<Descriptor>> {
        #[derive(Deserialize)]
        struct Index {
            #[serde(default)]
            manifests: Vec<serde_json::Value>,
        }
        let tag = Tag::of_referrers(subject);
        let args = (target, &tag);
        let there = self.inner.db.read(&args, |tx, (target, tag)| Box::pin(has_tag(tx, target, tag))).await?;
        if !there {
            return Ok(Vec::new());
        }
        let content = match self.manifest(target, &Reference::Tag(tag)).await {
            Ok(manifest) => manifest.content,
            // Removed in between.
            Err(Error::ManifestUnknown(_) | Error::RepositoryUnknown(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // Anybody may push anything under that tag: what is not a descriptor is passed over.
        let index: Index = serde_json::from_slice(&content).unwrap_or(Index { manifests: Vec::new() });
        Ok(index.manifests.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect())
    }
}

async fn has_tag(tx: &mut Tx<'_>, target: &Target, tag: &Tag) -> Result<bool> {
    let Some(found) = target.find(tx).await? else { return Ok(false) };
    Ok(tags::find(tx, found.id, tag).await?.is_some())
}

fn describe(row: manifests::Manifest) -> Result<Descriptor> {
    let annotations = match row.annotations {
        None => BTreeMap::new(),
        Some(json) => serde_json::from_str(&json)
            .map_err(|e| Error::Inconsistent(format!("annotations of {}: {e}", row.digest)))?,
    };
    Ok(Descriptor {
        media_type: row.media_type.to_string(),
        digest: row.digest,
        size: row.size,
        artifact_type: row.artifact_type,
        annotations,
    })
}
