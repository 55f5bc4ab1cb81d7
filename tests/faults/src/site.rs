//! Where the servers of a run stand: on files and SQLite, or on what several of them share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::{Rng, RngExt as _};
use tokio::sync::{Mutex, watch};
use wharf_db::testing::Cluster;
use wharf_storage::bucket::Config;
use wharf_storage::testing::StoreServer;

use crate::book::Waits;
use crate::process::{Launch, Running};

/// The administrator's password.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

const UNREFERENCED: Duration = Duration::from_secs(3);
/// Longer than a client here needs from its first layer to its manifest, kills included.
const GRACE: Duration = Duration::from_secs(30);

/// Short enough that entries expire within a run.
const BIN: Duration = Duration::from_secs(20);

/// From a connection's break to the news that its server was killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the servers store in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum On {
    /// One server with local files and SQLite.
    FilesSqlite,
    /// One server with local files and PostgreSQL.
    FilesPostgres,
    /// Two servers on one PostgreSQL and one bucket of an S3 server.
    S3Postgres,
    /// Two servers on one PostgreSQL, for what lies in rows: their storages are two halves of one, and only for tests.
    Replicas,
}

/// The servers of a run.
pub(crate) struct Site {
    /// What they store in.
    pub(crate) on: On,
    /// Their folder: logs, and what is local.
    pub(crate) folder: PathBuf,
    replicas: Vec<Replica>,
    cluster: Option<Arc<Cluster>>,
    bucket: Option<Config>,
    bin: bool,
    _s3: Option<StoreServer>,
}

struct Replica {
    launch: Mutex<Launch>,
    running: Mutex<Option<Running>>,
    url: watch::Sender<Option<Arc<str>>>,
    generation: AtomicU64,
}

/// Says to a server which bucket is its storage.
fn store_in(launch: &mut Launch, bucket: &Config) {
    for (key, value) in [
        ("kind", "s3"),
        ("bucket", &bucket.bucket),
        ("prefix", &bucket.prefix),
        ("endpoint", bucket.endpoint.as_deref().unwrap_or_default()),
        ("region", bucket.region.as_deref().unwrap_or_default()),
        ("path_style", "true"),
        ("access_key", bucket.access_key.as_deref().unwrap_or_default()),
        ("secret_key", bucket.secret_key.as_ref().map_or("", |secret| &secret.0)),
        ("allow_http", "true"),
    ] {
        launch.set(&format!("storage.{key}"), value);
    }
}

/// The name under which a server's connections are found in the database.
fn session(index: usize, generation: u64) -> String {
    format!("wharf-{index}-{generation}")
}

