//! Files of an index: put together from segments, which are blobs, so that generations share what has not changed.

use std::collections::HashSet;

use bytes::Bytes;
use wharf_db::catalog::{blobs, generations};
use wharf_storage::{ByteStream, Hashing};
use wharf_types::{Algorithm, Digest};

use crate::upload::Session;
use crate::{Core, Error, Result};

/// A piece of an index file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// What it hashes to.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// A file of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// Its path inside the channel.
    pub path: String,
    /// For Content-Type.
    pub media_type: String,
    /// Of the whole.
    pub digest: Digest,
    /// Of the whole, in bytes.
    pub size: u64,
}

/// A file of an index in the making, front to back.
pub struct NewFile {
    core: Core,
    repository: i64,
    path: String,
    media_type: String,
    /// What the current generation has.
    known: HashSet<Digest>,
    hashing: Hashing,
    segments: Vec<Digest>,
}

impl From<&blobs::Blob> for Segment {
    fn from(blob: &blobs::Blob) -> Self {
        Self { digest: blob.digest, size: blob.size }
    }
}

impl From<&generations::File> for IndexFile {
    fn from(file: &generations::File) -> Self {
        let generations::File { path, media_type, digest, size, .. } = file.clone();
        Self { path, media_type, digest, size }
    }
}

impl NewFile {
    pub(super) fn new(core: Core, repository: i64, (path, media_type): (&str, &str), known: Vec<Segment>) -> Self {
        let known = known.into_iter().map(|segment| segment.digest).collect();
        let (path, media_type) = (path.to_owned(), media_type.to_owned());
        let hashing = Hashing::new(&[Algorithm::Sha256]);
        Self { core, repository, path, media_type, known, hashing, segments: Vec::new() }
    }

    /// Appends a segment. Nothing is stored if the current generation's file has it.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn push(&mut self, content: Bytes) -> Result<Segment> {
        self.hashing.update(&content);
        let segment = Segment { digest: Digest::sha256(&content), size: content.len() as u64 };
        if !self.known.contains(&segment.digest) {
            self.core.store_segment(self.repository, content).await?;
        }
        self.segments.push(segment.digest);
        Ok(segment)
    }

    pub(super) fn into_row(self) -> Result<generations::File> {
        let Self { path, media_type, hashing, segments, .. } = self;
        let digest = hashing.digest(Algorithm::Sha256);
        let digest = digest.ok_or_else(|| Error::Inconsistent("a file was not hashed".to_owned()))?;
        Ok(generations::File { path, media_type, digest, size: hashing.offset(), segments })
    }
}

impl Core {
    /// Stores bytes that the server made itself, linked to a repository.
    pub(super) async fn store_segment(&self, repository: i64, content: Bytes) -> Result<Segment> {
        let size = content.len() as u64;
        let mut session = Session::new(String::new(), repository, Hashing::new(&[Algorithm::Sha256]));
        let body: ByteStream = Box::pin(futures_util::stream::once(async { Ok(content) }));
        if let Some(error) = session.take(&self.inner, body).await? {
            return Err(Error::Interrupted(error));
        }
        let digest = session.digest(&self.inner, Algorithm::Sha256).await?;
        let object = session.unfinished();
        let stored = self.commit(session, None, digest).await;
        if let Err(error) = &stored {
            self.abandon(error, object).await?;
        }
        stored.map(|()| Segment { digest, size })
    }
}
