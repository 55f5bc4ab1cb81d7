//! A storage that can be told to fail.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use async_trait::async_trait;
use wharf_storage::memory::Memory;
use wharf_storage::{Appended, ByteStream, Error, ObjectKey, Progress, Result, Space, Storage, Stored};

/// Memory that is out of reach while it is told to be.
#[derive(Default)]
pub struct Fragile {
    inner: Memory,
    away: AtomicBool,
    mute: AtomicBool,
}

impl Fragile {
    /// One that works.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Whether everything fails from now on.
    pub fn away(&self, away: bool) {
        self.away.store(away, Relaxed);
    }

    /// Whether what is sealed from now on is sealed, and nobody hears of it: as if the server died then.
    pub fn mute_seals(&self, mute: bool) {
        self.mute.store(mute, Relaxed);
    }

    fn inner(&self) -> Result<&Memory> {
        if self.away.load(Relaxed) {
            Err(Error::Unavailable(io::Error::other("told to fail")))
        } else {
            Ok(&self.inner)
        }
    }
}

#[async_trait]
impl Storage for Fragile {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn identity(&self) -> &str {
        self.inner.identity()
    }

    async fn append(&self, key: &ObjectKey, from: &Progress, body: ByteStream) -> Result<Appended> {
        self.inner()?.append(key, from, body).await
    }

    async fn seal(&self, key: &ObjectKey, at: &Progress) -> Result<()> {
        self.inner()?.seal(key, at).await?;
        if self.mute.load(Relaxed) { Err(Error::Unavailable(io::Error::other("told to be mute"))) } else { Ok(()) }
    }

    async fn discard(&self, key: &ObjectKey, at: &Progress) -> Result<()> {
        self.inner()?.discard(key, at).await
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<ByteStream> {
        self.inner()?.read(key, range).await
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64> {
        self.inner()?.size(key).await
    }

    async fn remove(&self, keys: &[ObjectKey]) -> Result<()> {
        self.inner()?.remove(keys).await
    }

    async fn survey(&self, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Stored>> {
        self.inner()?.survey(after, limit).await
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.inner()?.space().await
    }
}
