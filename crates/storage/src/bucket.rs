//! Objects in a bucket of S3, Google Cloud Storage or Azure, or of what speaks like them.
//!
//! | name, behind the prefix | what |
//! | --- | --- |
//! | `objects/<key>` | a sealed object |
//! | `pending/<key>/<hash>` | a multipart upload that is under way; holds its id |
//! | `WHARF` | version of this layout, and the identity |
//!
//! A large object is a multipart upload under its final name from its sixth mebibyte on: sealing it copies nothing. A smaller one
//! lies in its [`Progress`] until it is sealed with one put. A multipart upload that no progress knows of, because a process
//! died, is found by its name under `pending/`; the moment between its beginning and that name is left to a rule of the bucket
//! that aborts incomplete uploads after days.

pub(crate) mod failure;
mod identity;
pub(crate) mod read;
mod settings;
mod state;
mod survey;
mod write;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::sync::Semaphore;

use crate::{Appended, ByteStream, Error, ObjectKey, Progress, Result, Space, Storage, Stored};
pub use failure::OpenError;
use failure::{failed, failure};
pub use settings::{Config, Kind, Secret};
use state::State;

/// The storage in a bucket. Any number of processes may have it open.
pub struct Bucket {
    door: Arc<dyn Door>,
    /// Signs what clients are sent to, if they are.
    signer: Option<Arc<dyn Door>>,
    names: Names,
    part_size: u32,
    seats: Arc<Semaphore>,
    identity: String,
    /// Whether the provider can be told to forget an upload. Azure cannot: it keeps parts for a week, and would still put them
    /// together.
    aborts: bool,
}

/// What is asked of the library's clients.
pub(crate) trait Door: ObjectStore + MultipartStore + Signer {}

impl<T: ObjectStore + MultipartStore + Signer> Door for T {}

/// The ways to a bucket.
pub(crate) struct Doors {
    /// Ours.
    pub(crate) store: Arc<dyn Door>,
    /// The clients', if they are sent there.
    pub(crate) signer: Option<Arc<dyn Door>>,
}

/// The only place that knows what anything is called.
#[derive(Debug, Clone)]
struct Names {
    prefix: Path,
}

impl Names {
    const OBJECTS: &str = "objects";
    const PENDING: &str = "pending";

    fn new(prefix: &str) -> Self {
        Self { prefix: Path::from(prefix) }
    }

    fn mark(&self) -> Path {
        self.prefix.clone().join("WHARF")
    }

    fn objects(&self) -> Path {
        self.prefix.clone().join(Self::OBJECTS)
    }

    fn object(&self, key: &ObjectKey) -> Path {
        self.objects().join(key.as_str())
    }

    fn all_pending(&self) -> Path {
        self.prefix.clone().join(Self::PENDING)
    }

    fn pending(&self, key: &ObjectKey) -> Path {
        self.all_pending().join(key.as_str())
    }

    /// Of one upload: its id may be of any length and has characters of any kind.
    fn upload(&self, key: &ObjectKey, id: &str) -> Path {
        let hash = wharf_types::Digest::sha256(id.as_bytes());
        self.pending(key).join(&hash.hex()[..16])
    }
}

impl Bucket {
    /// Opens the bucket, and draws its identity if it has none.
    ///
    /// # Errors
    /// [`OpenError`] with the setting that it is about.
    pub async fn open(config: &Config, draw: [u8; 16]) -> std::result::Result<Self, OpenError> {
        let Doors { store: door, signer } = config.connect()?;
        let names = Names::new(&config.prefix);
        let identity = identity::of(&*door, &names, config, draw).await?;
        let parts = usize::try_from(config.upload_memory / u64::from(config.part_size)).unwrap_or(usize::MAX);
        Ok(Self {
            door,
            signer,
            names,
            part_size: config.part_size,
            seats: Arc::new(Semaphore::new(parts.clamp(1, Semaphore::MAX_PERMITS))),
            identity,
            aborts: config.kind != Kind::Azure,
        })
    }
}

#[async_trait]
impl Storage for Bucket {
    /// One name for all of them: a bucket can be moved to another provider as it is.
    fn name(&self) -> &str {
        "bucket"
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn is_begun(&self, at: &Progress) -> bool {
        // Where it cannot be read it is not ours to say: the append will.
        State::is_begun(at)
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn append(&self, key: &ObjectKey, from: &Progress, body: ByteStream) -> Result<Appended> {
        let state = State::read(key, from)?.unwrap_or_else(|| State::new(self.part_size));
        write::append(self, key, state, body).await
    }

    async fn seal(&self, key: &ObjectKey, at: &Progress) -> Result<()> {
        let state = State::read(key, at)?.ok_or_else(|| Error::NotFound(key.clone()))?;
        write::seal(self, key, state).await
    }

    async fn discard(&self, key: &ObjectKey, at: &Progress) -> Result<()> {
        // A progress that cannot be read is no reason to let the bytes lie.
        let known = State::read(key, at).ok().flatten().and_then(|state| state.multipart);
        write::discard(self, key, known.map(|multipart| multipart.id)).await
    }

    async fn read(&self, key: &ObjectKey, range: Range<u64>) -> Result<ByteStream> {
        read::open(Arc::clone(&self.door), self.names.object(key), range).await.map_err(|error| failed(key, &error))
    }

    async fn link(&self, key: &ObjectKey, ttl: Duration) -> Result<Option<String>> {
        let Some(signer) = &self.signer else { return Ok(None) };
        let signed = signer.signed_url(http::Method::GET, &self.names.object(key), ttl).await;
        Ok(Some(signed.map_err(|error| failure(&error))?.into()))
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64> {
        let meta = self.door.head(&self.names.object(key)).await.map_err(|error| failed(key, &error))?;
        Ok(meta.size)
    }

    async fn remove(&self, keys: &[ObjectKey]) -> Result<()> {
        write::remove(self, keys).await
    }

    async fn survey(&self, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Stored>> {
        survey::page(&*self.door, &self.names, after, limit).await
    }

    async fn confirm(&self) -> Result<()> {
        let found = identity::now(&*self.door, &self.names).await.map_err(|error| failure(&error))?;
        if found.as_deref() == Some(&self.identity) { Ok(()) } else { Err(crate::contract::another(&"the bucket")) }
    }

    async fn space(&self) -> Result<Option<Space>> {
        Ok(None)
    }

    async fn ping(&self) -> Result<()> {
        self.door.head(&self.names.mark()).await.map(drop).map_err(|error| failure(&error))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("prefix", &self.names.prefix).finish_non_exhaustive()
    }
}
