//! Index generations: put together by the format, written down complete, and made current by one pointer.

use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::sync::futures::OwnedNotified;
use wharf_db::catalog::{blobs, events, generations, packages, reviews};
use wharf_db::{Durability, Tx};
use wharf_storage::{ByteStream, Hashing};
use wharf_types::{Algorithm, Digest, FormatName, RepoName, Timestamp};

use crate::repository::Target;
use crate::upload::Session;
use crate::{Core, Error, IndexError, Result};

/// A piece of an index file. Pieces are blobs: generations that contain the same piece share it.
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

/// A file of an index with its content at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFile {
    /// What it is.
    pub file: IndexFile,
    segments: Vec<blobs::Blob>,
}

/// Tells those who wait for an index that one was published.
#[derive(Default)]
pub(crate) struct Announcements(std::sync::Arc<tokio::sync::Notify>);

impl Announcements {
    /// Ends with the next publication after the call.
    pub(crate) fn heard(&self) -> OwnedNotified {
        std::sync::Arc::clone(&self.0).notified_owned()
    }

    fn announce(&self) {
        self.0.notify_waiters();
    }
}

/// One run of a format's index, for one channel of one repository.
pub struct Publication {
    core: Core,
    repository: i64,
    name: RepoName,
    channel: String,
    files: Vec<generations::File>,
}

/// What the job row says.
#[derive(Deserialize)]
struct Order {
    repository: i64,
    channel: String,
    format: String,
    name: RepoName,
}

struct Flip {
    repository: i64,
    channel: String,
    files: Vec<generations::File>,
    format: FormatName,
    name: RepoName,
    at: Timestamp,
    retired_before: Timestamp,
    review_due: Timestamp,
}

impl Publication {
    /// The repository.
    pub fn repository(&self) -> &RepoName {
        &self.name
    }

    /// The channel; empty where a repository has one.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The time to write into the index.
    pub fn now(&self) -> Timestamp {
        self.core.inner.clock.now()
    }

    /// Up to `limit` packages of the channel by path after `after`: (path, digest, size, fragment).
    ///
    /// # Errors
    /// Those of the database.
    pub async fn packages(&self, after: &str, limit: usize) -> Result<Vec<(String, Digest, u64, Vec<u8>)>> {
        let args = (self.repository, self.channel.as_str(), after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self
            .core
            .inner
            .db
            .read(&args, |tx, (repository, channel, after, limit)| {
                Box::pin(packages::page(tx, *repository, channel, after, *limit))
            })
            .await
            .map_err(Error::from)?;
        Ok(rows.into_iter().map(|row| (row.path, row.digest, row.size, row.fragment)).collect())
    }

    /// The segments of a file of the generation that is current now, for taking over those that have not changed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn current(&self, path: &str) -> Result<Option<(IndexFile, Vec<Segment>)>> {
        let args = (self.repository, self.channel.as_str(), path);
        let found = self
            .core
            .inner
            .db
            .snapshot(&args, |tx, (repository, channel, path)| {
                Box::pin(generations::current_file(tx, *repository, channel, path))
            })
            .await
            .map_err(Error::from)?;
        Ok(found.map(|(file, blobs)| {
            let segments = blobs.iter().map(|blob| Segment { digest: blob.digest, size: blob.size }).collect();
            (index_file(&file), segments)
        }))
    }

    /// Stores a segment.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn store(&self, content: Bytes) -> Result<Segment> {
        let size = content.len() as u64;
        let digest = self.core.store_bytes(self.repository, content).await?;
        Ok(Segment { digest, size })
    }

    /// Adds a file that is the concatenation of `segments`; `digest` is of the whole.
    pub fn add(&mut self, path: &str, media_type: &str, digest: Digest, segments: &[Segment]) {
        let size = segments.iter().map(|segment| segment.size).sum();
        let segments = segments.iter().map(|segment| segment.digest).collect();
        let (path, media_type) = (path.to_owned(), media_type.to_owned());
        self.files.push(generations::File { path, media_type, digest, size, segments });
    }

    /// Stores `content` and adds it as a file of one segment.
    ///
    /// # Errors
    /// Those of storage and database.
    pub async fn add_whole(&mut self, path: &str, media_type: &str, content: Bytes) -> Result<Digest> {
        let segment = self.store(content).await?;
        self.add(path, media_type, segment.digest, std::slice::from_ref(&segment));
        Ok(segment.digest)
    }

    /// Signs `message` with every active key of the repository: two during a rotation. A key is made if there is none.
    ///
    /// # Errors
    /// Those of the database, and a key that the instance key does not open.
    pub async fn sign(&self, message: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.core.sign(self.repository, message).await
    }
}

