//! A server in this process.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wharf_auth::{Auth, InstanceKey, bind_instance_key};
use wharf_core::backup::{self, Finding, Progress, Pruned, RestoreTarget, Snapshot, Verified};
use wharf_core::{Core, Depot, Depots, Entropy, Parts, Workers};
use wharf_db::catalog::jobs;
use wharf_db::{Db, Durability};
use wharf_storage::{Folder, Storage};
use wharf_types::Clock;
use wharf_web::api::Api;
use wharf_web::{App, Listener};

use crate::{Client, Meddler, Options, Store, TestClock, log};

/// The administrator's name.
pub const ADMIN: &str = "admin";
/// The administrator's password.
pub const ADMIN_PASSWORD: &str = "correct horse battery staple";

/// What outlives a restart.
struct Remains {
    options: Options,
    database: wharf_db::Config,
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
    pub async fn start(mut options: Options) -> Self {
        log::begin();
        options.store = options.store.settled().await;
        let (storage, folder) = options.store.open().await;
        let database = options.backend.database().await;
        let db = Db::open(&database).await.expect("a database");
        let (key, clock) = (InstanceKey::generate(), TestClock::default());
        let remains = Remains { options, database, db, storage, key, clock, _folder: folder };
        let running = Running::start(&remains).await;
        running.core.auth().bootstrap(ADMIN, Some(ADMIN_PASSWORD)).await.expect("an administrator");
        Self { remains, running }
    }

    /// Starts another server over the same PostgreSQL database and the same bucket.
    pub async fn replica(&self) -> Self {
        let remains = &self.remains;
        assert!(
            matches!(
                (&remains.database, &remains.options.store),
                (wharf_db::Config::Postgres { .. }, Store::BucketAt(_))
            ),
            "only servers on PostgreSQL and a bucket have replicas"
        );
        let (storage, folder) = remains.options.store.open().await;
        let remains = Remains {
            options: remains.options.clone(),
            database: remains.database.clone(),
            db: Db::open(&remains.database).await.expect("a database"),
            storage,
            key: remains.key.clone(),
            clock: remains.clock.clone(),
            _folder: folder,
        };
        let running = Running::start(&remains).await;
        Self { remains, running }
    }

    /// Stops it in an orderly way and starts it again over the same rows and bytes, at another port.
    pub async fn restart(self) -> Self {
        let Self { remains, running } = self;
        running.stop().await;
        let running = Running::start(&remains).await;
        Self { remains, running }
    }

    /// Writes a snapshot into a folder, while it serves.
    pub async fn back_up(&self, folder: &Path) -> Snapshot {
        self.try_back_up(folder).await.expect("a backup")
    }

    /// The same, which may fail.
    ///
    /// # Errors
    /// Those of the backup.
    pub async fn try_back_up(&self, folder: &Path) -> wharf_core::Result<Snapshot> {
        self.back_up_to(&(Arc::new(Folder::new(folder)) as Arc<dyn Depot>)).await
    }

    /// The same, to any place.
    ///
    /// # Errors
    /// Those of the backup.
    pub async fn back_up_to(&self, depot: &Arc<dyn Depot>) -> wharf_core::Result<Snapshot> {
        let run = hex::encode(rand::random::<[u8; 4]>());
        self.core().back_up(depot, &run, &Progress::default()).await
    }

