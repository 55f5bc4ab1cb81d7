//! Writing an object: appending to it, sealing it, and taking both back.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _, PutPayload};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::failure::{failed, failure, is_lost};
use super::state::{Multipart, State};
use super::{Bucket, Door};
use crate::{Appended, ByteStream, Error, ObjectKey, Result};

/// Parts of one upload on their way at once, if there is room.
const AT_ONCE: usize = 4;

/// The most parts of one object that every provider takes.
const MOST_PARTS: usize = 10_000;

/// Bytes of an upload that need no seat: small blobs do not wait for large ones.
const FREE: usize = 64 * 1024;

/// How long an upload waits for a seat. Seats go round part by part, so it is short unless all clients are slow.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Memory is taken in such pieces as bytes arrive.
const PIECE: usize = 256 * 1024;

/// Takes the body: full parts go to the bucket, the rest stays in the progress.
pub(super) async fn append(bucket: &Bucket, key: &ObjectKey, state: State, mut body: ByteStream) -> Result<Appended> {
    let begun = state.multipart.is_some();
    if let Some(Multipart { id, .. }) = &state.multipart
        && (is_there(bucket, &bucket.names.object(key)).await? || !is_kept(bucket, key, id).await?)
    {
        return Err(Error::NotFound(key.clone()));
    }
    let mut pen = Pen::new(bucket, key, state).await?;
    let written = pen.take(&mut body).await;
    // Whatever is still on its way was for nothing if this failed: then it ends here.
    let Pen { state, gathered, running, .. } = pen;
    drop(running);
    match written {
        Ok(interrupted) => Ok(Appended { progress: state.with_tail(gathered.into_pieces()), interrupted }),
        Err(error) => {
            if let (false, Some(Multipart { id, .. })) = (begun, state.multipart)
                && let Err(error) = forget(bucket, key, &id).await
            {
                tracing::warn!(%error, object = %key, "a multipart upload is left to the sweep");
            }
            Err(error)
        }
    }
}

async fn is_there(bucket: &Bucket, path: &Path) -> Result<bool> {
    match bucket.door.head(path).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(failure(&error)),
    }
}

/// Whether nobody has forgotten the upload. The provider knows that, or its name tells.
async fn is_kept(bucket: &Bucket, key: &ObjectKey, id: &str) -> Result<bool> {
    Ok(bucket.aborts || is_there(bucket, &bucket.names.upload(key, id)).await?)
}

/// A part in the making.
#[derive(Debug, Default)]
struct Gathered {
    pieces: Vec<Bytes>,
    last: BytesMut,
    length: usize,
    seat: Option<OwnedSemaphorePermit>,
}

impl Gathered {
    /// Copies, because a chunk keeps alive the whole buffer that it is a slice of.
    fn put(&mut self, mut chunk: &[u8]) {
        self.length += chunk.len();
        while !chunk.is_empty() {
            if self.last.len() == PIECE {
                self.pieces.push(std::mem::take(&mut self.last).freeze());
            }
            let (now, later) = chunk.split_at(chunk.len().min(PIECE - self.last.len()));
            self.last.extend_from_slice(now);
            chunk = later;
        }
    }

    fn into_payload(mut self) -> (PutPayload, Option<OwnedSemaphorePermit>) {
        let seat = self.seat.take();
        (self.into_pieces().into_iter().collect(), seat)
    }

    fn into_pieces(mut self) -> Vec<Bytes> {
        self.pieces.push(self.last.freeze());
        self.pieces
    }
}

/// The number of a part, and what completes the upload with it.
type Done = (usize, object_store::Result<PartId>);

struct Pen<'a> {
    bucket: &'a Bucket,
    key: &'a ObjectKey,
    path: Path,
    /// Its parts are in order and without gaps, its tail is not looked at.
    state: State,
    gathered: Gathered,
    /// Parts begun, and those that are there but behind one that is not.
    begun: usize,
    early: std::collections::BTreeMap<usize, String>,
    running: JoinSet<Done>,
}

