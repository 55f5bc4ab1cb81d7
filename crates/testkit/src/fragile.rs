//! A storage that can be told to fail.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use async_trait::async_trait;
use futures_util::stream;
use std::sync::Mutex;
use wharf_storage::memory::Memory;
use wharf_storage::{Appended, ByteStream, Error, ObjectKey, Progress, Result, Space, Storage, Stored};

/// Memory that is out of reach while it is told to be.
#[derive(Default)]
pub struct Fragile {
    inner: Memory,
    away: AtomicBool,
    mute: AtomicBool,
    empty: AtomicBool,
    another: AtomicBool,
    torn: Mutex<Option<ObjectKey>>,
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

    /// Whether no object is found from now on, as where a volume is not mounted; and whether it is `another` storage that has
    /// none of them.
    pub fn empty(&self, empty: bool, another: bool) {
        self.empty.store(empty, Relaxed);
        self.another.store(another, Relaxed);
    }

    /// Breaks off whoever reads this object.
    pub fn tear(&self, object: &ObjectKey) {
        *self.torn.lock().expect("no panic") = Some(object.clone());
    }

    /// Hands out every object again.
    pub fn mend(&self) {
        *self.torn.lock().expect("no panic") = None;
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
        let inner = self.inner()?;
        if self.empty.load(Relaxed) {
            return Err(Error::NotFound(key.clone()));
        }
        let content = inner.read(key, range).await?;
        if self.torn.lock().expect("no panic").as_ref() == Some(key) {
            let broken = stream::once(async { Err(io::Error::other("told to break off")) });
            return Ok(Box::pin(broken));
        }
        Ok(content)
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

    async fn confirm(&self) -> Result<()> {
        self.inner()?;
        if self.another.load(Relaxed) {
            return Err(Error::Unavailable(io::Error::other("told to be another storage")));
        }
        Ok(())
    }

    async fn space(&self) -> Result<Option<Space>> {
        self.inner()?.space().await
    }
}