    /// Writes a snapshot while somebody else meddles: before each file is written.
    ///
    /// # Errors
    /// Those of the backup.
    pub async fn back_up_beside(
        &self,
        folder: &Path,
        meddle: impl Fn(String) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> wharf_core::Result<Snapshot> {
        self.back_up_to(&Meddler::over(Arc::new(Folder::new(folder)), meddle)).await
    }

    /// Keeps the newest snapshot in a folder.
    ///
    /// # Errors
    /// Those of the prune.
    pub async fn prune(folder: &Path, clock: &TestClock) -> wharf_core::Result<Pruned> {
        let depot: Arc<dyn Depot> = Arc::new(Folder::new(folder));
        backup::prune(&depot, 1, &clock.clock()).await
    }

    /// What is wrong with the backups in a folder.
    pub async fn verify(folder: &Path) -> Vec<Finding> {
        Self::verify_at(&(Arc::new(Folder::new(folder)) as Arc<dyn Depot>)).await
    }

    /// What is wrong with the backups in any place.
    pub async fn verify_at(depot: &Arc<dyn Depot>) -> Vec<Finding> {
        Self::try_verify_at(depot).await.expect("a folder that can be read").findings
    }

    /// The same, which may fail.
    ///
    /// # Errors
    /// Those of the check.
    pub async fn try_verify_at(depot: &Arc<dyn Depot>) -> wharf_core::Result<Verified> {
        backup::verify(depot, &Clock::system(), &Progress::default()).await
    }

    /// Another server, on rows and bytes of its own, filled from the newest snapshot in a folder.
    pub async fn restored(&self, options: Options, folder: &Path) -> Self {
        self.restored_from(options, &(Arc::new(Folder::new(folder)) as Arc<dyn Depot>)).await
    }

    /// The same, from any place.
    pub async fn restored_from(&self, options: Options, depot: &Arc<dyn Depot>) -> Self {
        self.restored_to(options, depot, None).await
    }

    /// The same, from the snapshot of this id.
    pub async fn restored_to(&self, options: Options, depot: &Arc<dyn Depot>, id: Option<&str>) -> Self {
        let snapshot = backup::find(depot, id).await.expect("a snapshot");
        let (storage, files) = options.store.open().await;
        let database = options.backend.database().await;
        let db = Db::open_at(&database, snapshot.schema).await.expect("a database");
        let (key, clock) = (self.remains.key.clone(), self.remains.clock.clone());
        bind_instance_key(&db, Some(&key), &clock.clock()).await.expect("a key");
        let target = RestoreTarget {
            db: db.clone(),
            storage: Arc::clone(&storage),
            clock: clock.clock(),
            entropy: Entropy::system(),
            allow_missing: false,
            without_sealed: false,
        };
        backup::restore(&target, depot, &snapshot, &Progress::default()).await.expect("a restore");
        let remains = Remains { options, database, db, storage, key, clock, _folder: files };
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

    /// Takes away the one object of more than `size` bytes, so that nobody can read it.
    pub async fn lose_the_one_above(&self, size: u64) {
        let objects = self.storage().survey(None, 100).await.expect("a survey");
        let large: Vec<_> = objects.into_iter().filter(|object| object.size > size).map(|object| object.key).collect();
        assert_eq!(large.len(), 1);
        self.storage().remove(&large).await.expect("to be removed");
    }

    /// Puts other bytes into every row of a blob that holds its bytes.
    pub async fn spoil_rows(&self) {
        let spoilt = self.db().write(Durability::Full, b"spoilt".to_vec(), |tx, bytes| {
            Box::pin(
                async move { tx.execute("UPDATE blobs SET content = ?1 WHERE content IS NOT NULL", &[bytes]).await },
            )
        });
        spoilt.await.expect("a database");
    }

    /// Gives what the tag `v1` names `count` more tags: `tag-1` and so on.
    pub async fn tag_often(&self, count: i64) {
        let tagged = self.db().write(Durability::Full, count, |tx, count| {
            Box::pin(async move {
                let sql = "INSERT INTO tags (repository_id, name, digest, updated_at)
                           WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                           SELECT t.repository_id, 'tag-' || CAST(n.i AS TEXT), t.digest, t.updated_at FROM tags t, n
                           WHERE t.name = 'v1'";
                tx.execute(sql, &[count]).await
            })
        });
        tagged.await.expect("a database");
    }

    /// Does `sql` in the database, past the use cases.
    pub async fn execute(&self, sql: &'static str) {
        let done = self
            .db()
            .write(Durability::Full, sql, |tx, sql| Box::pin(async move { tx.execute(sql, &[]).await.map(drop) }));
        done.await.expect("a database");
    }

    /// How many rows `sql` counts.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let counted = self.db().read(&sql, |tx, sql| {
            Box::pin(async move { tx.query_opt(sql, &[]).await?.map_or(Ok(-1), |row| row.get(0)) })
        });
        let counted: wharf_db::Result<i64> = counted.await;
        counted.expect("a database")
    }

    /// Ends the leases of a worker's jobs, as when its process has stood still for too long.
    pub async fn end_leases(&self, holder: &str) {
        for job in self.core().jobs(false, 0, 1000).await.expect("jobs") {
            let args = (job.id, holder.to_owned());
            let ended = self.db().write(Durability::Relaxed, args, |tx, (id, holder)| {
                Box::pin(jobs::heartbeat(tx, *id, holder, Duration::ZERO))
            });
            ended.await.expect("a database");
        }
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

fn depots(folder: Option<PathBuf>) -> Depots {
    Arc::new(move |to| match &folder {
        Some(folder) => Ok(Arc::new(Folder::new(folder.join(to)))),
        None => Err("no place for backups is configured".to_owned()),
    })
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
            depots: depots(options.depot.clone()),
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
