//! A server in this process.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wharf_auth::{Auth, Hashing, InstanceKey};
use wharf_core::{Core, Entropy, Parts, Workers};
use wharf_db::testing::Cluster;
use wharf_db::{Db, Engine};
use wharf_oci::Oci;
use wharf_storage::Storage;
use wharf_storage::fs::Fs;
use wharf_storage::memory::Memory;
use wharf_web::api::Api;
use wharf_web::{App, Listener};
use wharf_wire::{Door, Mounted};

use crate::{Client, TestClock};

/// The administrator's name.
pub const ADMIN: &str = "admin";
/// The administrator's password.
pub const ADMIN_PASSWORD: &str = "correct horse battery staple";

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
            core: wharf_core::Config::default(),
            auth,
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

    /// Without anybody who does jobs.
    #[must_use]
    pub fn without_workers(self) -> Self {
        Self { workers: false, ..self }
    }
}

/// What outlives a restart.
struct Remains {
    options: Options,
    db: Db,
    storage: Arc<dyn Storage>,
    key: InstanceKey,
    clock: TestClock,
    _folder: Option<TempDir>,
}

/// A running server. Dropping it stops it.
pub struct TestServer {
    remains: Remains,
    running: Running,
}

struct Running {
    core: Core,
    app: Arc<App>,
    address: SocketAddr,
    tls: bool,
    workers: Option<Workers>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl TestServer {
    /// Starts one with everything as it is when nothing is said.
    pub async fn start_default() -> Self {
        Self::start(Options::default()).await
    }

    /// Starts one.
    pub async fn start(options: Options) -> Self {
        let (storage, folder) = storage(&options.store);
        let db = Db::open(&database(&options.backend).await).await.expect("a database");
        let (key, clock) = (InstanceKey::generate(), TestClock::default());
        let remains = Remains { options, db, storage, key, clock, _folder: folder };
        let running = Running::start(&remains).await;
        running.core.auth().bootstrap(ADMIN, Some(ADMIN_PASSWORD)).await.expect("an administrator");
        Self { remains, running }
    }

    /// Stops it in an orderly way and starts it again over the same rows and bytes, at another port.
    pub async fn restart(self) -> Self {
        let Self { remains, running } = self;
        running.stop().await;
        let running = Running::start(&remains).await;
        Self { remains, running }
    }

    /// Stops it and waits until it has stopped.
    pub async fn stop(self) {
        self.running.stop().await;
    }

    /// Tells it to stop, without waiting.
    pub fn begin_stop(&mut self) {
        self.running.stop = None;
    }

    /// Waits until it has stopped.
    pub async fn stopped(&mut self) {
        (&mut self.running.served).await.expect("no panic in the listener");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.running.tls { "https" } else { "http" }, self.running.address)
    }

    /// The use cases, past HTTP.
    pub fn core(&self) -> &Core {
        &self.running.core
    }

    /// What answers its requests.
    pub fn app(&self) -> &Arc<App> {
        &self.running.app
    }

    /// Where its bytes go.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.remains.storage
    }

    /// Its database.
    pub fn db(&self) -> &Db {
        &self.remains.db
    }

    /// Its clock.
    pub fn clock(&self) -> &TestClock {
        &self.remains.clock
    }

    /// Nobody.
    pub fn anonymous(&self) -> Client {
        Client::new(self.url())
    }

    /// The administrator.
    pub fn admin(&self) -> Client {
        self.anonymous().with_basic(ADMIN, ADMIN_PASSWORD)
    }
}

impl Running {
    async fn start(remains: &Remains) -> Self {
        let options = &remains.options;
        let clock = remains.clock.clock();
        let doors = (options.doors)();
        let names = doors.iter().map(|door| door.name()).collect();
        let core = Core::new(Parts {
            db: remains.db.clone(),
            storage: Arc::clone(&remains.storage),
            auth: Auth::new(remains.db.clone(), &remains.key, clock.clone(), options.auth.clone()),
            instance_key: remains.key.clone(),
            clock,
            entropy: Entropy::system(),
            formats: doors.iter().map(|door| door.format()).collect(),
            config: options.core.clone(),
        });
        core.bind_storage().await.expect("the storage that belongs to the database");
        let app = App::new(core.clone(), doors, Api::new(names), &options.web).expect("an app");
        let listener = Listener::bind(&options.web).expect("a listener");
        let (address, tls) = (listener.address(), listener.is_tls());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = listener.serve(Arc::clone(&app), async {
            let _ = stopped.await;
        });
        let served = tokio::spawn(async { serving.await.expect("a listener that serves") });
        let workers = options.workers.then(|| core.start_workers());
        Self { core, app, address, tls, workers, stop: Some(stop), served }
    }

    async fn stop(mut self) {
        self.stop = None;
        self.served.await.expect("no panic in the listener");
        if let Some(workers) = self.workers {
            workers.stop().await;
        }
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("address", &self.running.address).finish_non_exhaustive()
    }
}

async fn database(backend: &Backend) -> wharf_db::Config {
    match backend {
        Backend::Sqlite => wharf_db::testing::config(Engine::Sqlite).await,
        Backend::Postgres => wharf_db::testing::config(Engine::Postgres).await,
        Backend::Cluster(cluster) => cluster.database().await,
    }
}

fn storage(store: &Store) -> (Arc<dyn Storage>, Option<TempDir>) {
    match store {
        Store::Memory => (Arc::new(Memory::new()), None),
        Store::Other(storage) => (Arc::clone(storage), None),
        Store::Files => {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let files = Fs::open(folder.path().join("storage")).expect("a storage");
            (Arc::new(files), Some(folder))
        }
    }
}
