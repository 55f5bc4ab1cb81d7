//! A disk that gets full stops pushes first, while there is room left for what makes room: deletes and collection.

use std::io;

use futures_util::StreamExt as _;
use wharf_storage::ByteStream;

use crate::{Core, Error, Result};

/// How many bytes of a body may arrive between two looks at the disk.
const STRIDE: usize = 8 << 20;

impl Core {
    /// Bytes that can still be written on the disk of the database, where that is known.
    ///
    /// # Errors
    /// Those of the database.
    pub fn database_free(&self) -> Result<Option<u64>> {
        Ok(self.inner.db.free()?)
    }

    /// Refuses a push while less is free than the low-water mark, on the disk of the storage or of the database.
    pub(crate) async fn require_room(&self) -> Result<()> {
        let low_water = self.inner.config.low_water;
        if low_water == 0 {
            return Ok(());
        }
        let storage = self.inner.storage.space().await?.map(|space| space.free);
        for (disk, free) in [("storage", storage), ("database", self.inner.db.free()?)] {
            if let Some(free) = free.filter(|free| *free < low_water) {
                let why = format!("{free} bytes are free on the disk of the {disk}, pushes need {low_water}");
                return Err(wharf_storage::Error::Full(why).into());
            }
        }
        Ok(())
    }

    /// The body, ending with an error when there is no room for more of it. What came before is kept, as of any other body
    /// that is cut short.
    pub(crate) fn while_there_is_room(&self, body: ByteStream) -> ByteStream {
        let mut unseen = 0;
        let core = self.clone();
        Box::pin(body.then(move |chunk| {
            unseen += chunk.as_ref().map_or(0, bytes::Bytes::len);
            let due = unseen >= STRIDE;
            if due {
                unseen = 0;
            }
            let core = due.then(|| core.clone());
            async move {
                match core {
                    Some(core) => core.require_room().await.map_err(cut).and(chunk),
                    None => chunk,
                }
            }
        }))
    }
}

fn cut(error: Error) -> io::Error {
    match error {
        Error::Storage(wharf_storage::Error::Full(why)) => io::Error::new(io::ErrorKind::StorageFull, why),
        other => io::Error::other(other),
    }
}

/// Why a body was cut short: for want of room, or by its sender.
pub(crate) fn interrupted(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull => wharf_storage::Error::Full(error.to_string()).into(),
        _ => Error::Interrupted(error),
    }
}