impl Core {
    /// Stores bytes that the server made itself, linked to a repository.
    async fn store_bytes(&self, repository: i64, content: Bytes) -> Result<Digest> {
        let mut session = Session::new(String::new(), repository, Hashing::new(&[Algorithm::Sha256]));
        let body: ByteStream = Box::pin(futures_util::stream::once(async { Ok(content) }));
        if let Some(error) = session.take(&self.inner, body).await? {
            return Err(Error::Interrupted(error));
        }
        let digest = session.digest(&self.inner, Algorithm::Sha256).await?;
        self.commit(session, None, digest).await?;
        Ok(digest)
    }

    /// Runs a job of the kind `publish`.
    pub(crate) async fn publish(&self, payload: &str) -> Result<()> {
        let order: Order = serde_json::from_str(payload).map_err(|e| Error::Inconsistent(e.to_string()))?;
        let installed = self.format_named(&order.format);
        let format = installed.ok_or_else(|| Error::Inconsistent(format!("format {} is not installed", order.format)))?;
        let target = Target::new(format, order.name.clone());
        let (repository, channel) = (order.repository, order.channel);
        let mut publication =
            Publication { core: self.clone(), repository, name: order.name, channel, files: Vec::new() };
        self.format_of(&target)?.index(&mut publication).await.map_err(|error| match error {
            IndexError::Core(error) => error,
            IndexError::Format(text) => Error::NotPublished(text),
        })?;
        let at = self.inner.clock.now();
        let flip = Flip {
            repository,
            channel: publication.channel,
            files: publication.files,
            format,
            name: target.name,
            at,
            retired_before: at.before(self.inner.config.generation_retention),
            review_due: at.after(self.inner.config.review_delay),
        };
        self.inner.db.write(Durability::Full, flip, |tx, f| Box::pin(make_current(tx, f))).await
    }

    /// Tells waiting requests that an index may have been published.
    pub(crate) fn announce_publication(&self) {
        self.inner.published.announce();
    }

    /// A file of the current index.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn index_file(&self, target: &Target, channel: &str, path: &str) -> Result<PublishedFile> {
        let args = (target, channel, path);
        let found = self.inner.db.snapshot(&args, |tx, (target, channel, path)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                let found = generations::current_file(tx, repository, channel, path).await?;
                found.ok_or_else(|| Error::FileUnknown((*path).to_owned()))
            })
        });
        found.await.map(published)
    }

    /// A file of any generation that is still kept, by its digest.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn index_file_by_digest(&self, target: &Target, digest: &Digest) -> Result<PublishedFile> {
        let args = (target, digest);
        let found = self.inner.db.snapshot(&args, |tx, (target, digest)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                let found = generations::file_by_digest(tx, repository, digest).await?;
                found.ok_or_else(|| Error::FileUnknown(digest.to_string()))
            })
        });
        found.await.map(published)
    }

    /// Opens a part of an index file; `range` must lie inside it.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn open_index_file(&self, file: &PublishedFile, range: Range<u64>) -> Result<ByteStream> {
        let (mut parts, mut begin) = (Vec::new(), 0);
        for segment in &file.segments {
            let end = begin + segment.size;
            let part = range.start.max(begin)..range.end.min(end);
            if part.start < part.end {
                parts.push(self.open_place(&segment.place, part.start - begin..part.end - begin).await?);
            }
            begin = end;
        }
        Ok(Box::pin(futures_util::stream::iter(parts).flatten()))
    }
}

fn index_file(file: &generations::File) -> IndexFile {
    let generations::File { path, media_type, digest, size, .. } = file.clone();
    IndexFile { path, media_type, digest, size }
}

fn published((file, segments): (generations::File, Vec<blobs::Blob>)) -> PublishedFile {
    PublishedFile { file: index_file(&file), segments }
}

async fn make_current(tx: &mut Tx<'_>, flip: &Flip) -> Result<()> {
    let Flip { repository, channel, files, format, name, at, retired_before, review_due } = flip;
    let generation = generations::create(tx, *repository, channel, *at).await?;
    for file in files {
        generations::add_file(tx, generation, *repository, file).await?;
    }
    generations::publish(tx, *repository, channel, generation, *at).await?;
    for orphan in generations::drop_retired(tx, *repository, *retired_before).await? {
        reviews::enqueue(tx, Some(*repository), &orphan, "index generation dropped", *review_due).await?;
    }
    let payload = serde_json::json!({ "format": format, "repository": name.canonical(), "channel": channel });
    Ok(events::append(tx, *at, "index.published", &payload.to_string()).await?)
}
