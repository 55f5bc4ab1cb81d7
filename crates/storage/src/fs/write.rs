//! Writing an object: appending to it, and sealing it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Seek as _, SeekFrom, Write as _};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use rustix::fs::{Advice, fadvise};
use tokio::task::{self, JoinHandle};

use super::{Boot, Place, Tree, blocking, failure, failure_of, sync_folder};
use crate::{ByteStream, Error, ObjectKey, Progress, Result};

/// Bytes written at a time. Two such batches are in memory for each append: one arrives while the other is written.
const BATCH: usize = 512 * 1024;

/// Chunks in a batch at most; `writev` takes 1024.
const BATCH_CHUNKS: usize = 1024;

/// Bytes that are worth setting the disk to work for.
const WINDOW: u64 = 16 * 1024 * 1024;

/// Opens the object for an append at `offset` and cuts off what is beyond.
pub(super) fn open(tree: &Tree, key: &ObjectKey, offset: u64) -> Result<Pen> {
    let path = tree.path(Place::Unsealed(key));
    let mut file = open_unsealed(&path, offset == 0).map_err(|error| failure_of(key, error))?;
    cut(&file, key, offset)?;
    file.seek(SeekFrom::Start(offset)).map_err(failure)?;
    let (file, drain) = (Arc::new(file), Drain { path, until: offset, running: None });
    Ok(Pen { file, batch: Vec::new(), gathered: 0, at: offset, writing: None, drain })
}

/// Writes the body. Answers where it ended and the error with which it did.
pub(super) async fn append(mut pen: Pen, mut body: ByteStream) -> io::Result<(u64, Option<io::Error>)> {
    let from = pen.at;
    let mut offset = from;
    let written = loop {
        match body.next().await {
            Some(Ok(chunk)) => {
                offset += chunk.len() as u64;
                if let Err(error) = pen.put(chunk).await {
                    break Err(error);
                }
            }
            Some(Err(error)) => break pen.finish().await.map(|()| Some(error)),
            None => break pen.finish().await.map(|()| None),
        }
    };
    if written.is_err() {
        // The bytes count for nothing now: give their room back at once.
        let file = Arc::clone(&pen.file);
        blocking(move || file.set_len(from)).await.ok();
    }
    written.map(|interrupted| (offset, interrupted))
}

/// Gathers chunks into batches and writes one while the next gathers. A blocking thread is taken for a batch and not for the
/// whole append: clients may be slow, and those threads are few.
pub(super) struct Pen {
    file: Arc<File>,
    batch: Vec<Bytes>,
    gathered: usize,
    at: u64,
    writing: Option<JoinHandle<io::Result<()>>>,
    drain: Drain,
}

impl Pen {
    async fn put(&mut self, chunk: Bytes) -> io::Result<()> {
        if !chunk.is_empty() {
            self.gathered += chunk.len();
            self.batch.push(chunk);
        }
        if self.gathered >= BATCH || self.batch.len() >= BATCH_CHUNKS { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.wait().await?;
        self.drain.advance(self.at);
        let (file, batch) = (Arc::clone(&self.file), std::mem::take(&mut self.batch));
        self.at += self.gathered as u64;
        self.gathered = 0;
        self.writing = Some(task::spawn_blocking(move || write_all(&file, &batch)));
        Ok(())
    }

    async fn wait(&mut self) -> io::Result<()> {
        match self.writing.take() {
            Some(writing) => writing.await.unwrap_or_else(|died| Err(io::Error::other(died))),
            None => Ok(()),
        }
    }

    async fn finish(&mut self) -> io::Result<()> {
        if !self.batch.is_empty() {
            self.flush().await?;
        }
        self.wait().await
    }
}

/// Sets the disk to work while the body still arrives, so that the sync at the end finds most of it done. It is advice: that
/// it fails does not matter, and nobody waits for it.
struct Drain {
    // It opens the file by itself, because the writer's handle is also its lock.
    path: PathBuf,
    until: u64,
    running: Option<JoinHandle<()>>,
}

impl Drain {
    /// Begins another window if one is full and the last one is done; while the disk is behind, the next window grows.
    fn advance(&mut self, written: u64) {
        let busy = self.running.as_ref().is_some_and(|running| !running.is_finished());
        let window = NonZeroU64::new(written - self.until).filter(|window| window.get() >= WINDOW);
        let (Some(window), false) = (window, busy) else { return };
        let (path, from) = (self.path.clone(), self.until);
        self.until = written;
        // The advice queues dirty pages for the disk and drops only clean ones, so readers still find these in memory.
        self.running = Some(task::spawn_blocking(move || {
            if let Ok(file) = File::open(path) {
                fadvise(file, from, Some(window), Advice::DontNeed).ok();
            }
        }));
    }
}

fn write_all(mut file: &File, batch: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = batch.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the first `at.offset` bytes of the object durable under its final name.
pub(super) fn seal(tree: &Tree, key: &ObjectKey, at: &Progress, boot: &Boot) -> Result<()> {
    let unsealed = tree.path(Place::Unsealed(key));
    let file = match open_unsealed(&unsealed, false) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return seal_again(tree, key, at.offset),
        Err(error) => return Err(failure(error)),
    };
    boot.vouch(key, at)?;
    cut(&file, key, at.offset)?;
    // The data sync covers the length too: without it the data could not be found again.
    file.sync_data().map_err(|error| give_up(&unsealed, error))?;
    let sealed = tree.path(Place::Sealed(key));
    fs::rename(&unsealed, &sealed).map_err(failure)?;
    sync_shard(tree, key).map_err(|error| give_up(&sealed, error))
}

/// A sync that failed must not be tried again: the kernel reports lost pages once and calls them clean afterwards. Nothing
/// points at the object yet, so it goes, and the client sends it anew.
fn give_up(path: &Path, error: io::Error) -> Error {
    tracing::error!(%error, path = %path.display(), "object could not be synced and is removed");
    fs::remove_file(path).ok();
    failure(error)
}

/// The answer of a first seal may have been lost between its rename and its last sync, so that one is repeated.
fn seal_again(tree: &Tree, key: &ObjectKey, expected: u64) -> Result<()> {
    let held = tree.path(Place::Sealed(key)).metadata().map_err(|error| failure_of(key, error))?.len();
    if held != expected {
        return Err(Error::Truncated { key: key.clone(), expected, held });
    }
    sync_shard(tree, key).map_err(failure)
}

fn sync_shard(tree: &Tree, key: &ObjectKey) -> io::Result<()> {
    sync_folder(&tree.path(Place::Shard(super::shard(key))))
}

/// Opens the file for one writer. An append that was dropped may still have a batch on its way to the disk, which would land
/// among the bytes of the next one: whoever comes too early is told to come again.
fn open_unsealed(path: &Path, create: bool) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(create).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "the object is being written"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Cuts the file to `length`, which it must have.
fn cut(file: &File, key: &ObjectKey, length: u64) -> Result<()> {
    let held = file.metadata().map_err(failure)?.len();
    if held < length {
        return Err(Error::Truncated { key: key.clone(), expected: length, held });
    }
    if held > length { file.set_len(length).map_err(failure) } else { Ok(()) }
}
