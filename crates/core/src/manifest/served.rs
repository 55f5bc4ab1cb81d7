//! The way of a pull: from a name and a tag or digest to the manifest's bytes.

use std::sync::Arc;

use bytes::Bytes;
use wharf_db::catalog::{manifests, tags};
use wharf_db::{Db, Engine, Subject, Tx};
use wharf_types::{Digest, MediaType, Reference};

use crate::budget::{Room, UNCOUNTED};
use crate::kept::{Key, Marks, Place};
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
    /// The digest's text in quotes, put together once for all who ask.
    pub quoted: Bytes,
}

impl Manifest {
    fn new(digest: Digest, media_type: MediaType, content: Bytes) -> Self {
        Self { digest, media_type, content, quoted: digest.quoted().into() }
    }
}

/// What a name leads to. A large manifest is read only once there is room for it.
enum Found {
    Small(Arc<Manifest>),
    Large(manifests::Head),
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
    /// [`Error::RepositoryUnknown`], [`Error::ManifestUnknown`], [`Error::Busy`].
    pub async fn manifest(&self, target: &Target, reference: &Reference) -> Result<Arc<Manifest>> {
        match self.find_manifest(target, reference).await? {
            Found::Small(manifest) => Ok(manifest),
            Found::Large((digest, media_type, size)) => {
                let content = Box::pin(self.large(target, &digest, size)).await?;
                Ok(Arc::new(Manifest::new(digest, media_type, content)))
            }
        }
    }

    async fn find_manifest(&self, target: &Target, reference: &Reference) -> Result<Found> {
        let db = &self.inner.db;
        let key = Key::new(target, reference.into());
        if let Some(kept) = self.inner.manifests.get(db, &key) {
            return Ok(Found::Small(kept));
        }
        let pull = Pull { db, target, reference };
        // On the heap, here and below: most pulls find a copy, and their tasks need not be as large as a read.
        let (served, marks) = Box::pin(db.read(&pull, |tx, pull| Box::pin(read(tx, pull)))).await?;
        let manifests::Served { digest, media_type, size, content } = served;
        let Some(content) = content else { return Ok(Found::Large((digest, media_type, size))) };
        let mut manifest = Arc::new(Manifest::new(digest, media_type, content.into()));
        if let Some(Marked { by_place, by_digest, .. }) = marks {
            if let Some(marks) = by_digest {
                manifest = self.shared(target, manifest, marks);
            }
            self.inner.manifests.keep(&key, &manifest, by_place, manifest.content.len());
        }
        Ok(Found::Small(manifest))
    }

    /// What a tag led to, as the copy that many tags of one manifest share. Clients that looked where a tag points ask for the
    /// digest next, and find it.
    fn shared(&self, target: &Target, found: Arc<Manifest>, marks: Marks) -> Arc<Manifest> {
        let (copies, key) = (&self.inner.manifests, Key::new(target, Place::Digest(&found.digest)));
        match copies.get(&self.inner.db, &key) {
            Some(known) if known == found => known,
            Some(_) => found,
            None => {
                copies.keep(&key, &found, marks, found.content.len());
                found
            }
        }
    }

    /// The bytes of a manifest that has many. Room before bytes: who waits for room holds nothing.
    async fn large(&self, target: &Target, digest: &Digest, size: u64) -> Result<Bytes> {
        let room = self.inner.pulled.room(size).await?;
        let args = (target, digest, size);
        let found = self.inner.db.read(&args, |tx, (target, digest, size)| {
            Box::pin(manifests::by_digest(tx, target.format, &target.name, digest, *size))
        });
        let content = found.await.map_err(Error::from)?.and_then(|found| found.content);
        Ok(room.hold(content.ok_or(Error::ManifestUnknown(Reference::Digest(*digest)))?))
    }

    /// Room for a manifest of this many bytes on its way in. None is needed up to [`UNCOUNTED`].
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub async fn room_for_manifest(&self, bytes: u64) -> Result<Option<Room>> {
        if bytes <= UNCOUNTED { Ok(None) } else { self.inner.pushed.room(bytes).await.map(Some) }
    }

    /// The head of the manifest that a tag or digest names: digest, media type and size.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::ManifestUnknown`].
    pub async fn manifest_head(&self, target: &Target, reference: &Reference) -> Result<(Digest, MediaType, u64)> {
        if self.inner.db.engine() == Engine::Sqlite {
            // With its bytes it can be kept, for who asks again and for the pull that often follows.
            return Ok(match self.find_manifest(target, reference).await? {
                Found::Small(found) => (found.digest, found.media_type.clone(), found.content.len() as u64),
                Found::Large(head) => head,
            });
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
        Box::pin(head).await
    }
}

/// The manifest, and what a copy of it rests on.
async fn read(tx: &mut Tx<'_>, pull: &Pull<'_>) -> Result<(manifests::Served, Option<Marked>)> {
    let Pull { target, reference, .. } = pull;
    let marked = marks(tx, pull).await?;
    let (format, name) = (target.format, &target.name);
    let found = match reference {
        Reference::Tag(tag) => manifests::by_tag(tx, format, name, tag.as_str(), UNCOUNTED).await?,
        Reference::Digest(digest) => manifests::by_digest(tx, format, name, digest, UNCOUNTED).await?,
    };
    match found {
        Some(served) => {
            let marked = marked.filter(|marked| marked.digest == served.digest);
            Ok((served, marked))
        }
        // The second read is only for the better error.
        None => target.require(tx).await.and(Err(Error::ManifestUnknown((*reference).clone()))),
    }
}

/// What copies of a manifest rest on.
struct Marked {
    digest: Digest,
    /// The copy under the name that was asked.
    by_place: Marks,
    /// The copy under the digest, if that was not what was asked.
    by_digest: Option<Marks>,
}

/// Marks everything on the way to the manifest, each thing before it is read, and says which manifest that led to.
async fn marks(tx: &mut Tx<'_>, pull: &Pull<'_>) -> Result<Option<Marked>> {
    let Pull { db, target, reference } = pull;
    let Some(name) = db.mark(&Subject::Repository(target.format, &target.name)) else { return Ok(None) };
    let Some(repository) = target.find(tx).await?.map(|found| found.id) else { return Ok(None) };
    let of_digest = |digest| {
        let marks = db.mark(&Subject::Manifest(repository, &digest)).zip(db.mark(&Subject::Blob(&digest)));
        marks.map(|(linked, bytes)| [name, linked, bytes])
    };
    let tag = match reference {
        Reference::Digest(digest) => {
            let by_place = of_digest(*digest);
            return Ok(by_place.map(|by_place| Marked { digest: *digest, by_place, by_digest: None }));
        }
        Reference::Tag(tag) => tag,
    };
    let Some(pointing) = db.mark(&Subject::Tag(repository, tag.as_str())) else { return Ok(None) };
    let Some(digest) = tags::find(tx, repository, tag).await? else { return Ok(None) };
    let Some(by_digest) = of_digest(digest) else { return Ok(None) };
    let [.., bytes] = by_digest;
    Ok(Some(Marked { digest, by_place: [name, pointing, bytes], by_digest: Some(by_digest) }))
}
