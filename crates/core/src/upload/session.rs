//! An upload in memory: where its bytes go and how far it has come.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures_util::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use wharf_db::catalog::{blobs, uploads};
use wharf_storage::{ByteStream, Hashing, ObjectKey, Progress};
use wharf_types::{Algorithm, Digest};

use super::INLINE_LIMIT;
use crate::{Error, Inner, Result};

pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) repository: i64,
    pub(crate) received: u64,
    pub(crate) hashing: Hashing,
    tail: Vec<u8>,
    object: Option<(ObjectKey, Progress)>,
    storage: String,
    revision: i64,
}

impl Session {
    pub(crate) fn new(id: String, repository: i64, hashing: Hashing) -> Self {
        let (tail, storage) = (Vec::new(), String::new());
        Self { id, repository, received: 0, hashing, tail, object: None, storage, revision: 0 }
    }

    pub(crate) fn from_row(row: uploads::Upload) -> Result<Self> {
        let hashing = Hashing::resume(&row.midstate).map_err(|e| Error::Inconsistent(e.to_string()))?;
        let (storage, object) = match row.object {
            None => (String::new(), None),
            Some((storage, key)) => {
                let key: ObjectKey = key.parse().map_err(|e| Error::Inconsistent(format!("upload {}: {e}", row.id)))?;
                (storage, Some((key, Progress { offset: row.received, state: row.progress })))
            }
        };
        Ok(Self {
            id: row.id,
            repository: row.repository,
            received: row.received,
            hashing,
            tail: row.tail,
            object,
            storage,
            revision: row.revision,
        })
    }

    pub(crate) fn to_row(&self) -> uploads::Upload {
        let object = self.object.as_ref().map(|(key, _)| (self.storage.clone(), key.to_string()));
        uploads::Upload {
            id: self.id.clone(),
            repository: self.repository,
            object,
            received: self.received,
            progress: self.object.as_ref().map(|(_, progress)| progress.state.clone()).unwrap_or_default(),
            tail: self.tail.clone(),
            midstate: self.hashing.midstate(),
            revision: self.revision,
        }
    }

    /// The row has what this holds.
    pub(crate) fn saved(&mut self) {
        self.revision += 1;
    }

    /// What must still hold when the upload ends.
    pub(crate) fn step(&self) -> super::Step {
        (self.id.clone(), self.revision)
    }

    pub(crate) fn check_start(&self, start: Option<u64>) -> Result<()> {
        match start {
            Some(given) if given != self.received => Err(Error::OutOfOrder { given, received: self.received }),
            _ => Ok(()),
        }
    }

    /// Takes the whole body, hashing it as it passes. `Some` is the error that cut it short; what came before it is kept.
    pub(crate) async fn take(&mut self, inner: &Inner, mut body: ByteStream) -> Result<Option<io::Error>> {
        if self.object.is_none() {
            let first = loop {
                match body.next().await {
                    None => return Ok(None),
                    Some(Err(error)) => return Ok(Some(error)),
                    Some(Ok(chunk)) if self.tail.len() + chunk.len() > INLINE_LIMIT => break chunk,
                    Some(Ok(chunk)) => {
                        self.hashing.update(&chunk);
                        self.tail.extend_from_slice(&chunk);
                        self.received += chunk.len() as u64;
                    }
                }
            };
            return self.spill(inner, Box::pin(stream::once(async { Ok(first) }).chain(body))).await;
        }
        self.move_on(inner);
        self.append(inner, Vec::new(), body).await
    }

    /// Draws a new key where the storage has nothing under the old one, so that requests which go on from the same point on two
    /// replicas never write one object.
    fn move_on(&mut self, inner: &Inner) {
        if let Some((key, progress)) = &mut self.object
            && !inner.storage.is_begun(progress)
        {
            *key = inner.new_object_key();
        }
    }

    /// Too much for the row: the bytes so far and those to come go to the storage.
    async fn spill(&mut self, inner: &Inner, body: ByteStream) -> Result<Option<io::Error>> {
        let key = inner.new_object_key();
        self.storage = inner.storage.name().to_owned();
        self.object = Some((key.clone(), Progress::default()));
        let head = std::mem::take(&mut self.tail);
        let outcome = self.append(inner, head, body).await;
        // No row knows of this object yet. A storage that is away would only be waited for once more, and the sweep finds it.
        if outcome.as_ref().is_err_and(|error| !error.is_unavailable())
            && let Err(error) = inner.storage.discard(&key, &Progress::default()).await
        {
            tracing::debug!(%error, %key, "an object that never was whole is left to the sweep");
        }
        outcome
    }