impl Site {
    /// Makes the place; nothing runs yet.
    pub(crate) async fn new(program: &Path, on: On) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("wharf-faults-").tempdir()?.keep();
        let mut launch = Launch {
            program: std::path::absolute(program)?,
            home: folder.clone(),
            data: folder.join("data"),
            log: folder.join("server-0.log"),
            settings: std::collections::BTreeMap::new(),
        };
        launch.set("admin.password", PASSWORD);
        launch.set("metrics.public", "true");
        launch.set("log.access", "failures");
        // Collection and sweeps run all the time, and take what is old by the measure of a run.
        for (key, value) in [
            ("retention.unreferenced", UNREFERENCED),
            ("collection.grace", GRACE),
            ("collection.wait", Duration::from_secs(1)),
            ("jobs.poll", Duration::from_millis(200)),
            ("sweep.interval", Duration::from_secs(5)),
            ("sweep.grace", Duration::from_secs(120)),
            ("retention.orphans", Duration::from_secs(1)),
        ] {
            launch.set(key, format!("{}ms", value.as_millis()));
        }
        let example = launch.command(&["config", "example"]).output().await?.stdout;
        let example = String::from_utf8_lossy(&example).into_owned();
        let backups = folder.join("backups");
        for (key, value) in [
            ("retention.bin", format!("{}ms", BIN.as_millis())),
            ("backup.path", backups.display().to_string()),
            ("scrub.interval", "10s".to_owned()),
        ] {
            // Older builds of the server refuse what they do not know.
            let variable = format!("WHARF_{}", key.replace('.', "_").to_uppercase());
            if example.contains(&variable) {
                launch.set(key, value);
            }
        }
        let bin = launch.settings.contains_key("WHARF_RETENTION_BIN");
        let mut cluster = None;
        if on != On::FilesSqlite {
            let started = tokio::task::spawn_blocking(Cluster::start).await?;
            let wharf_db::Config::Postgres { url, .. } = started.database().await else {
                anyhow::bail!("a cluster has databases of PostgreSQL")
            };
            launch.set("database.url", url);
            cluster = Some(Arc::new(started));
        }
        let (mut s3, mut bucket) = (None, None);
        if on == On::S3Postgres {
            let server = StoreServer::s3().await;
            let config = server.config();
            store_in(&mut launch, &config);
            (s3, bucket) = (Some(server), Some(config));
        }
        let mut launches = vec![launch];
        if matches!(on, On::Replicas | On::S3Postgres) {
            let mut second = launches[0].clone();
            second.data = folder.join("second");
            second.log = folder.join("server-1.log");
            launches.push(second);
        }
        let replica = |launch| Replica {
            launch: Mutex::new(launch),
            running: Mutex::new(None),
            url: watch::Sender::new(None),
            generation: AtomicU64::new(0),
        };
        Ok(Self { on, folder, replicas: launches.into_iter().map(replica).collect(), cluster, bucket, bin, _s3: s3 })
    }

    /// What the servers are told to wait.
    pub(crate) fn waits(&self) -> Waits {
        Waits { unreferenced: UNREFERENCED, grace: GRACE }
    }

    /// How many servers there are.
    pub(crate) fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// The cluster, where there is one.
    pub(crate) fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_deref()
    }

    /// Whether this build of the server has a recycle bin.
    pub(crate) fn has_bin(&self) -> bool {
        self.bin
    }

    /// The bucket, where there is one.
    pub(crate) fn bucket(&self) -> Option<&Config> {
        self.bucket.as_ref()
    }

    /// Sets a setting of all servers, from their next start on.
    pub(crate) async fn set(&self, key: &str, value: &str) {
        for replica in &self.replicas {
            replica.launch.lock().await.set(key, value);
        }
    }

    /// Makes the last server another program.
    pub(crate) async fn run_last(&self, program: &Path) -> Result<()> {
        let last = self.replicas.last().context("a server")?;
        last.launch.lock().await.program = std::path::absolute(program)?;
        Ok(())
    }

    /// Another place for the data of a site with one server.
    pub(crate) async fn keep_data_in(&self, data: PathBuf) {
        self.replicas[0].launch.lock().await.data = data;
    }

    /// This server's address, while it runs.
    pub(crate) fn url_of(&self, index: usize) -> Option<Arc<str>> {
        self.replicas[index].url.borrow().clone()
    }

    /// How a server is started.
    pub(crate) async fn launch(&self, index: usize) -> Launch {
        self.replicas[index].launch.lock().await.clone()
    }

    /// Starts a server and lets clients find it.
    pub(crate) async fn start(&self, index: usize) -> Result<()> {
        let replica = &self.replicas[index];
        let mut launch = replica.launch.lock().await.clone();
        if self.cluster.is_some() {
            let generation = replica.generation.fetch_add(1, Ordering::Relaxed) + 1;
            let url =
                format!("{}?application_name={}", launch.settings["WHARF_DATABASE_URL"], session(index, generation));
            launch.set("database.url", url);
        }
        if index > 0 {
            self.share_identity(&launch).await?;
        }
        let running = launch.start().await?;
        let url: Arc<str> = running.url.as_str().into();
        *replica.running.lock().await = Some(running);
        replica.url.send_replace(Some(url));
        Ok(())
    }

    /// Makes a server that shares the database believe that it shares the storage and the key as well.
    async fn share_identity(&self, second: &Launch) -> Result<()> {
        let first = self.replicas[0].launch.lock().await.data.clone();
        std::fs::create_dir_all(second.data.join("storage"))?;
        let names: &[&str] = match self.bucket {
            Some(_) => &["instance.key"],
            None => &["instance.key", "storage/ID", "storage/VERSION"],
        };
        for name in names {
            std::fs::copy(first.join(name), second.data.join(name)).with_context(|| (*name).to_owned())?;
        }
        Ok(())
    }

    /// Starts those that do not run.
    pub(crate) async fn start_all(&self) -> Result<()> {
        for index in 0..self.replicas.len() {
            if self.replicas[index].url.borrow().is_none() {
                self.start(index).await?;
            }
        }
        Ok(())
    }

    /// `kill -9`.
    pub(crate) async fn kill(&self, index: usize) -> Result<()> {
        let replica = &self.replicas[index];
        let running = replica.running.lock().await.take().context("a server that runs")?;
        let killed = running.kill().await;
        if let Some(cluster) = &self.cluster {
            // A COMMIT that was sent before the end is carried out after it.
            let name = session(index, replica.generation.load(Ordering::Relaxed));
            while cluster.sessions(&name).await > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        replica.url.send_replace(None);
        killed
    }

    /// SIGTERM to all.
    pub(crate) async fn stop_all(&self) -> Result<()> {
        for replica in &self.replicas {
            replica.url.send_replace(None);
            if let Some(running) = replica.running.lock().await.take() {
                running.stop().await?;
            }
        }
        Ok(())
    }

    /// The process of a server.
    pub(crate) async fn pid(&self, index: usize) -> Option<u32> {
        self.replicas[index].running.lock().await.as_ref().map(|running| running.pid)
    }

    /// A server that runs, any of them; waits for one.
    pub(crate) async fn url(&self, rng: &mut impl Rng) -> Arc<str> {
        loop {
            let first = rng.random_range(0..self.replicas.len());
            for step in 0..self.replicas.len() {
                let replica = &self.replicas[(first + step) % self.replicas.len()];
                if let Some(url) = &*replica.url.borrow() {
                    return Arc::clone(url);
                }
            }
            let mut changes = self.replicas[first].url.subscribe();
            // Any of them may come back first; looking again now and then costs nothing.
            tokio::time::timeout(Duration::from_millis(50), changes.changed()).await.ok();
        }
    }

    /// Waits until the server at `url` is gone for good, and with it whatever it was about to do: its requests have no
    /// answer, and what they did is seen by the next one.
    ///
    /// # Errors
    /// If it goes on: then it broke a connection for no reason.
    pub(crate) async fn gone(&self, url: &str) -> Result<()> {
        for replica in &self.replicas {
            let mut changes = replica.url.subscribe();
            let other = changes.wait_for(|now| now.as_deref() != Some(url));
            tokio::time::timeout(PATIENCE, other).await.context("a server that lives broke a connection")??;
        }
        Ok(())
    }

    /// Lines of all logs that contain one of `words`.
    pub(crate) fn logged(&self, words: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for index in 0..self.replicas.len() {
            let text = std::fs::read(self.folder.join(format!("server-{index}.log"))).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            found.extend(text.lines().filter(|line| words.iter().any(|word| line.contains(word))).map(str::to_owned));
        }
        found
    }

    /// Ends a run: its servers, and its folder unless somebody will want to see why it failed.
    pub(crate) async fn end(&self, outcome: &Result<()>) {
        for replica in &self.replicas {
            drop(replica.running.lock().await.take());
        }
        match outcome {
            Ok(()) => drop(std::fs::remove_dir_all(&self.folder)),
            Err(_) => println!("logs and data: {}", self.folder.display()),
        }
    }
}
