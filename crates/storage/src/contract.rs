//! The contract of every storage backend. `tests/contract.rs` holds each of them to it.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use wharf_types::Timestamp;

use crate::{FilePart, ObjectKey};

/// Bytes on their way in or out, in chunks of any size.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What a storage answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a storage could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No object, or no unfinished write, lies under the key.
    #[error("object {0} is not in the storage")]
    NotFound(ObjectKey),
    /// The storage holds fewer bytes of an unfinished write than the progress says: they were lost in a crash.
    #[error("object {key} holds {held} bytes where {expected} were written")]
    Truncated {
        /// Which object.
        key: ObjectKey,
        /// Bytes the progress speaks of.
        expected: u64,
        /// Bytes that are there.
        held: u64,
    },
    /// There is no room left.
    #[error("storage is full: {0}")]
    Full(String),
    /// The storage cannot be reached or failed in a way that may pass.
    #[error("storage is unavailable: {0}")]
    Unavailable(#[source] io::Error),
}

/// How far an object has been written. Opaque to everyone but the backend that made it, save the offset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes accepted so far; the next append continues here.
    pub offset: u64,
    /// What the backend must know to go on (an object store keeps its part list here, files the boot they were written in).
    pub state: Vec<u8>,
}

/// The outcome of an append: what was kept, and whether the body ended as it should.
#[derive(Debug)]
pub struct Appended {
    /// From where the next append continues. Its offset has grown by exactly the bytes that the body yielded, be it to its
    /// end or to its error, so that what hashed the body on its way knows the hash of what was kept.
    pub progress: Progress,
    /// The error with which the body ended early; the kept bytes are usable all the same.
    pub interrupted: Option<io::Error>,
}

/// An object as a survey finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
}

/// Room in the storage, where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that can still be written.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// The form in which a survey tells time. Before 1970 is 1970.
pub(crate) fn moment(time: SystemTime) -> Timestamp {
    Timestamp::from_millis(0).after(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// What is there now is not what was opened.
pub(crate) fn another(place: &dyn std::fmt::Display) -> Error {
    Error::Unavailable(io::Error::other(format!("{place} is not the storage that was opened")))
}

/// A place for bytes. Every method may be called from many tasks at once; two writers of one key never occur,
/// because the catalog hands a write to one of them by compare-and-swap.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The name under which blob rows point here.
    fn name(&self) -> &str;

    /// What tells this storage from every other of its kind, drawn when it was made. The catalog remembers it, so that a catalog
    /// is never used with another's objects, which it would take for rubbish.
    fn identity(&self) -> &str;

    /// Whether bytes of this progress lie under their key. Where none do, the progress itself holds them all, and a request that
    /// goes on from it draws a new key: then two requests that go on from one point, on two replicas, never write one object.
    fn is_begun(&self, _at: &Progress) -> bool {
        true
    }

    /// Whether what is read may be other bytes than were written, as on the far side of a network that nobody here looks after.
    /// Then whoever hands content out compares it with its digest. A local disk is left to the scrub.
    fn is_remote(&self) -> bool {
        false
    }

    /// Appends `body` at `from.offset` of the unsealed object `key`; `Progress::default()` begins it. Bytes beyond
    /// `from.offset`, left by a request that died, are cut off first. When the body errs, what came before it is kept
    /// and [`Appended::interrupted`] says so.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::NotFound`] if less than `from.offset` is there, or it is sealed: known before the body is
    /// asked for anything, save where another process takes it away meanwhile. [`Error::Full`], [`Error::Unavailable`].
    /// After the last two the object is where `from` says; a caller that does not go on from there discards it.
    async fn append(&self, key: &ObjectKey, from: &Progress, body: ByteStream) -> Result<Appended>;

    /// Makes exactly the first `at.offset` bytes durable and readable: when this returns, a power cut loses nothing.
    /// Sealing a sealed object again is not an error, so that a commit can be retried.
    ///
    /// Of two requests that went on from the same point of a begun object, one may seal what the other appended, if it is as
    /// long. So whoever appends to a begun object and seals it makes the progress known in between, by compare-and-swap.
    ///
    /// # Errors
    /// As [`Storage::append`], but after [`Error::Full`] and [`Error::Unavailable`] the object may be gone: what could not
    /// be made durable once is not trusted a second time.
    async fn seal(&self, key: &ObjectKey, at: &Progress) -> Result<()>;

    /// Forgets an unsealed object. That it is not there is not an error.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn discard(&self, key: &ObjectKey, at: &Progress) -> Result<()>;

    /// Reads a range of a sealed object as a stream. A range beyond the end yields what is there.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<ByteStream>;

    /// The range of a sealed object as a part of a file, where it lies in one of this machine and the whole range is there.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    async fn file(&self, _key: &ObjectKey, _range: Range<u64>) -> Result<Option<FilePart>> {
        Ok(None)
    }

    /// Where the clients themselves may fetch a sealed object for the next `ttl`, with GET and without credentials. `None`: here
    /// only. That the object is there is not looked up.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it could not be signed.
    async fn link(&self, _key: &ObjectKey, _ttl: Duration) -> Result<Option<String>> {
        Ok(None)
    }

    /// Size of a sealed object in bytes.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    async fn size(&self, key: &ObjectKey) -> Result<u64>;

    /// Removes sealed objects. Those that are not there are passed over.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; some of them may be gone then.
    async fn remove(&self, keys: &[ObjectKey]) -> Result<()>;

    /// Up to `limit` objects with keys after `after`, in key order, unsealed ones included: for finding what no row points at.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn survey(&self, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Stored>>;

    /// Room left, or `None` where there is no such limit.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn space(&self) -> Result<Option<Space>>;

    /// Asks the place itself, past everything that is remembered, whether it is still the storage that was opened: a volume that
    /// is not mounted and a bucket that was put away have none of the objects either, and nothing follows from that.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it is not, or does not answer.
    async fn confirm(&self) -> Result<()>;

    /// Whether it answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn ping(&self) -> Result<()> {
        self.space().await.map(drop)
    }
}
