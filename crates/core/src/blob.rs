//! Blobs: read through a repository that links to them, mounted into another, unlinked.

mod checked;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use wharf_auth::{Access, Identity, Verb};
use wharf_db::catalog::{audit, blobs, manifests, repositories, reviews};
use wharf_db::{Db, Durability, Subject, Tx};
use wharf_storage::{ByteStream, FilePart, ObjectKey};
use wharf_types::{Digest, RepoName, Timestamp};

pub(crate) use checked::WrongReads;
use checked::checked;

use crate::actor::about;
use crate::kept::{Key, Marks, Place};
use crate::repository::Target;
use crate::{Actor, Core, Error, Result};

/// A blob that may be handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// What it hashes to.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    place: blobs::Place,
}

impl From<blobs::Blob> for Blob {
    fn from(row: blobs::Blob) -> Self {
        Self { digest: row.digest, size: row.size, place: row.place }
    }
}

/// Bytes that are to be handed out.
pub enum Opened {
    /// As they come.
    Stream(ByteStream),
    /// In a file of this machine, so that whoever sends them need not read them.
    File(FilePart),
}

impl From<ByteStream> for Opened {
    fn from(content: ByteStream) -> Self {
        Self::Stream(content)
    }
}

/// The outcome of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mounted {
    /// The target links to the blob now.
    Yes,
    /// There is no such blob where the caller may pull: an upload has to bring it.
    No,
}

struct Unlink {
    target: Target,
    digest: Digest,
    actor: Actor,
    at: Timestamp,
    due: Timestamp,
}

impl Core {
    /// A blob of a repository.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::BlobUnknown`].
    pub async fn blob(&self, target: &Target, digest: &Digest) -> Result<Arc<Blob>> {
        let db = &self.inner.db;
        let key = Key::new(target, Place::Digest(digest));
        if let Some(kept) = self.inner.blobs.get(db, &key) {
            return Ok(kept);
        }
        let args = (db, target, digest);
        let found = db.read(&args, |tx, (db, target, digest)| {
            Box::pin(async move {
                let marks = marks(tx, db, target, digest).await?;
                let found = blobs::served(tx, target.format, &target.name, digest).await?;
                match found {
                    Some(blob) => Ok((blob, marks)),
                    // The second read is only for the better error.
                    None => target.require(tx).await.and(Err(Error::BlobUnknown(**digest))),
                }
            })
        });
        // On the heap: most find a copy, and their tasks need not be as large as a read.
        let (row, marks) = Box::pin(found).await?;
        let blob = Arc::new(Blob::from(row));
        if let Some(marks) = marks {
            self.inner.blobs.keep(&key, &blob, marks, blob.place.bytes_here());
        }
        Ok(blob)
    }

    /// Opens a part of a blob; `range` must lie inside it.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] if its bytes are not where the catalog says; those of the storage.
    pub async fn open_blob(&self, blob: &Blob, range: Range<u64>) -> Result<ByteStream> {
        self.open_content(&blob.digest, blob.size, &blob.place, range).await
    }

    /// As [`Core::open_blob`], for whoever only hands it out.
    ///
    /// # Errors
    /// As [`Core::open_blob`].
    pub async fn hand_out(&self, blob: &Blob, range: Range<u64>) -> Result<Opened> {
        let storage = &self.inner.storage;
        if let blobs::Place::Stored { storage: name, object } = &blob.place
            && name == storage.name()
            && let Ok(key) = object.parse()
            // What goes wrong goes wrong again below, and is said there.
            && let Ok(Some(part)) = storage.file(&key, range.clone()).await
        {
            return Ok(Opened::File(part));
        }
        Ok(Opened::Stream(self.open_blob(blob, range).await?))
    }

    /// Where the client may fetch the blob itself, if the storage can be reached by clients and the blob is worth the way.
    pub async fn blob_link(&self, blob: &Blob) -> Option<String> {
        let config = &self.inner.config;
        let blobs::Place::Stored { storage, object } = &blob.place else { return None };
        if blob.size < config.redirect_from || storage != self.inner.storage.name() {
            return None;
        }
        let linked = self.inner.storage.link(&object.parse().ok()?, config.redirect_lifetime).await;
        // Then it comes from here.
        linked.unwrap_or_else(|error| {
            tracing::warn!(%error, "a link to the storage could not be made");
            None
        })
    }

    /// How often the storage handed out other bytes than it was given, since this process began.
    pub fn wrong_reads(&self) -> u64 {
        self.inner.wrong_reads.count()
    }

    /// Opens a part of content of which digest and size are known: all of it is compared with the digest while it passes, where
    /// the storage is not a disk of this machine.
    pub(crate) async fn open_content(
        &self,
        digest: &Digest,
        size: u64,
        place: &blobs::Place,
        range: Range<u64>,
    ) -> Result<ByteStream> {
        let whole = (range == (0..size) && self.inner.storage.is_remote()).then_some(*digest);
        let length = range.end.saturating_sub(range.start);
        let content = self.open_place(place, range).await.map_err(|error| match error {
            Error::Storage(error @ wharf_storage::Error::NotFound(_)) => {
                self.suspect(*digest, place, &error);
                // In a moment it is taken from the backup, or is unknown.
                Error::Storage(wharf_storage::Error::Unavailable(io::Error::other(error)))
            }
            error => error,
        })?;
        match place {
            blobs::Place::Here(_) => Ok(content),
            blobs::Place::Stored { .. } => Ok(checked(content, length, whole, self.inner.wrong_reads.clone())),
        }
    }

