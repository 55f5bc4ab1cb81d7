//! What is not due yet: why a disk is as full as before, and until when.

use wharf_db::catalog::reviews::Ahead;
use wharf_db::catalog::{bin, reviews, uploads};
use wharf_types::Timestamp;

use super::CollectionState;
use crate::{Core, Error, Result};

/// What will be looked at or let go later. Nothing is counted beyond [`CollectionState::MOST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outlook {
    /// Digests that lost a reference. What still uses them is asked when their time is up; then they are hidden, and go later.
    pub reviews: Waiting,
    /// Entries of the bin. What only they use loses its last reference with them; how many bytes that are is not counted.
    pub bin: Waiting,
    /// Uploads that have not ended: how many, and what they have received.
    pub uploads: (u64, u64),
}

/// What waits for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the time of the first is up.
    pub from: Option<Timestamp>,
    /// When that of the last is.
    pub until: Option<Timestamp>,
}

impl Core {
    /// What the collector will look at later.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn collection_outlook(&self) -> Result<Outlook> {
        let now = self.inner.clock.now();
        let found = self.inner.db.snapshot(&now, |tx, now| {
            Box::pin(async move {
                let Ahead { count, bytes, from, until } = reviews::ahead(tx, *now, CollectionState::MOST).await?;
                let reviews = Waiting { count, bytes, from, until };
                let (count, _) = bin::backlog(tx, *now, CollectionState::MOST).await?;
                let (from, until) = bin::ahead(tx, *now).await?;
                let bin = Waiting { count, bytes: 0, from, until };
                let uploads = uploads::under_way(tx, CollectionState::MOST).await?;
                Ok::<_, Error>(Outlook { reviews, bin, uploads })
            })
        });
        found.await
    }
}