impl<'a> Pen<'a> {
    async fn new(bucket: &'a Bucket, key: &'a ObjectKey, mut state: State) -> Result<Self> {
        let tail = std::mem::take(&mut state.tail);
        let begun = state.multipart.as_ref().map_or(0, |multipart| multipart.parts.len());
        let path = bucket.names.object(key);
        let (gathered, early, running) = Default::default();
        let mut pen = Self { bucket, key, path, state, gathered, begun, early, running };
        pen.gather(&tail).await?;
        Ok(pen)
    }

    /// To the end of the body, or to the error with which it ends.
    async fn take(&mut self, body: &mut ByteStream) -> Result<Option<io::Error>> {
        let interrupted = loop {
            // A part that fails is heard of at once, however slow the client is.
            tokio::select! {
                Some(done) = self.running.join_next() => self.note(done)?,
                chunk = body.next() => match chunk {
                    Some(Ok(chunk)) => self.gather(&chunk).await?,
                    Some(Err(error)) => break Some(error),
                    None => break None,
                },
            }
        };
        while let Some(done) = self.running.join_next().await {
            self.note(done)?;
        }
        Ok(interrupted)
    }

    async fn gather(&mut self, mut chunk: &[u8]) -> Result<()> {
        let part = self.state.part_size as usize;
        while !chunk.is_empty() {
            let (now, later) = chunk.split_at(chunk.len().min(part - self.gathered.length));
            if self.gathered.seat.is_none() && self.gathered.length + now.len() > FREE {
                self.sit_down().await?;
            }
            self.gathered.put(now);
            chunk = later;
            if self.gathered.length == part {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Room for one part. Whoever has parts on their way waits for those first, so that nobody waits for a seat that he holds.
    async fn sit_down(&mut self) -> Result<()> {
        let seats = &self.bucket.seats;
        loop {
            if self.running.len() < AT_ONCE
                && let Ok(seat) = Arc::clone(seats).try_acquire_owned()
            {
                self.gathered.seat = Some(seat);
                return Ok(());
            }
            let Some(done) = self.running.join_next().await else { break };
            self.note(done)?;
        }
        self.gathered.seat = Some(wait_for_seat(seats).await?);
        Ok(())
    }

    /// Sends a full part on its way.
    async fn send(&mut self) -> Result<()> {
        if self.begun == MOST_PARTS {
            let size = self.state.part_size / (1024 * 1024);
            return Err(Error::Full(format!(
                "an object has at most {MOST_PARTS} parts of {size} MiB: see storage.part_size"
            )));
        }
        let id = self.upload_id().await?;
        let number = self.begun;
        self.begun += 1;
        let (payload, seat) = std::mem::take(&mut self.gathered).into_payload();
        let (door, path) = (Arc::clone(&self.bucket.door), self.path.clone());
        self.running.spawn(async move {
            let put = door.put_part(&path, &id, number, payload).await;
            drop(seat);
            (number, put)
        });
        Ok(())
    }

    /// Begins the multipart upload if it is not begun, and leaves word of it.
    async fn upload_id(&mut self) -> Result<String> {
        if let Some(multipart) = &self.state.multipart {
            return Ok(multipart.id.clone());
        }
        let id = self.bucket.door.create_multipart(&self.path).await.map_err(|error| failed(self.key, &error))?;
        // Known from here on, so that a failure of the next step takes it back.
        self.state.multipart = Some(Multipart { id: id.clone(), parts: Vec::new() });
        let name = self.bucket.names.upload(self.key, &id);
        self.bucket.door.put(&name, PutPayload::from(id.clone())).await.map_err(|error| failure(&error))?;
        Ok(id)
    }

    fn note(&mut self, done: std::result::Result<Done, tokio::task::JoinError>) -> Result<()> {
        let (number, put) = done.map_err(|died| Error::Unavailable(io::Error::other(died)))?;
        let part = put.map_err(|error| lost(self.key, &error))?;
        self.early.insert(number, part.content_id);
        let Some(multipart) = &mut self.state.multipart else { return Ok(()) };
        while let Some(part) = self.early.remove(&multipart.parts.len()) {
            multipart.parts.push(part);
        }
        Ok(())
    }
}

async fn wait_for_seat(seats: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    match timeout(PATIENCE, Semaphore::acquire_owned(Arc::clone(seats))).await {
        Ok(Ok(seat)) => Ok(seat),
        _ => {
            let crowded = "more uploads at once than storage.upload_memory has room for";
            Err(Error::Unavailable(io::Error::new(io::ErrorKind::ResourceBusy, crowded)))
        }
    }
}

/// An upload that is not there any more is not found; what it had accepted is lost.
fn lost(key: &ObjectKey, error: &StoreError) -> Error {
    if is_lost(error) { Error::NotFound(key.clone()) } else { failed(key, error) }
}

/// Makes the object durable and readable.
pub(super) async fn seal(bucket: &Bucket, key: &ObjectKey, state: State) -> Result<()> {
    let _seat = match state.tail.len() > FREE {
        true => Some(wait_for_seat(&bucket.seats).await?),
        false => None,
    };
    let (path, expected) = (bucket.names.object(key), state.held());
    let Some(Multipart { id, parts }) = state.multipart else {
        // Only requests with the same progress, so with the same bytes, put under this key.
        let put = bucket.door.put(&path, PutPayload::from(state.tail)).await;
        return put.map(drop).map_err(|error| failure(&error));
    };
    if is_kept(bucket, key, &id).await? {
        match complete(&*bucket.door, &path, &id, parts, state.tail).await {
            Ok(()) => {}
            // Completed before, and the answer was lost: what is there says so.
            Err(error) if is_lost(&error) => {}
            Err(error) => return Err(failure(&error)),
        }
    }
    // Not every store that says it has put parts together has all of them, so it is asked.
    let held = bucket.door.head(&path).await.map_err(|error| failed(key, &error))?.size;
    if held != expected {
        return Err(Error::Truncated { key: key.clone(), expected, held });
    }
    remove_name(bucket, &bucket.names.upload(key, &id)).await
}

async fn complete(
    door: &dyn Door,
    path: &Path,
    id: &String,
    parts: Vec<String>,
    tail: Vec<u8>,
) -> object_store::Result<()> {
    let mut parts: Vec<_> = parts.into_iter().map(|content_id| PartId { content_id }).collect();
    if !tail.is_empty() {
        parts.push(door.put_part(path, id, parts.len(), PutPayload::from(tail)).await?);
    }
    door.complete_multipart(path, id, parts).await.map(drop)
}

/// Forgets what was written of an unsealed object: the upload that is known, or all that left word.
pub(super) async fn discard(bucket: &Bucket, key: &ObjectKey, known: Option<String>) -> Result<()> {
    if let Some(id) = known {
        return forget(bucket, key, &id).await;
    }
    let folder = bucket.names.pending(key);
    let names: Vec<_> = bucket.door.list(Some(&folder)).try_collect().await.map_err(|error| failure(&error))?;
    for name in names {
        let id = match bucket.door.get(&name.location).await {
            Ok(got) => got.bytes().await,
            Err(error) => Err(error),
        };
        match id {
            Ok(id) => forget(bucket, key, &String::from_utf8_lossy(&id)).await?,
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(failure(&error)),
        }
    }
    Ok(())
}

/// Upload before name: what is left over by a crash is still found.
async fn forget(bucket: &Bucket, key: &ObjectKey, id: &str) -> Result<()> {
    match bucket.door.abort_multipart(&bucket.names.object(key), &id.to_owned()).await {
        Err(error) if !is_lost(&error) => return Err(failure(&error)),
        _ => {}
    }
    remove_name(bucket, &bucket.names.upload(key, id)).await
}

async fn remove_name(bucket: &Bucket, path: &Path) -> Result<()> {
    match bucket.door.delete(path).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(failure(&error)),
    }
}

/// Removes sealed objects.
pub(super) async fn remove(bucket: &Bucket, keys: &[ObjectKey]) -> Result<()> {
    let paths: Vec<_> = keys.iter().map(|key| Ok(bucket.names.object(key))).collect();
    let mut removed = bucket.door.delete_stream(stream::iter(paths).boxed());
    while let Some(outcome) = removed.next().await {
        match outcome {
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(failure(&error)),
        }
    }
    Ok(())
}
