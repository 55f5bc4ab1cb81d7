//! Index files as clients read them.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use wharf_db::catalog::{blobs, generations};
use wharf_storage::ByteStream;
use wharf_types::{Digest, Timestamp};

use super::{IndexFile, Segment};
use crate::repository::Target;
use crate::{Core, Error, Result};

/// Segments that are opened while an earlier one is sent: a bucket takes longer to answer than to send one.
const OPENED_AHEAD: usize = 4;

/// A file of an index with its content at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFile {
    /// What it is.
    pub file: IndexFile,
    segments: Vec<blobs::Blob>,
}

/// Tells those who wait for an index that one was published.
#[derive(Default)]
pub(crate) struct Announcements(Arc<Notify>);

impl PublishedFile {
    /// What it is made of, in order.
    pub fn segments(&self) -> Vec<Segment> {
        self.segments.iter().map(Segment::from).collect()
    }

    /// The parts of the segments that make up a range of the file.
    fn parts(&self, range: &Range<u64>) -> Vec<(blobs::Place, Range<u64>)> {
        let (mut parts, mut begin) = (Vec::new(), 0);
        for segment in &self.segments {
            let end = begin + segment.size;
            let part = range.start.max(begin)..range.end.min(end);
            if part.start < part.end {
                parts.push((segment.place.clone(), part.start - begin..part.end - begin));
            }
            begin = end;
        }
        parts
    }
}

impl From<(generations::File, Vec<blobs::Blob>)> for PublishedFile {
    fn from((file, segments): (generations::File, Vec<blobs::Blob>)) -> Self {
        Self { file: IndexFile::from(&file), segments }
    }
}

impl Announcements {
    /// Ends with the next publication after the call.
    pub(super) fn heard(&self) -> OwnedNotified {
        Arc::clone(&self.0).notified_owned()
    }
}

impl Core {
    /// Tells waiting requests that an index may have been published.
    pub(crate) fn announce_publication(&self) {
        self.inner.published.0.notify_waiters();
    }

    /// A file of the index as clients see it: the newest, or that of a published snapshot.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`Error::FileUnknown`].
    pub async fn index_file(&self, target: &Target, channel: &str, path: &str) -> Result<PublishedFile> {
        let args = (target, channel, path);
        let found = self.inner.db.snapshot(&args, |tx, (target, channel, path)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                let found = generations::served_file(tx, repository, channel, path).await?;
                found.ok_or_else(|| Error::FileUnknown((*path).to_owned()))
            })
        });
        found.await.map(PublishedFile::from)
    }

    /// When the generations of a channel were made that are still kept, and when the next one followed; the newest first.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn generations(
        &self,
        target: &Target,
        channel: &str,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Option<Timestamp>)>> {
        let args = (target, channel, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.inner.db.read(&args, |tx, (target, channel, limit)| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                Ok::<_, Error>(generations::page(tx, repository, channel, *limit).await?)
            })
        });
        Ok(rows.await?.into_iter().map(|(_, made, retired)| (made, retired)).collect())
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
        found.await.map(PublishedFile::from)
    }

    /// Opens a part of an index file; `range` must lie inside it. The first segment is opened now, so that a storage that is
    /// away is noticed before an answer has begun; each other one shortly before its turn comes, for a file may have hundreds.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn open_index_file(&self, file: &PublishedFile, range: Range<u64>) -> Result<ByteStream> {
        let mut parts = file.parts(&range).into_iter();
        let Some((place, part)) = parts.next() else { return Ok(Box::pin(stream::empty())) };
        let first = self.open_place(&place, part).await?;
        let core = self.clone();
        let rest = stream::iter(parts).map(move |(place, part)| {
            let core = core.clone();
            async move { core.open_place(&place, part).await.map_err(io::Error::other) }
        });
        let rest = rest.buffered(OPENED_AHEAD);
        Ok(Box::pin(first.chain(rest.try_flatten())))
    }
}
