//! Objects in memory: for tests, and for trying Wharf out without leaving anything behind.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use wharf_types::{Clock, Timestamp};

use crate::{Appended, ByteStream, Error, ObjectKey, Progress, Result, Space, Storage, Stored};

/// Bytes a reader is given at a time.
const CHUNK: usize = 256 * 1024;

/// A storage that forgets everything when it is dropped.
#[derive(Debug)]
pub struct Memory {
    objects: Mutex<Objects>,
    capacity: Option<u64>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Objects {
    by_key: BTreeMap<ObjectKey, Object>,
    used: u64,
}

#[derive(Debug)]
struct Object {
    content: Content,
    modified: Timestamp,
}

#[derive(Debug)]
enum Content {
    Unsealed(BytesMut),
    Sealed(Bytes),
}

impl Memory {
    /// A storage without a limit.
    pub fn new() -> Self {
        Self { objects: Mutex::default(), capacity: None, clock: Clock::system() }
    }

    /// A storage that is full when it holds this many bytes, sealed or not.
    pub fn with_capacity(bytes: u64) -> Self {
        Self { capacity: Some(bytes), ..Self::new() }
    }

    /// The same storage with another clock, which tells when objects were last written.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Cuts the object back to where the append begins.
    fn begin(&self, key: &ObjectKey, from: u64) -> Result<()> {
        let objects = &mut *self.objects.lock();
        if from == 0 && !objects.by_key.contains_key(key) {
            let content = Content::Unsealed(BytesMut::new());
            objects.by_key.insert(key.clone(), Object { content, modified: self.clock.now() });
        }
        objects.cut(key, from)
    }

    fn extend(&self, key: &ObjectKey, chunk: &[u8]) -> Result<()> {
        let objects = &mut *self.objects.lock();
        let used = objects.used + chunk.len() as u64;
        if let Some(capacity) = self.capacity.filter(|&capacity| used > capacity) {
            return Err(Error::Full(format!("{used} of {capacity} bytes")));
        }
        let (bytes, modified) = objects.unsealed(key)?;
        bytes.extend_from_slice(chunk);
        *modified = self.clock.now();
        objects.used = used;
        Ok(())
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Objects {
    fn unsealed(&mut self, key: &ObjectKey) -> Result<(&mut BytesMut, &mut Timestamp)> {
        match self.by_key.get_mut(key) {
            Some(Object { content: Content::Unsealed(bytes), modified }) => Ok((bytes, modified)),
            _ => Err(Error::NotFound(key.clone())),
        }
    }

    fn sealed(&self, key: &ObjectKey) -> Result<&Bytes> {
        match self.by_key.get(key) {
            Some(Object { content: Content::Sealed(bytes), .. }) => Ok(bytes),
            _ => Err(Error::NotFound(key.clone())),
        }
    }

    fn cut(&mut self, key: &ObjectKey, length: u64) -> Result<()> {
        let (bytes, _) = self.unsealed(key)?;
        let held = bytes.len() as u64;
        match usize::try_from(length) {
            Ok(length) if length <= bytes.len() => bytes.truncate(length),
            _ => return Err(Error::Truncated { key: key.clone(), expected: length, held }),
        }
        self.used -= held - length;
        Ok(())
    }

    fn forget(&mut self, key: &ObjectKey) {
        if let Some(object) = self.by_key.remove(key) {
            self.used -= object.size();
        }
    }
}

impl Object {
    fn size(&self) -> u64 {
        match &self.content {
            Content::Unsealed(bytes) => bytes.len() as u64,
            Content::Sealed(bytes) => bytes.len() as u64,
        }
    }
}

#[async_trait]
impl Storage for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    /// Ends with the process, so there is never another to take it for.
    fn identity(&self) -> &str {
        "memory"
    }

    async fn append(&self, key: &ObjectKey, from: &Progress, mut body: ByteStream) -> Result<Appended> {
        self.begin(key, from.offset)?;
        let mut offset = from.offset;
        let interrupted = loop {
            match body.next().await {
                Some(Ok(chunk)) => {
                    if let Err(full) = self.extend(key, &chunk) {
                        self.objects.lock().cut(key, from.offset)?;
                        return Err(full);
                    }
                    offset += chunk.len() as u64;
                }
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        Ok(Appended { progress: Progress { offset, state: Vec::new() }, interrupted })
    }

    async fn seal(&self, key: &ObjectKey, at: &Progress) -> Result<()> {
        let objects = &mut *self.objects.lock();
        if let Ok(sealed) = objects.sealed(key) {
            let held = sealed.len() as u64;
            let same = held == at.offset;
            return if same { Ok(()) } else { Err(Error::Truncated { key: key.clone(), expected: at.offset, held }) };
        }
        objects.cut(key, at.offset)?;
        let bytes = std::mem::take(objects.unsealed(key)?.0).freeze();
        objects.by_key.insert(key.clone(), Object { content: Content::Sealed(bytes), modified: self.clock.now() });
        Ok(())
    }

    async fn discard(&self, key: &ObjectKey, _at: &Progress) -> Result<()> {
        let objects = &mut *self.objects.lock();
        if objects.unsealed(key).is_ok() {
            objects.forget(key);
        }
        Ok(())
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<ByteStream> {
        let mut rest = self.objects.lock().sealed(key)?.clone();
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(rest.len());
        let (start, end) = (within(range.start), within(range.end));
        rest = rest.slice(start.min(end)..end);
        let chunks = std::iter::from_fn(move || (!rest.is_empty()).then(|| Ok(rest.split_to(rest.len().min(CHUNK)))));
        Ok(Box::pin(stream::iter(chunks)))
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64> {
        Ok(self.objects.lock().sealed(key)?.len() as u64)
    }

    async fn remove(&self, keys: &[ObjectKey]) -> Result<()> {
        let objects = &mut *self.objects.lock();
        for key in keys {
            if objects.sealed(key).is_ok() {
                objects.forget(key);
            }
        }
        Ok(())
    }

    async fn survey(&self, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Stored>> {
        let objects = self.objects.lock();
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page = objects.by_key.range((after, Bound::Unbounded)).take(limit);
        Ok(page.map(|(key, o)| Stored { key: key.clone(), size: o.size(), modified: o.modified }).collect())
    }

    async fn confirm(&self) -> Result<()> {
        Ok(())
    }

    async fn space(&self) -> Result<Option<Space>> {
        let used = self.objects.lock().used;
        Ok(self.capacity.map(|total| Space { free: total.saturating_sub(used), total }))
    }
}
