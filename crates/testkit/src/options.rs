//! What kind of server a test wants.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use wharf_auth::Hashing;
use wharf_db::Engine;
use wharf_db::testing::Cluster;
use wharf_oci::Oci;
use wharf_storage::Storage;
use wharf_storage::bucket::{self, Bucket};
use wharf_storage::fs::Fs;
use wharf_storage::memory::Memory;
use wharf_wire::{Door, Mounted};

/// Where rows go.
#[derive(Clone, Default)]
pub enum Backend {
    /// A private temporary file.
    #[default]
    Sqlite,
    /// A new database of the cluster that all tests of this program share.
    Postgres,
    /// A new database of a cluster that the test may stop.
    Cluster(Arc<Cluster>),
}

/// Where bytes go.
#[derive(Clone, Default)]
pub enum Store {
    /// Memory.
    #[default]
    Memory,
    /// A temporary folder.
    Files,
    /// A part of the bucket of the S3 server that all tests of this program share.
    Bucket,
    /// A bucket that the test describes.
    BucketAt(Box<bucket::Config>),
    /// A storage of the test's own.
    Other(Arc<dyn Storage>),
}

type Doors = Arc<dyn Fn() -> Vec<Box<dyn Door>> + Send + Sync>;

/// What kind of server.
#[derive(Clone)]
pub struct Options {
    /// Where rows go.
    pub backend: Backend,
    /// Where bytes go.
    pub store: Store,
    /// What formats it has. A function, because a restart makes them again.
    pub doors: Doors,
    /// Listening and answering. The address is chosen by the system.
    pub web: wharf_web::Config,
    /// Limits and intervals of the use cases.
    pub core: wharf_core::Config,
    /// Identity.
    pub auth: wharf_auth::Config,
    /// Where it may write backups.
    pub depot: Option<std::path::PathBuf>,
    /// Whether jobs are done.
    pub workers: bool,
}

impl Default for Options {
    fn default() -> Self {
        let listen = "127.0.0.1:0".parse().expect("an address");
        let auth = wharf_auth::Config {
            // As cheap as Argon2 can be: tests check passwords often and store none.
            hashing: Hashing { memory_kib: 8, passes: 1, at_once: 4 },
            ..wharf_auth::Config::default()
        };
        Self {
            backend: Backend::default(),
            store: Store::default(),
            doors: Arc::new(|| vec![Box::new(Mounted::new(Oci))]),
            web: wharf_web::Config { listen, ..wharf_web::Config::default() },
            // What was noted stays in memory until a test asks for it: a timer must not cut counts in two.
            core: wharf_core::Config { access_flush: Duration::from_secs(3600), ..wharf_core::Config::default() },
            auth,
            depot: None,
            workers: true,
        }
    }
}

impl Options {
    /// Rows and bytes where they are fastest to make, and the OCI format.
    pub fn new() -> Self {
        Self::default()
    }

    /// With rows there.
    #[must_use]
    pub fn backend(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }

    /// With rows in a database of this engine.
    #[must_use]
    pub fn engine(self, engine: Engine) -> Self {
        self.backend(match engine {
            Engine::Sqlite => Backend::Sqlite,
            Engine::Postgres => Backend::Postgres,
        })
    }

    /// With bytes there.
    #[must_use]
    pub fn store(self, store: Store) -> Self {
        Self { store, ..self }
    }

    /// With one more format.
    #[must_use]
    pub fn door(self, make: impl Fn() -> Box<dyn Door> + Send + Sync + 'static) -> Self {
        let others = self.doors;
        let all = move || others().into_iter().chain([make()]).collect();
        Self { doors: Arc::new(all), ..self }
    }

    /// With these settings of the listener.
    #[must_use]
    pub fn web(mut self, set: impl FnOnce(&mut wharf_web::Config)) -> Self {
        set(&mut self.web);
        self
    }

    /// With these settings of the use cases.
    #[must_use]
    pub fn core(mut self, set: impl FnOnce(&mut wharf_core::Config)) -> Self {
        set(&mut self.core);
        self
    }

    /// With these settings of identity.
    #[must_use]
    pub fn auth(mut self, set: impl FnOnce(&mut wharf_auth::Config)) -> Self {
        set(&mut self.auth);
        self
    }

    /// With a folder for backups.
    #[must_use]
    pub fn depot(self, folder: impl Into<std::path::PathBuf>) -> Self {
        Self { depot: Some(folder.into()), ..self }
    }

    /// Without anybody who does jobs.
    #[must_use]
    pub fn without_workers(self) -> Self {
        Self { workers: false, ..self }
    }
}

impl Backend {
    /// How to open a new database there.
    pub(crate) async fn database(&self) -> wharf_db::Config {
        match self {
            Self::Sqlite => wharf_db::testing::config(Engine::Sqlite).await,
            Self::Postgres => wharf_db::testing::config(Engine::Postgres).await,
            Self::Cluster(cluster) => cluster.database().await,
        }
    }
}

impl Store {
    /// The same, but at one place however often it is opened.
    pub(crate) async fn settled(self) -> Self {
        match self {
            Self::Bucket => Self::BucketAt(Box::new(wharf_storage::testing::s3().await.config())),
            settled => settled,
        }
    }

    /// The storage, and the folder that it is in.
    pub(crate) async fn open(&self) -> (Arc<dyn Storage>, Option<TempDir>) {
        match self {
            Self::Bucket => (open_bucket(&wharf_storage::testing::s3().await.config()).await, None),
            Self::BucketAt(config) => (open_bucket(config).await, None),
            Self::Memory => (Arc::new(Memory::new()), None),
            Self::Other(storage) => (Arc::clone(storage), None),
            Self::Files => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let files = Fs::open(folder.path().join("storage")).expect("a storage");
                (Arc::new(files), Some(folder))
            }
        }
    }
}

async fn open_bucket(config: &bucket::Config) -> Arc<dyn Storage> {
    Arc::new(Bucket::open(config, rand::random()).await.expect("a bucket"))
}
