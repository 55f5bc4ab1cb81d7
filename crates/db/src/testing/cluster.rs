//! A PostgreSQL cluster that ends with the program that started it.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::Config;

/// Holds the cluster. It reads commands from a pipe whose other end only this program has, so it notices our end however we
/// come to it, and takes the cluster and its folder with it.
const SUPERVISOR: &str = include_str!("supervisor.sh");

/// Fast, for data that nobody will miss, and without a network: every cluster has a socket in its own folder.
const SETTINGS: &str = "
    listen_addresses = ''
    fsync = off
    full_page_writes = off
    max_connections = 300
    shared_buffers = 64MB
    log_min_messages = warning
";

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    supervisor: Mutex<Supervisor>,
    databases: AtomicU32,
}

#[derive(Debug)]
struct Supervisor {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// Starts a cluster.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    pub fn start() -> Self {
        // The number is only part of the socket's name.
        Self::start_with(5432, "", &[])
    }

    /// Starts a cluster with `settings` added to its `postgresql.conf`, which may name `files` as `../<name>`.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    pub fn start_with(port: u16, settings: &str, files: &[(&str, String)]) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("wharf-pg-").tempdir().expect("a temporary folder").keep();
        let socket = format!("port = {port}\nunix_socket_directories = '{}'\n", folder.display());
        fs::write(folder.join("settings"), format!("{SETTINGS}{socket}{settings}\n")).expect("written settings");
        for (name, content) in files {
            fs::write(folder.join(name), content).expect("a written file");
        }
        let supervisor = Mutex::new(Supervisor::start(&programs, &folder));
        let cluster = Self { folder, port, supervisor, databases: AtomicU32::new(0) };
        cluster.expect_done("start");
        cluster
    }

    /// A new, empty database.
    ///
    /// # Panics
    /// If the cluster is stopped.
    pub async fn database(&self) -> Config {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let (client, connection) = tokio_postgres::connect(&self.url("postgres"), tokio_postgres::NoTls)
            .await
            .expect("a connection to the cluster");
        let connection = tokio::spawn(connection);
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a new database");
        drop(client);
        connection.await.expect("no panic").expect("a clean end");
        self.config(&self.url(&name))
    }

    /// How many connections go by this `application_name`.
    ///
    /// # Panics
    /// If the cluster is stopped.
    pub async fn sessions(&self, name: &str) -> i64 {
        let (client, connection) = tokio_postgres::connect(&self.url("postgres"), tokio_postgres::NoTls)
            .await
            .expect("a connection to the cluster");
        let connection = tokio::spawn(connection);
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        let count = client.query_one(sql, &[&name]).await.expect("the list of connections").get(0);
        drop(client);
        connection.await.expect("no panic").expect("a clean end");
        count
    }

    /// How to open the database at `url`: few connections, and short waits where something is wrong.
    pub fn config(&self, url: &str) -> Config {
        Config::Postgres {
            url: url.to_owned(),
            max_connections: 8,
            connect_timeout: Duration::from_secs(20),
            statement_timeout: Duration::from_secs(20),
        }
    }

    /// Where its files are, those given to [`Cluster::start_with`] among them.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The URL of a database over the cluster's socket.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://wharf@{folder}:{}/{database}", self.port)
    }

    /// Ends the server and all connections to it; the data stays.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&self) {
        self.command("stop");
    }

    /// Starts it again after [`Cluster::stop`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn resume(&self) {
        self.command("start");
    }

    fn command(&self, command: &str) {
        let mut supervisor = self.supervisor.lock();
        let pipe = supervisor.commands.as_mut().expect("an open pipe");
        writeln!(pipe, "{command}").expect("a living supervisor");
        drop(supervisor);
        self.expect_done(command);
    }

    fn expect_done(&self, command: &str) {
        let mut answer = String::new();
        self.supervisor.lock().answers.read_line(&mut answer).expect("an answer of the supervisor");
        if answer.trim() != "done" {
            let logs = ["log", "data/log"].map(|log| fs::read_to_string(self.folder.join(log)).unwrap_or_default());
            panic!("PostgreSQL: {command} failed in {}:\n{}", self.folder.display(), logs.concat());
        }
    }
}

impl Supervisor {
    fn start(programs: &Path, folder: &Path) -> Self {
        let mut command = Command::new("sh");
        // A signal to the test program's group must not take along the one that cleans up after it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .args(["-c", SUPERVISOR, "wharf-test-postgres"])
            .args([programs, folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, commands, answers }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.commands.take());
        drop(self.child.wait());
    }
}

/// The folder of `initdb` and its siblings: the search path, or where Debian keeps them out of it.
fn programs() -> PathBuf {
    let mut folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin"))))
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev().map(|(_, path)| path));
    let found = folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists());
    found.unwrap_or_else(|| {
        panic!("these tests need PostgreSQL's initdb and pg_ctl: install the Debian package `postgresql` (15 or newer)")
    })
}
