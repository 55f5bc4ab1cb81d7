//! Where backups go: files with names, unlike a [`Storage`](crate::Storage), whose keys mean nothing.

mod bucket;
mod folder;

use std::io;

use async_trait::async_trait;

use crate::ByteStream;
pub use bucket::BucketDepot;
pub use folder::Folder;

/// Why a depot could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// There is no such file.
    #[error("{0} is not there")]
    NotFound(String),
    /// There is no room left.
    #[error("no room is left: {0}")]
    Full(String),
    /// The body of a file ended early, so nothing of it was kept.
    #[error("{0}")]
    Body(#[source] io::Error),
    /// Somebody else uses it in a way that excludes this.
    #[error("{0}")]
    Busy(String),
    /// What it lies in cannot keep those apart who write to it at once.
    #[error("{0}")]
    Unsuitable(String),
    /// It cannot be reached now. Later it may.
    #[error("{name}: {problem}")]
    Away {
        /// Which file or folder.
        name: String,
        /// What happened.
        problem: String,
    },
    /// The depot failed, or refuses.
    #[error("{name}: {error}")]
    Unavailable {
        /// Which file or folder.
        name: String,
        /// What happened.
        error: io::Error,
    },
}

/// What lies in a folder of a depot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name inside the folder.
    pub name: String,
    /// Size in bytes; `None` for a folder.
    pub size: Option<u64>,
}

/// Files by name. Names are relative, with `/` between their parts, of letters, digits, `-`, `_` and `.` only.
/// Whatever is asked of one that is reached over a network may end with [`DepotError::Away`].
#[async_trait]
pub trait Depot: Send + Sync + 'static {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// Writes a file: all of it or nothing, and when this returns it survives a power cut. Replaces one of the same name. Gives
    /// its size.
    ///
    /// # Errors
    /// [`DepotError::Body`] if `body` errs, [`DepotError::Full`], [`DepotError::Unavailable`].
    async fn put(&self, name: &str, body: ByteStream) -> Result<u64, DepotError>;

    /// Replaces a small file that holds exactly `from`, or is not there where that is `None`. False if it holds something else. Of
    /// several who do this at once to one file one succeeds. There is no removal of this kind: buckets have none.
    ///
    /// # Errors
    /// [`DepotError::Full`], [`DepotError::Unsuitable`], [`DepotError::Unavailable`].
    async fn swap(&self, name: &str, from: Option<&[u8]>, to: &[u8]) -> Result<bool, DepotError>;

    /// Reads a file.
    ///
    /// # Errors
    /// [`DepotError::NotFound`], [`DepotError::Unavailable`].
    async fn get(&self, name: &str) -> Result<ByteStream, DepotError>;

    /// What lies in a folder, in no order; nothing if there is no such folder. The empty name is the depot itself. A folder that has
    /// become empty may still be shown.
    ///
    /// # Errors
    /// [`DepotError::Unavailable`].
    async fn list(&self, folder: &str) -> Result<Vec<Entry>, DepotError>;

    /// Removes a file. One that is not there is passed over.
    ///
    /// # Errors
    /// [`DepotError::Unavailable`].
    async fn remove(&self, name: &str) -> Result<(), DepotError>;

    /// Removes what writes that died have left behind. Nothing else may be writing meanwhile.
    ///
    /// # Errors
    /// [`DepotError::Unavailable`].
    async fn tidy(&self) -> Result<(), DepotError>;
}
