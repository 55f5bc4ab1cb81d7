//! Objects as files of one folder.
//!
//! An object grows under `incoming/` and moves to `objects/<2 hex>/` when it is sealed: its bytes are synced, then it is
//! renamed, then its new folder is synced. Two syncs in all, because every folder is made and synced when the storage opens.
//! What a crash leaves is an unsealed file, which [`Storage::survey`] shows to whoever collects such remains.

mod layout;
mod read;
mod survey;
mod write;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::task;

use crate::{Appended, ByteStream, Error, FilePart, ObjectKey, Progress, Result, Space, Storage, Stored};
pub use layout::OpenError;
pub(crate) use read::stream;

/// The storage in a local folder. Only one process at a time has it open.
#[derive(Debug)]
pub struct Fs {
    tree: Tree,
    boot: Boot,
    identity: String,
    /// Removals take turns: on several threads at once they would get more of the processor than those who serve.
    removing: tokio::sync::Mutex<()>,
    // The advisory lock lasts as long as this handle.
    _lock: File,
}

impl Fs {
    /// Opens the storage in `root`, and creates it if nothing is there. Not for async threads: it does file I/O.
    ///
    /// # Errors
    /// [`OpenError`]: another process has it open, it has a layout of another version, or the folder cannot be used.
    pub fn open(root: PathBuf) -> std::result::Result<Self, OpenError> {
        Self::open_in(root, Boot::current())
    }

    fn open_in(root: PathBuf, boot: Boot) -> std::result::Result<Self, OpenError> {
        let tree = Tree { root: root.into() };
        let lock = layout::prepare(&tree)?;
        let identity = layout::identity(&tree)?;
        Ok(Self { tree, boot, identity, removing: tokio::sync::Mutex::default(), _lock: lock })
    }

    /// Runs file I/O where it may block.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Tree) -> Result<T> + Send + 'static) -> Result<T> {
        let tree = self.tree.clone();
        blocking(move || Ok(work(&tree))).await.map_err(failure)?
    }
}

/// Everything that has a path.
#[derive(Debug, Clone)]
struct Tree {
    root: Arc<Path>,
}

#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Lock,
    Version,
    /// A version file that is not whole yet.
    NewVersion,
    Identity,
    NewIdentity,
    Incoming,
    Unsealed(&'a ObjectKey),
    Objects,
    /// One of 256, named by the first two digits of the keys in it.
    Shard(&'a str),
    Sealed(&'a ObjectKey),
}

impl Tree {
    /// The only place that knows where anything lies.
    fn path(&self, place: Place<'_>) -> PathBuf {
        match place {
            Place::Lock => self.root.join("LOCK"),
            Place::Version => self.root.join("VERSION"),
            Place::NewVersion => self.root.join("VERSION.new"),
            Place::Identity => self.root.join("ID"),
            Place::NewIdentity => self.root.join("ID.new"),
            Place::Incoming => self.root.join("incoming"),
            Place::Unsealed(key) => self.path(Place::Incoming).join(key.as_str()),
            Place::Objects => self.root.join("objects"),
            Place::Shard(digits) => self.path(Place::Objects).join(digits),
            Place::Sealed(key) => self.path(Place::Shard(shard(key))).join(key.as_str()),
        }
    }
}

fn shard(key: &ObjectKey) -> &str {
    &key.as_str()[..2]
}

/// Which boot of the machine wrote the unsealed bytes. They are not synced, and after a power cut a file can have its full
/// length with a hole of zeros in it, which the saved hash state would vouch for. So an upload goes on in the boot in which
/// it began, over any number of restarts of Wharf, and not in another one. Empty where the system does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Boot(Vec<u8>);

impl Boot {
    fn current() -> Self {
        let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self(id.trim_ascii().to_vec())
    }

    fn progress(&self, offset: u64) -> Progress {
        Progress { offset, state: self.0.clone() }
    }

    /// Refuses to build on bytes that may have been lost.
    fn vouch(&self, key: &ObjectKey, at: &Progress) -> Result<()> {
        if at.offset == 0 || at.state == self.0 {
            return Ok(());
        }
        Err(Error::Truncated { key: key.clone(), expected: at.offset, held: 0 })
    }
}

#[async_trait]
impl Storage for Fs {
    fn name(&self) -> &str {
        "local"
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn append(&self, key: &ObjectKey, from: &Progress, body: ByteStream) -> Result<Appended> {
        self.boot.vouch(key, from)?;
        let (key, offset) = (key.clone(), from.offset);
        let pen = self.blocking(move |tree| write::open(tree, &key, offset)).await?;
        let (offset, interrupted) = write::append(pen, body).await.map_err(failure)?;
        Ok(Appended { progress: self.boot.progress(offset), interrupted })
    }

    async fn seal(&self, key: &ObjectKey, at: &Progress) -> Result<()> {
        let (key, at, boot) = (key.clone(), at.clone(), self.boot.clone());
        self.blocking(move |tree| write::seal(tree, &key, &at, &boot)).await
    }

    async fn discard(&self, key: &ObjectKey, _at: &Progress) -> Result<()> {
        let key = key.clone();
        self.blocking(move |tree| unlink(&tree.path(Place::Unsealed(&key)))).await
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<ByteStream> {
        let key = key.clone();
        let (file, range) = self.blocking(move |tree| read::open(tree, &key, range)).await?;
        Ok(read::stream(file, range))
    }

    async fn file(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<FilePart>> {
        let (key, end) = (key.clone(), range.end);
        let (file, range) = self.blocking(move |tree| read::open(tree, &key, range)).await?;
        Ok((range.end == end).then(|| FilePart::new(file, range)))
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64> {
        let key = key.clone();
        self.blocking(move |tree| match tree.path(Place::Sealed(&key)).metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(failure_of(&key, error)),
        })
        .await
    }

    // Not synced: what comes back after a power cut has no row, and a survey finds it again.
    async fn remove(&self, keys: &[ObjectKey]) -> Result<()> {
        let (keys, _turn) = (keys.to_vec(), self.removing.lock().await);
        self.blocking(move |tree| keys.iter().try_for_each(|key| unlink(&tree.path(Place::Sealed(key))))).await
    }

    async fn survey(&self, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Stored>> {
        let after = after.cloned();
        self.blocking(move |tree| survey::page(tree, after.as_ref(), limit).map_err(failure)).await
    }

    async fn confirm(&self) -> Result<()> {
        let found = self.blocking(|tree| std::fs::read_to_string(tree.path(Place::Identity)).map_err(failure)).await?;
        if found.trim_end() == self.identity {
            Ok(())
        } else {
            Err(crate::contract::another(&self.tree.root.display()))
        }
    }

    async fn space(&self) -> Result<Option<Space>> {
        let measure = |tree: &Tree| {
            let all = rustix::fs::statvfs(&*tree.root).map_err(|errno| failure(errno.into()))?;
            let bytes = |blocks: u64| blocks.saturating_mul(all.f_frsize);
            Ok(Some(Space { free: bytes(all.f_bavail), total: bytes(all.f_blocks) }))
        };
        self.blocking(measure).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    task::spawn_blocking(work).await.unwrap_or_else(|died| Err(io::Error::other(died)))
}

fn unlink(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failure(error)),
        _ => Ok(()),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn failure(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full(error.to_string()),
        _ => Error::Unavailable(error),
    }
}

fn failure_of(key: &ObjectKey, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound { Error::NotFound(key.clone()) } else { failure(error) }
}

#[cfg(test)]
mod tests;
