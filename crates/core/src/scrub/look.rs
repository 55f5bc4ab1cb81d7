//! A look at one blob.

use futures_util::TryStreamExt as _;
use tokio_util::sync::CancellationToken;
use wharf_db::catalog::blobs::{self, Blob, Place};
use wharf_types::Digest;

use crate::backup::{checked, mismatch};
use crate::collect::Pace;
use crate::{Core, Error, Result};

/// What a look at a blob came to.
pub(super) enum Found {
    Right,
    /// Its bytes are others.
    Wrong(String),
    /// There is no such object, says a storage that may not be the right one.
    Missing(String),
    /// Its bytes could not be had. That may pass.
    Unread(String),
    /// It is not there any more, or lies elsewhere by now.
    Moved,
    /// The server stops.
    BrokenOff,
}

/// The key of a blob's object, if its bytes are not in its row.
pub(super) fn object(blob: &Blob) -> Option<&str> {
    match &blob.place {
        Place::Here(_) => None,
        Place::Stored { object, .. } => Some(object.as_str()),
    }
}

/// How fast is read, and until when.
pub(super) struct Throttle {
    pace: Pace,
    rate: u64,
    pub(super) stopping: CancellationToken,
}

impl Throttle {
    /// `rate` bytes a second, on the average from now on, so that small blobs are not waited for one by one.
    pub(super) fn new(rate: u64, stopping: CancellationToken) -> Self {
        Self { pace: Pace::new(), rate, stopping }
    }

    /// So much was read: gives it its time. False if the server stops.
    async fn goes_on_after(&self, bytes: usize) -> bool {
        self.pace.keep(bytes as u64, self.rate, &self.stopping).await;
        !self.stopping.is_cancelled()
    }
}

impl Core {
    /// Compares a blob with its digest; what was wrong on its way is right the second time.
    pub(super) async fn compare(&self, blob: &Blob, throttle: &Throttle) -> Result<Found> {
        match self.compare_once(blob, throttle).await? {
            Found::Wrong(_) | Found::Unread(_) => self.compare_once(blob, throttle).await,
            found => Ok(found),
        }
    }

    /// Whether its bytes begin to come.
    pub(super) async fn can_be_read(&self, blob: &Blob) -> bool {
        match self.open_place(&blob.place, 0..blob.size).await {
            Ok(mut content) => content.try_next().await.is_ok(),
            Err(_) => false,
        }
    }

    /// # Errors
    /// Those of the database only.
    async fn compare_once(&self, blob: &Blob, throttle: &Throttle) -> Result<Found> {
        let (digest, size) = (blob.digest, blob.size);
        if let Place::Here(content) = &blob.place {
            let actual = Digest::of(digest.algorithm(), content);
            let problem = || format!("the {} bytes in its row hash to {actual}", content.len());
            let found = if actual == digest { Found::Right } else { Found::Wrong(problem()) };
            throttle.goes_on_after(content.len()).await;
            return Ok(found);
        }
        let content = match self.open_place(&blob.place, 0..size).await {
            Ok(content) => content,
            Err(Error::Storage(wharf_storage::Error::NotFound(object))) => {
                let now = self.inner.db.read(&digest, |tx, digest| Box::pin(blobs::find(tx, digest))).await?;
                let moved = now.is_none_or(|now| now.place != blob.place);
                let gone = || Found::Missing(format!("object {object} is not in the storage"));
                return Ok(if moved { Found::Moved } else { gone() });
            }
            Err(error) => return Ok(Found::Unread(error.to_string())),
        };
        let mut content = checked(content, digest);
        loop {
            match content.try_next().await {
                Ok(Some(chunk)) => {
                    if !throttle.goes_on_after(chunk.len()).await {
                        return Ok(Found::BrokenOff);
                    }
                }
                Ok(None) => return Ok(Found::Right),
                Err(error) => return Ok(mismatch(&error).map_or(Found::Unread(error.to_string()), Found::Wrong)),
            }
        }
    }
}
