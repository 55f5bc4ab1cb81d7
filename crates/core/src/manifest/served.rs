//! The way of a pull: from a name and a tag or digest to the manifest's bytes.

use std::sync::Arc;

use bytes::Bytes;
use wharf_db::catalog::{manifests, tags};
use wharf_db::{Db, Engine, Subject, Tx};
use wharf_types::{Digest, MediaType, Reference};

use crate::kept::{Marks, key};
use crate::repository::Target;
use crate::{Core, Error, Result};

/// A manifest on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What its bytes hash to.
    pub digest: Digest,
    /// For Content-Type.
    pub media_type: MediaType,
    /// Its bytes.
    pub content: Bytes,
}

struct Pull<'a> {
    db: &'a Db,
    target: &'a Target,
    reference: &'a Reference,
}

impl Core {
    /// The manifest that a tag or digest names.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::ManifestUnknown`].
    pub async fn manifest(&self, target: &Target, reference: &Reference) -> Result<Arc<Manifest>> {
        let db = &self.inner.db;
        let key = match reference {
            Reference::Tag(tag) => key(target, tag.as_str()),
            Reference::Digest(digest) => key(target, &digest.to_string()),
        };
        if let Some(kept) = self.inner.manifests.get(db, &key) {
            return Ok(kept);
        }
        let pull = Pull { db, target, reference };
        let (served, marks) = db.read(&pull, |tx, pull| Box::pin(read(tx, pull))).await?;
        let manifests::Served { digest, media_type, content } = served;
        let manifest = Arc::new(Manifest { digest, media_type, content: content.into() });
        if let Some(marks) = marks {
            self.inner.manifests.keep(key, &manifest, marks, manifest.content.len());
        }
        Ok(manifest)
    }

    /// The head of the manifest that a tag or digest names: digest, media type and size.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::ManifestUnknown`].
    pub async fn manifest_head(&self, target: &Target, reference: &Reference) -> Result<(Digest, MediaType, u64)> {
        if self.inner.db.engine() == Engine::Sqlite {
            // With its bytes it can be kept, for who asks again and for the pull that often follows.
            let manifest = self.manifest(target, reference).await?;
            return Ok((manifest.digest, manifest.media_type.clone(), manifest.content.len() as u64));
        }
        let args = (target, reference);
        let head = self.inner.db.read(&args, |tx, (target, reference)| {
            Box::pin(async move {
                let (format, name) = (target.format, &target.name);
                let found = match reference {
                    Reference::Tag(tag) => manifests::head_by_tag(tx, format, name, tag.as_str()).await?,
                    Reference::Digest(digest) => manifests::head_by_digest(tx, format, name, digest).await?,
                };
                match found {
                    Some(head) => Ok(head),
                    None => target.require(tx).await.and(Err(Error::ManifestUnknown((*reference).clone()))),
                }
            })
        });
        head.await
    }
}

/// The manifest, and what a copy of it rests on.
async fn read(tx: &mut Tx<'_>, pull: &Pull<'_>) -> Result<(manifests::Served, Option<Marks>)> {
    let Pull { target, reference, .. } = pull;
    let marked = marks(tx, pull).await?;
    let (format, name) = (target.format, &target.name);
    let found = match reference {
        Reference::Tag(tag) => manifests::by_tag(tx, format, name, tag.as_str()).await?,
        Reference::Digest(digest) => manifests::by_digest(tx, format, name, digest).await?,
    };
    match found {
        Some(served) => {
            let marks = marked.filter(|(digest, _)| *digest == served.digest).map(|(_, marks)| marks);
            Ok((served, marks))
        }
        // The second read is only for the better error.
        None => target.require(tx).await.and(Err(Error::ManifestUnknown((*reference).clone()))),
    }
}

/// Marks everything on the way to the manifest, each thing before it is read, and says which manifest that led to.
async fn marks(tx: &mut Tx<'_>, pull: &Pull<'_>) -> Result<Option<(Digest, Marks)>> {
    let Pull { db, target, reference } = pull;
    let Some(name) = db.mark(&Subject::Repository(target.format, &target.name)) else { return Ok(None) };
    let Some(repository) = target.find(tx).await?.map(|found| found.id) else { return Ok(None) };
    let (place, digest) = match reference {
        Reference::Tag(tag) => {
            (db.mark(&Subject::Tag(repository, tag.as_str())), tags::find(tx, repository, tag).await?)
        }
        Reference::Digest(digest) => (db.mark(&Subject::Manifest(repository, digest)), Some(*digest)),
    };
    let (Some(place), Some(digest)) = (place, digest) else { return Ok(None) };
    Ok(db.mark(&Subject::Blob(&digest)).map(|bytes| (digest, [name, place, bytes])))
}