    async fn append(&mut self, inner: &Inner, head: Vec<u8>, body: ByteStream) -> Result<Option<io::Error>> {
        let Some((key, progress)) = &mut self.object else { return Ok(None) };
        let (body, tap) = self.hashing.clone().tap(body);
        let whole: ByteStream = match head.is_empty() {
            true => body,
            false => Box::pin(stream::once(async { Ok(head.into()) }).chain(body)),
        };
        // The storage looks at the object before it asks for the first byte, so after a refusal the body is still whole. An
        // object that goes later, by another replica's hand, takes with it what was read.
        let whole = Arc::new(Lent { body: Mutex::new(whole), begun: AtomicBool::new(false) });
        let appended = match inner.storage.append(key, progress, lend(&whole)).await {
            Err(wharf_storage::Error::NotFound(_)) if !whole.begun.load(Relaxed) => {
                self.go_on_from_sealed(inner, lend(&whole)).await?
            }
            Err(wharf_storage::Error::NotFound(_) | wharf_storage::Error::Truncated { .. }) => {
                return Err(Error::UploadLost(self.id.clone()));
            }
            appended => appended?,
        };
        let Some((_, progress)) = &mut self.object else { return Ok(None) };
        self.hashing = tap.finish();
        self.received = appended.progress.offset;
        *progress = appended.progress;
        Ok(appended.interrupted)
    }

    /// The server died between the seal and the row, so the object is there, sealed, and longer than the row says. What the
    /// row speaks of is copied to a new object, and the body goes on there. The sealed one is nobody's: the sweep removes it.
    async fn go_on_from_sealed(&mut self, inner: &Inner, body: ByteStream) -> Result<wharf_storage::Appended> {
        let lost = || Error::UploadLost(self.id.clone());
        let Some((sealed, _)) = &self.object else { return Err(lost()) };
        match inner.storage.size(sealed).await {
            Ok(held) if held >= self.received => {}
            Ok(_) | Err(wharf_storage::Error::NotFound(_)) => return Err(lost()),
            Err(error) => return Err(error.into()),
        }
        tracing::info!(upload = self.id, object = %sealed, "going on with an upload whose end was cut off");
        let before = inner.storage.read(sealed, 0..self.received).await?;
        let key = inner.new_object_key();
        let appended = inner.storage.append(&key, &Progress::default(), Box::pin(before.chain(body))).await;
        let appended = match appended {
            Ok(appended) if appended.progress.offset >= self.received => appended,
            Ok(cut) => {
                inner.storage.discard(&key, &cut.progress).await?;
                let why = cut.interrupted.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
                return Err(wharf_storage::Error::Unavailable(why).into());
            }
            Err(error) => {
                inner.storage.discard(&key, &Progress::default()).await?;
                return Err(error.into());
            }
        };
        self.storage = inner.storage.name().to_owned();
        self.object = Some((key, Progress::default()));
        Ok(appended)
    }

    /// The digest of what arrived. Content is read back where an upload to a local storage ends with an algorithm that it did not
    /// announce, or where a client goes on with another's upload and asks for one that was ruled out when it began.
    pub(crate) async fn digest(&self, inner: &Inner, algorithm: Algorithm) -> Result<Digest> {
        if let Some(digest) = self.hashing.digest(algorithm) {
            return Ok(digest);
        }
        let mut hashing = Hashing::new(&[algorithm]);
        hashing.update(&self.tail);
        if let Some((key, progress)) = &self.object {
            inner.storage.seal(key, progress).await?;
            let mut content = inner.storage.read(key, 0..progress.offset).await?;
            while let Some(chunk) = content.try_next().await.map_err(wharf_storage::Error::Unavailable)? {
                hashing.update(&chunk);
            }
        }
        hashing.digest(algorithm).ok_or_else(|| Error::Inconsistent(format!("no {algorithm:?} hash was made")))
    }

    /// The object that holds bytes of this upload, if any does.
    pub(crate) fn unfinished(&self) -> Option<(ObjectKey, Progress)> {
        self.object.clone()
    }

    pub(crate) fn into_blob(self, digest: Digest, storage: &str) -> blobs::Blob {
        let place = match self.object {
            None => blobs::Place::Here(self.tail),
            Some((key, _)) => blobs::Place::Stored { storage: storage.to_owned(), object: key.to_string() },
        };
        blobs::Blob { digest, size: self.received, place }
    }
}

/// A body that stays ours as long as nobody has read of it.
struct Lent {
    body: Mutex<ByteStream>,
    begun: AtomicBool,
}

fn lend(lent: &Arc<Lent>) -> ByteStream {
    let lent = Arc::clone(lent);
    Box::pin(stream::poll_fn(move |context| {
        // Never contended: who was lent it before is done with it.
        let polled = lent.body.lock().poll_next_unpin(context);
        if polled.is_ready() {
            lent.begun.store(true, Relaxed);
        }
        polled
    }))
}
