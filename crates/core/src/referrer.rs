//! Referrers: the manifests attached to another (distribution-spec 1.1, "Listing Referrers").

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wharf_db::catalog::{manifests, tags};
use wharf_db::{Subject, Tx};
use wharf_types::{Digest, Reference, Tag};

use crate::kept::{Key, Marks, Place};
use crate::manifest::media;
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

impl Descriptor {
    /// Bytes of its annotations.
    pub fn annotation_bytes(&self) -> usize {
        self.annotations.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

/// A page of referrers.
#[derive(Debug)]
pub struct Referrers {
    /// By digest.
    pub descriptors: Vec<Descriptor>,
    /// Whether there are more after the last of them.
    pub more: bool,
    annotation_bytes: usize,
    text: OnceLock<Bytes>,
}

impl Referrers {
    /// The page as its format writes it, which is done once for as long as the page is kept.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn text<E>(
        &self,
        write: impl FnOnce(&[Descriptor]) -> std::result::Result<Bytes, E>,
    ) -> std::result::Result<Bytes, E> {
        if let Some(text) = self.text.get() {
            return Ok(text.clone());
        }
        let text = write(&self.descriptors)?;
        Ok(self.text.get_or_init(|| text).clone())
    }

    /// Bytes of all annotations.
    pub fn annotation_bytes(&self) -> usize {
        self.annotation_bytes
    }

    /// Roughly how many bytes it takes, with its text.
    fn size(&self) -> usize {
        2 * self.annotation_bytes + self.descriptors.len() * ENTRY
    }
}

/// What the catalog holds, up to where reading was cut short.
struct Attached {
    by_digest: BTreeMap<Digest, Descriptor>,
    cut_at: Option<Digest>,
}

/// Bytes of an entry and its text beside its annotations, roughly.
const ENTRY: usize = 700;
/// Rows of one read.
const STEP: usize = 100;
/// Bytes of annotations after which a page ends: the specification wants an answer below 4 MiB.
const MOST_BYTES: usize = 3 * 1024 * 1024;
/// Largest fallback index that is looked into.
const LARGEST_FALLBACK: usize = 1024 * 1024;

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
    ) -> Result<Arc<Referrers>> {
        let [after_text, type_text] =
            [after.map(Digest::to_string).unwrap_or_default(), artifact_type.unwrap_or_default().into()];
        // The type comes last, because a client may write anything there.
        let filtered = artifact_type.is_some();
        let asked = format!("{subject} {after_text} {limit} {filtered} {type_text}");
        let key = Key::new(target, Place::Named(&asked));
        if let Some(kept) = self.inner.referrers.get(&self.inner.db, &key) {
            return Ok(kept);
        }
        let marks = self.referrer_marks(target, subject).await?;
        let page = Arc::new(self.read_referrers(target, subject, artifact_type, after, limit).await?);
        if let Some(marks) = marks {
            self.inner.referrers.keep(&key, &page, marks, page.size());
        }
        Ok(page)
    }

    /// What a page rests on: the repository's name, the manifests attached to the subject, and that nothing is under the
    /// fallback tag, whose content would be a fourth thing to watch.
    async fn referrer_marks(&self, target: &Target, subject: &Digest) -> Result<Option<Marks>> {
        let db = &self.inner.db;
        let Some(name) = db.mark(&Subject::Repository(target.format, &target.name)) else { return Ok(None) };
        let args = (db, target, subject);
        let marks = db.read(&args, |tx, (db, target, subject)| {
            Box::pin(async move {
                let Some(repository) = target.find(tx).await?.map(|found| found.id) else {
                    return Ok::<_, Error>(None);
                };
                let tag = Tag::of_referrers(subject);
                let attached = db.mark(&Subject::Referrers(repository, subject));
                let fallback = db.mark(&Subject::Tag(repository, tag.as_str()));
                let free = tags::find(tx, repository, &tag).await?.is_none();
                Ok(attached.zip(fallback).filter(|_| free))
            })
        });
        Ok(marks.await?.map(|(attached, fallback)| [name, attached, fallback]))
    }

    async fn read_referrers(
        &self,
        target: &Target,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Referrers> {
        let mut found = self.attached(target, subject, artifact_type, after, limit + 1).await?;
        let beyond = found.cut_at;
        let wanted = |entry: &Descriptor| {
            after.is_none_or(|after| entry.digest > *after)
                && beyond.is_none_or(|beyond| entry.digest <= beyond)
                && artifact_type.is_none_or(|wanted| entry.artifact_type.as_deref() == Some(wanted))
        };
        for entry in self.fallback(target, subject).await?.into_iter().filter(wanted) {
            found.by_digest.entry(entry.digest).or_insert(entry);
        }
        let more = beyond.is_some() || found.by_digest.len() > limit;
        let descriptors: Vec<_> = found.by_digest.into_values().take(limit).collect();
        let annotation_bytes = descriptors.iter().map(Descriptor::annotation_bytes).sum();
        Ok(Referrers { descriptors, more, annotation_bytes, text: OnceLock::new() })
    }

    /// Read in steps, until there are enough or their annotations are: a thousand manifests may bring 64 MiB of them.
    async fn attached(
        &self,
        target: &Target,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Attached> {
        let mut found = Attached { by_digest: BTreeMap::new(), cut_at: None };
        // No manifest is of such a type, and PostgreSQL takes no such text.
        if artifact_type.is_some_and(|wanted| wanted.contains('\0')) {
            return Ok(found);
        }
        let (mut after, mut bytes) = (after.map(Digest::to_bytes).unwrap_or_default(), 0);
        while found.by_digest.len() < limit {
            let step = STEP.min(limit - found.by_digest.len());
            let args = (target, subject, artifact_type, after, i64::try_from(step).unwrap_or(i64::MAX));
            let rows = self.inner.db.read(&args, |tx, (target, subject, artifact_type, after, limit)| {
                Box::pin(async move {
                    let Some(found) = target.find(tx).await? else { return Ok::<_, Error>(Vec::new()) };
                    Ok(manifests::referrers(tx, found.id, subject, *artifact_type, after, *limit).await?)
                })
            });
            let rows = rows.await?;
            let Some(last) = rows.last().map(|row| row.digest) else { break };
            let all = rows.len() < step;
            bytes += rows.iter().filter_map(|row| row.annotations.as_ref()).map(String::len).sum::<usize>();
            for row in rows {
                let entry = describe(row)?;
                found.by_digest.insert(entry.digest, entry);
            }
            if all {
                break;
            }
            if bytes > MOST_BYTES {
                found.cut_at = Some(last);
                break;
            }
            after = last.to_bytes();
        }
        Ok(found)
    }

    /// The entries of the index under the fallback tag, if there is one. Anybody may push anything under that tag: what is not
    /// an index, or far larger than clients make one, is passed over, and so are entries that are no descriptors.
    async fn fallback(&self, target: &Target, subject: &Digest) -> Result<Vec<Descriptor>> {
        #[derive(Deserialize)]
        struct Index<'a> {
            #[serde(borrow, default)]
            manifests: Vec<&'a RawValue>,
        }
        let tag = Tag::of_referrers(subject);
        let args = (target, &tag);
        let there = self.inner.db.read(&args, |tx, (target, tag)| Box::pin(has_tag(tx, target, tag))).await?;
        if !there {
            return Ok(Vec::new());
        }
        let manifest = match self.manifest(target, &Reference::Tag(tag)).await {
            Ok(manifest) => manifest,
            // Removed in between.
            Err(Error::ManifestUnknown(_) | Error::RepositoryUnknown(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        if manifest.media_type.as_str() != media::INDEX || manifest.content.len() > LARGEST_FALLBACK {
            return Ok(Vec::new());
        }
        let index: Index<'_> = serde_json::from_slice(&manifest.content).unwrap_or(Index { manifests: Vec::new() });
        Ok(index.manifests.into_iter().filter_map(|entry| serde_json::from_str(entry.get()).ok()).collect())
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
