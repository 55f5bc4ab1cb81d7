//! A depot in a bucket.
//!
//! | name, behind the prefix | what |
//! | --- | --- |
//! | `<name>` | a file |
//! | `unfinished/<random>` | a multipart upload that is under way: its name and its id; or a probe |
//!
//! A file is one put, or a multipart upload, which is there as a whole or not at all. A swap is a put on a condition. Not every store
//! that takes conditions keeps to them, so it is tried out before the first swap.

mod conditions;
mod put;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use tokio::sync::OnceCell;

use super::{Depot, DepotError, Entry};
use crate::ByteStream;
use crate::bucket::failure::{is_full, said};
use crate::bucket::{Config, Door, Kind, OpenError, read};

/// Where it is said what is not whole yet.
const UNFINISHED: &str = "unfinished";

/// A depot in a bucket of S3, Google Cloud Storage or Azure. Any number of processes may have it open.
#[derive(Clone)]
pub struct BucketDepot {
    door: Arc<dyn Door>,
    config: Arc<Config>,
    prefix: Path,
    /// Filled when the store was seen to keep to conditions.
    tried: Arc<OnceCell<()>>,
}

impl BucketDepot {
    /// The depot behind the prefix of `config`. Nothing is asked of the store yet.
    ///
    /// # Errors
    /// [`OpenError`] with the setting that is wrong.
    pub fn new(config: Config) -> Result<Self, OpenError> {
        let (door, prefix) = (config.connect()?.store, Path::from(config.prefix.as_str()));
        Ok(Self { door, config: Arc::new(config), prefix, tried: Arc::default() })
    }

    /// The depot in a folder of this one.
    #[must_use]
    pub fn below(&self, folder: &str) -> Self {
        let prefix = Path::from_iter(self.prefix.parts().chain(Path::from(folder).parts()));
        Self { prefix, ..self.clone() }
    }

    /// Finds out whether the store can be used, and keeps apart those who write one file at once.
    ///
    /// # Errors
    /// [`OpenError::Unconditional`] if it does not; else why that is not known.
    pub async fn probe(&self) -> Result<(), OpenError> {
        let probe = || conditions::probe(&*self.door, self.path(UNFINISHED), &self.config);
        self.tried.get_or_try_init(probe).await.map(drop)
    }

    fn path(&self, name: &str) -> Path {
        Path::from_iter(self.prefix.parts().chain(Path::from(name).parts()))
    }

    fn failure(&self, name: &str, error: &StoreError) -> DepotError {
        let said = said(error);
        match error {
            StoreError::NotFound { .. } => DepotError::NotFound(format!("{name} in {}", self.place())),
            _ if is_full(&said) => DepotError::Full(said),
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
                DepotError::Unavailable { name: self.place(), error: std::io::Error::other(said) }
            }
            _ => DepotError::Away { name: format!("{name} in {}", self.place()), problem: said },
        }
    }
}

#[async_trait]
impl Depot for BucketDepot {
    fn place(&self) -> String {
        let scheme = match self.config.kind {
            Kind::S3 => "s3",
            Kind::Gcs => "gs",
            Kind::Azure => "az",
        };
        format!("{scheme}://{}/{}", self.config.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    async fn put(&self, name: &str, body: ByteStream) -> Result<u64, DepotError> {
        put::put(self, name, body).await
    }

    async fn swap(&self, name: &str, from: Option<&[u8]>, to: &[u8]) -> Result<bool, DepotError> {
        self.probe().await.map_err(|error| match error {
            OpenError::Unconditional(_) => DepotError::Unsuitable(format!("{}: {error}", self.place())),
            _ => DepotError::Away { name: self.place(), problem: error.to_string() },
        })?;
        let swapped = conditions::swap(&*self.door, &self.path(name), from, to).await;
        swapped.map_err(|error| self.failure(name, &error))
    }

    async fn get(&self, name: &str) -> Result<ByteStream, DepotError> {
        let opened = read::open(Arc::clone(&self.door), self.path(name), 0..u64::MAX).await;
        opened.map_err(|error| self.failure(name, &error))
    }

    async fn list(&self, folder: &str) -> Result<Vec<Entry>, DepotError> {
        let path = self.path(folder);
        let listed = self.door.list_with_delimiter(Some(&path)).await;
        let listed = listed.map_err(|error| self.failure(folder, &error))?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        // Some stores show an empty folder as a file in itself.
        let files = listed.objects.iter().filter(|file| file.location != path);
        let files = files.filter_map(|file| Some(Entry { name: name(&file.location)?, size: Some(file.size) }));
        let folders = listed.common_prefixes.iter().filter_map(|path| Some(Entry { name: name(path)?, size: None }));
        let seen = |entry: &Entry| !(folder.is_empty() && entry.name == UNFINISHED);
        Ok(files.chain(folders).filter(seen).collect())
    }

    async fn remove(&self, name: &str) -> Result<(), DepotError> {
        match self.door.delete(&self.path(name)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failure(name, &error)),
        }
    }

    async fn tidy(&self) -> Result<(), DepotError> {
        put::tidy(self).await
    }
}

impl fmt::Debug for BucketDepot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketDepot").field("place", &self.place()).finish_non_exhaustive()
    }
}
