//! Files of an index: put together from segments, which are blobs, so that generations share what has not changed.

use std::collections::HashSet;

use bytes::Bytes;
use wharf_db::catalog::{blobs, generations};
use wharf_storage::{ByteStream, Hashing};
use wharf_types::{Algorithm, Digest};

use super::Publication;
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
    /// Of the whole by SHA-512, where the format asked for it.
    pub sha512: Option<Digest>,
    /// Of the whole, in bytes.
    pub size: u64,
}

/// A file of an index in the making, front to back. As long as its segments are those of the current generation's file, nothing is
/// read or hashed: from where it differs on, hashing goes on from the nearest checkpoint before.
pub struct NewFile {
    core: Core,
    repository: i64,
    path: String,
    media_type: String,
    algorithms: &'static [Algorithm],
    /// What the current generation has.
    known: Known,
    /// `None` while the file is the same.
    hashing: Option<Hashing>,
    segments: Vec<Segment>,
    marks: Vec<Mark>,
}

#[derive(Default)]
struct Known {
    file: Option<IndexFile>,
    segments: Vec<Segment>,
    digests: HashSet<Digest>,
    marks: Vec<Mark>,
}

/// The state of the hashes behind so many segments.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    segments: usize,
    midstate: Vec<u8>,
}

impl From<&blobs::Blob> for Segment {
    fn from(blob: &blobs::Blob) -> Self {
        Self { digest: blob.digest, size: blob.size }
    }
}

impl From<&generations::File> for IndexFile {
    fn from(file: &generations::File) -> Self {
        let generations::File { path, media_type, digest, sha512, size, .. } = file;
        let (path, media_type) = (path.clone(), media_type.clone());
        Self { path, media_type, digest: *digest, sha512: *sha512, size: *size }
    }
}

impl NewFile {
    pub(super) async fn begin(publication: &Publication, path: &str, media_type: &str) -> Result<Self> {
        let (core, repository) = (publication.core.clone(), publication.repository);
        let known = publication.file_before(path).await?.map_or_else(Known::default, |(file, blobs)| Known {
            segments: blobs.iter().map(Segment::from).collect(),
            digests: file.segments.iter().copied().collect(),
            marks: read_marks(&file.checkpoints),
            file: Some(IndexFile::from(&file)),
        });
        let (path, media_type) = (path.to_owned(), media_type.to_owned());
        let algorithms = publication.algorithms;
        let (hashing, segments, marks) = (None, Vec::new(), Vec::new());
        Ok(Self { core, repository, path, media_type, algorithms, known, hashing, segments, marks })
    }