    pub(crate) async fn open_place(&self, place: &blobs::Place, range: Range<u64>) -> Result<ByteStream> {
        match place {
            blobs::Place::Here(content) => {
                let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
                let part = Bytes::copy_from_slice(&content[index(range.start)..index(range.end)]);
                Ok(Box::pin(futures_util::stream::once(async { Ok(part) })))
            }
            blobs::Place::Stored { storage, object } => {
                if storage != self.inner.storage.name() {
                    let known = self.inner.storage.name();
                    return Err(Error::Inconsistent(format!("a blob lies in storage {storage}, here is {known}")));
                }
                let key: ObjectKey = object.parse().map_err(|e| Error::Inconsistent(format!("{e}")))?;
                Ok(self.inner.storage.read(&key, range).await?)
            }
        }
    }

    /// Links `target` to a blob that the caller may pull elsewhere: in `source` if it is named, otherwise anywhere.
    ///
    /// # Errors
    /// Those of the database; a source that is not there or not the caller's to read is [`Mounted::No`], without a hint which.
    pub async fn mount_blob(
        &self,
        target: &Target,
        digest: &Digest,
        source: Option<&RepoName>,
        identity: &Identity,
        actor: &Actor,
    ) -> Result<Mounted> {
        let named = source.is_some();
        let sources = match source {
            Some(name) => vec![name.clone()],
            None => self.holders(target, digest).await?,
        };
        for name in sources {
            let access = Access::Repository { format: target.format, name: &name, verb: Verb::Pull };
            let may = self.inner.auth.may(identity, &access).await.map_err(|e| Error::Inconsistent(e.to_string()))?;
            let source = Target::new(target.format, name);
            if !may && named {
                self.refused_mount(identity, (&source, target), *digest, actor.origin());
            }
            if may && self.blob(&source, digest).await.is_ok() {
                return self.link_blob(target, digest, &source, actor).await;
            }
        }
        Ok(Mounted::No)
    }

    async fn holders(&self, target: &Target, digest: &Digest) -> Result<Vec<RepoName>> {
        // Enough to find one that the caller may read, few enough not to become a search.
        const MOST: i64 = 50;
        let args = (target.format, digest);
        let names = self
            .inner
            .db
            .read(&args, |tx, (format, digest)| Box::pin(blobs::holders(tx, format.as_str(), digest, MOST)))
            .await
            .map_err(Error::from)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    async fn link_blob(&self, target: &Target, digest: &Digest, source: &Target, actor: &Actor) -> Result<Mounted> {
        let repository = self.ensure_repository(target, actor).await?;
        let args = (repository, *digest, source.clone(), self.inner.clock.now());
        let linked = self
            .inner
            .db
            .write(Durability::Full, args, |tx, (repository, digest, source, at)| {
                Box::pin(async move {
                    // Collected, purged or damaged since it was found, or one of the repositories is gone: then the caller has to
                    // upload it.
                    let there = blobs::served(tx, source.format, &source.name, digest).await?.is_some();
                    if !there || !repositories::is_living(tx, *repository).await? {
                        return Ok::<_, Error>(false);
                    }
                    blobs::link(tx, *repository, digest, *at).await?;
                    Ok(true)
                })
            })
            .await?;
        Ok(if linked { Mounted::Yes } else { Mounted::No })
    }

    /// Takes a blob out of a repository. Other repositories that link to it keep it.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`], and [`Error::BlobInUse`] while a manifest of the repository names it.
    pub async fn delete_blob(&self, target: &Target, digest: &Digest, actor: &Actor) -> Result<()> {
        let at = self.inner.clock.now();
        let due = at.after(self.inner.config.review_delay);
        let args = Unlink { target: target.clone(), digest: *digest, actor: actor.clone(), at, due };
        self.inner.db.write(Durability::Full, args, |tx, u| Box::pin(unlink(tx, u))).await
    }
}

/// Marks everything on the way to the blob, each thing before it is read.
async fn marks(tx: &mut Tx<'_>, db: &Db, target: &Target, digest: &Digest) -> Result<Option<Marks>> {
    let Some(name) = db.mark(&Subject::Repository(target.format, &target.name)) else { return Ok(None) };
    let Some(repository) = target.find(tx).await?.map(|found| found.id) else { return Ok(None) };
    let (link, bytes) = (db.mark(&Subject::Link(repository, digest)), db.mark(&Subject::Blob(digest)));
    Ok(link.zip(bytes).map(|(link, bytes)| [name, link, bytes]))
}

async fn unlink(tx: &mut Tx<'_>, args: &Unlink) -> Result<()> {
    let Unlink { target, digest, actor, at, due } = args;
    let repository = target.require(tx).await?.id;
    if let Some(manifest) = manifests::user_of(tx, repository, digest).await? {
        return Err(Error::BlobInUse { blob: *digest, manifest });
    }
    if !blobs::unlink(tx, repository, digest).await? {
        return Err(Error::BlobUnknown(*digest));
    }
    reviews::enqueue(tx, None, digest, "blob deleted", *due).await?;
    let entry = about(actor.did("blob.delete", &target.name, *at), None, Some(*digest));
    Ok(audit::append(tx, &entry).await?)
}
