//! How much memory manifests may take together while clients send or take them. A client that reads or sends slowly keeps what
//! it asked for in memory; without a bound a few hundred of them could fill it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, Result};

/// Content up to this many bytes is not counted: nearly every manifest is smaller, and should not pay for the few that are not.
pub const UNCOUNTED: u64 = 64 * 1024;

/// A number of bytes that may be held at once.
pub(crate) struct Budget {
    bytes: Arc<Semaphore>,
    most: u32,
    wait: Duration,
}

/// Room for some bytes, until dropped.
pub struct Room {
    _permit: OwnedSemaphorePermit,
}

/// Bytes with the room they take.
struct Held {
    content: Vec<u8>,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Budget {
    pub(crate) fn new(bytes: u64, wait: Duration) -> Self {
        let most = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self { bytes: Arc::new(Semaphore::new(most as usize)), most, wait }
    }

    /// Waits for room, in turn. What is larger than the whole budget waits until nothing else is held.
    ///
    /// # Errors
    /// [`Error::Busy`] if there is none for too long.
    pub(crate) async fn room(&self, bytes: u64) -> Result<Room> {
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.most);
        let permit = Arc::clone(&self.bytes).acquire_many_owned(wanted);
        match tokio::time::timeout(self.wait, permit).await {
            Ok(Ok(permit)) => Ok(Room { _permit: permit }),
            _ => Err(Error::Busy),
        }
    }
}

impl Room {
    /// The room is given back when the last piece of the content is gone, wherever it waits to be sent.
    pub(crate) fn hold(self, content: Vec<u8>) -> Bytes {
        Bytes::from_owner(Held { content, _room: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_given_back_with_the_last_piece() {
        let budget = Budget::new(100, Duration::from_millis(10));
        let mut content = budget.room(80).await.unwrap().hold(vec![0; 80]);
        let piece = content.split_off(79);
        drop(content);
        assert!(matches!(budget.room(80).await, Err(Error::Busy)));
        let _little = budget.room(20).await.unwrap();
        drop(piece);
        assert!(budget.room(80).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_larger_than_the_budget_takes_all_of_it() {
        let budget = Budget::new(100, Duration::from_millis(10));
        let all = budget.room(1000).await.unwrap();
        assert!(budget.room(1).await.is_err());
        drop(all);
        assert!(budget.room(1).await.is_ok());
    }
}