    /// Appends a segment. Nothing is stored if the current generation's file has it.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn push(&mut self, content: Bytes) -> Result<Segment> {
        let segment = Segment { digest: Digest::sha256(&content), size: content.len() as u64 };
        if !self.known.digests.contains(&segment.digest) {
            self.core.store_segment(self.repository, content.clone()).await?;
        }
        if !self.goes_on_as_known(&segment) {
            self.catch_up().await?;
            self.hash(&content);
        }
        self.segments.push(segment.clone());
        self.mark();
        Ok(segment)
    }

    /// Appends a segment that is stored.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn take(&mut self, segment: &Segment) -> Result<()> {
        if !self.goes_on_as_known(segment) {
            self.catch_up().await?;
            let content = self.core.read_segment(self.repository, segment).await?;
            self.hash(&content);
        }
        self.segments.push(segment.clone());
        self.mark();
        Ok(())
    }

    fn goes_on_as_known(&self, segment: &Segment) -> bool {
        self.hashing.is_none() && self.known.segments.get(self.segments.len()) == Some(segment)
    }

    /// From here on the file differs: brings the hashes to where it does.
    async fn catch_up(&mut self) -> Result<()> {
        if self.hashing.is_some() {
            return Ok(());
        }
        let reached = self.segments.len();
        let mark = self.known.marks.iter().rev().find(|mark| mark.segments <= reached);
        let resumed = mark.and_then(|mark| Some((mark.segments, Hashing::resume(&mark.midstate).ok()?)));
        let fits = |hashing: &Hashing| hashing.digest(Algorithm::Sha512).is_some() == self.wants_sha512();
        let (from, hashing) =
            resumed.filter(|(_, hashing)| fits(hashing)).unwrap_or_else(|| (0, Hashing::new(self.algorithms)));
        self.marks = self.known.marks.iter().filter(|mark| mark.segments <= from).cloned().collect();
        self.hashing = Some(hashing);
        for at in from..reached {
            let content = self.core.read_segment(self.repository, &self.segments[at]).await?;
            self.hash(&content);
        }
        Ok(())
    }

    fn wants_sha512(&self) -> bool {
        self.algorithms.contains(&Algorithm::Sha512)
    }

    fn hash(&mut self, content: &Bytes) {
        if let Some(hashing) = &mut self.hashing {
            hashing.update(content);
        }
    }

    fn mark(&mut self) {
        if let Some(hashing) = &self.hashing {
            self.marks.push(Mark { segments: self.segments.len(), midstate: hashing.midstate() });
        }
    }

    pub(super) async fn into_row(mut self) -> Result<generations::File> {
        let unchanged = self.hashing.is_none() && self.known.segments.len() == self.segments.len();
        let known = self.known.file.take().filter(|file| unchanged && file.sha512.is_some() == self.wants_sha512());
        let segments: Vec<Digest> = self.segments.iter().map(|segment| segment.digest).collect();
        if let Some(IndexFile { digest, sha512, size, .. }) = known {
            let checkpoints = write_marks(&self.known.marks, segments.len());
            let Self { path, media_type, .. } = self;
            return Ok(generations::File { path, media_type, digest, sha512, size, segments, checkpoints });
        }
        self.catch_up().await?;
        let Self { path, media_type, hashing, marks, .. } = self;
        let hashing = hashing.ok_or_else(|| Error::Inconsistent("a file was not hashed".to_owned()))?;
        let digest = hashing.digest(Algorithm::Sha256);
        let digest = digest.ok_or_else(|| Error::Inconsistent("a file was not hashed".to_owned()))?;
        let (sha512, size) = (hashing.digest(Algorithm::Sha512), hashing.offset());
        let checkpoints = write_marks(&marks, segments.len());
        Ok(generations::File { path, media_type, digest, sha512, size, segments, checkpoints })
    }
}

/// Marks at 1, 2, 4, 8 … segments from the end: what is added at the end is hashed from close by, whatever the length.
fn write_marks(marks: &[Mark], segments: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for mark in marks.iter().filter(|mark| mark.segments < segments && (segments - mark.segments).is_power_of_two()) {
        let (Ok(at), Ok(length)) = (u32::try_from(mark.segments), u32::try_from(mark.midstate.len())) else { continue };
        bytes.extend_from_slice(&at.to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&mark.midstate);
    }
    bytes
}

/// Whatever cannot be read is not there: then more is hashed.
fn read_marks(mut bytes: &[u8]) -> Vec<Mark> {
    let mut marks = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(8) {
        let word = |at: usize| head[at..at + 4].iter().fold(0, |word: usize, byte| word << 8 | usize::from(*byte));
        let Some((midstate, rest)) = rest.split_at_checked(word(4)) else { break };
        marks.push(Mark { segments: word(0), midstate: midstate.to_vec() });
        bytes = rest;
    }
    marks
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

    /// The content of a segment of a repository.
    pub(super) async fn read_segment(&self, repository: i64, segment: &Segment) -> Result<Bytes> {
        use futures_util::TryStreamExt;
        let args = (repository, segment.digest);
        let found =
            self.inner.db.read(&args, |tx, (repository, digest)| Box::pin(blobs::linked(tx, *repository, digest)));
        let blob = found.await.map_err(Error::from)?.ok_or(Error::BlobUnknown(segment.digest))?;
        let content = self.open_content(&blob.digest, blob.size, &blob.place, 0..blob.size).await?;
        let content: Vec<Bytes> = content.try_collect().await.map_err(wharf_storage::Error::Unavailable)?;
        Ok(content.concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_lie_close_to_the_end() {
        let marks: Vec<_> = (1..=100).map(|segments| Mark { segments, midstate: vec![7; segments % 3] }).collect();
        let kept = read_marks(&write_marks(&marks, 100));
        let at: Vec<_> = kept.iter().map(|mark| mark.segments).collect();
        assert_eq!(at, [36, 68, 84, 92, 96, 98, 99]);
        assert!(kept.iter().all(|mark| marks.contains(mark)));
        assert!(read_marks(b"damaged").is_empty());
    }
}
