//! Writing a file: whole or not at all, whatever its size.

use futures_util::StreamExt as _;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{Error as StoreError, MultipartId, ObjectStoreExt as _, PutPayload, PutPayloadMut};
use tokio::task::JoinSet;

use super::{BucketDepot, UNFINISHED};
use crate::ByteStream;
use crate::bucket::failure::is_lost;
use crate::depot::{Depot as _, DepotError};

/// The most parts of one object that every provider takes.
const MOST_PARTS: usize = 10_000;
/// Memory is taken in such pieces as bytes arrive.
const PIECE: usize = 256 * 1024;

pub(super) async fn put(depot: &BucketDepot, name: &str, mut body: ByteStream) -> Result<u64, DepotError> {
    let mut writing = Writing {
        depot,
        name,
        path: depot.path(name),
        gathered: gathering(),
        size: 0,
        upload: None,
        sending: JoinSet::new(),
    };
    let written = writing.write(&mut body).await;
    if written.is_err()
        && let Some(upload) = writing.upload
    {
        drop(writing.sending);
        if let Err(error) = forget(depot, &writing.path, &upload.id, &upload.note).await {
            tracing::warn!(%error, file = %writing.path, "a multipart upload is left to the next prune");
        }
    }
    written
}

fn gathering() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(PIECE)
}

/// A multipart upload.
struct Upload {
    id: MultipartId,
    /// Says that it is under way.
    note: Path,
    parts: Vec<PartId>,
}

struct Writing<'a> {
    depot: &'a BucketDepot,
    name: &'a str,
    path: Path,
    gathered: PutPayloadMut,
    size: u64,
    upload: Option<Upload>,
    /// One part at most is on its way while the next is gathered.
    sending: JoinSet<object_store::Result<PartId>>,
}

impl Writing<'_> {
    async fn write(&mut self, body: &mut ByteStream) -> Result<u64, DepotError> {
        let most = self.depot.config.part_size as usize;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(DepotError::Body)?;
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(most - self.gathered.content_length()));
                // Copied: a chunk keeps alive the whole buffer that it is a slice of.
                self.gathered.extend_from_slice(now);
                rest = later;
                if self.gathered.content_length() == most {
                    self.send().await?;
                }
            }
            self.size += chunk.len() as u64;
        }
        self.finish().await?;
        Ok(self.size)
    }

    /// Sends what is gathered on its way, once the part before it has arrived.
    async fn send(&mut self) -> Result<(), DepotError> {
        self.arrived().await?;
        let (id, number) = self.upload().await?;
        if number == MOST_PARTS {
            let size = self.depot.config.part_size / (1024 * 1024);
            let section = self.depot.config.section;
            return Err(DepotError::Full(format!(
                "{}: an object has at most {MOST_PARTS} parts of {size} MiB: see {section}.part_size",
                self.name
            )));
        }
        let part = std::mem::replace(&mut self.gathered, gathering()).freeze();
        let (door, path) = (self.depot.door.clone(), self.path.clone());
        self.sending.spawn(async move { door.put_part(&path, &id, number, part).await });
        Ok(())
    }

    /// The upload, begun if it is not, and the number of its next part.
    async fn upload(&mut self) -> Result<(MultipartId, usize), DepotError> {
        if let Some(upload) = &self.upload {
            return Ok((upload.id.clone(), upload.parts.len()));
        }
        let door = &self.depot.door;
        let id = door.create_multipart(&self.path).await.map_err(|error| self.failure(&error))?;
        let note = self.depot.path(UNFINISHED).join(hex::encode(rand::random::<[u8; 16]>()));
        // Known from here on, so that a failure of the next step takes it back.
        self.upload = Some(Upload { id: id.clone(), note: note.clone(), parts: Vec::new() });
        let noted = door.put(&note, PutPayload::from(format!("{}\n{id}", self.name))).await;
        noted.map_err(|error| self.failure(&error))?;
        Ok((id, 0))
    }

    async fn arrived(&mut self) -> Result<(), DepotError> {
        while let Some(sent) = self.sending.join_next().await {
            let part = sent.unwrap_or_else(|died| Err(StoreError::JoinError { source: died }));
            let part = part.map_err(|error| self.failure(&error))?;
            if let Some(upload) = &mut self.upload {
                upload.parts.push(part);
            }
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), DepotError> {
        let door = &self.depot.door;
        if self.upload.is_none() {
            let content = std::mem::take(&mut self.gathered).freeze();
            return door.put(&self.path, content).await.map(drop).map_err(|error| self.failure(&error));
        }
        if !self.gathered.is_empty() {
            self.send().await?;
        }
        self.arrived().await?;
        let Some(Upload { id, note, parts }) = &mut self.upload else { return Ok(()) };
        let completed = door.complete_multipart(&self.path, id, std::mem::take(parts)).await;
        let note = note.clone();
        completed.map_err(|error| self.failure(&error))?;
        // Not every store that says it has put parts together has all of them, so it is asked.
        let held = door.head(&self.path).await.map_err(|error| self.failure(&error))?.size;
        if held != self.size {
            let problem = format!("{} bytes were sent and {held} are there", self.size);
            return Err(DepotError::Away { name: self.name.to_owned(), problem });
        }
        remove(self.depot, &note).await.map_err(|error| self.failure(&error))
    }

    /// That something is not there is no answer to who writes.
    fn failure(&self, error: &StoreError) -> DepotError {
        match self.depot.failure(self.name, error) {
            DepotError::NotFound(name) => DepotError::Away { name, problem: crate::bucket::failure::said(error) },
            failure => failure,
        }
    }
}

/// Upload before note: what is left over by a crash is still found.
async fn forget(depot: &BucketDepot, path: &Path, id: &MultipartId, note: &Path) -> object_store::Result<()> {
    match depot.door.abort_multipart(path, id).await {
        Err(error) if !is_lost(&error) => Err(error),
        _ => remove(depot, note).await,
    }
}

async fn remove(depot: &BucketDepot, path: &Path) -> object_store::Result<()> {
    match depot.door.delete(path).await {
        Err(StoreError::NotFound { .. }) => Ok(()),
        removed => removed,
    }
}

/// Aborts the uploads that left word and did not come to their end.
pub(super) async fn tidy(depot: &BucketDepot) -> Result<(), DepotError> {
    let failure = |error: &StoreError| depot.failure(UNFINISHED, error);
    for entry in depot.list(UNFINISHED).await? {
        let path = depot.path(UNFINISHED).join(entry.name);
        let note = match depot.door.get(&path).await {
            Err(StoreError::NotFound { .. }) => continue,
            Err(error) => return Err(failure(&error)),
            Ok(got) => got.bytes().await.map_err(|error| failure(&error))?,
        };
        // What holds no such word is a probe.
        let forgotten = match String::from_utf8_lossy(&note).split_once('\n') {
            Some((name, id)) => forget(depot, &depot.path(name), &id.to_owned(), &path).await,
            None => remove(depot, &path).await,
        };
        forgotten.map_err(|error| failure(&error))?;
    }
    Ok(())
}
