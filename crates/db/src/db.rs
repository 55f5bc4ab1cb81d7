//! The database as the rest of the program holds it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::mark::{Mark, Subject};
use crate::migrate::Migration;
use crate::postgres::{Limits, Mode, Postgres};
use crate::sqlite::Sqlite;
use crate::tx::{Engine, Tx};
use crate::{Error, Result, migrations};

/// Which database to open.
#[derive(Clone)]
pub enum Config {
    /// A file of this process alone.
    Sqlite {
        /// The database file; its folder must exist.
        path: PathBuf,
    },
    /// A database that ends with its last [`Db`]: a private temporary file without fsync, because SQLite's real
    /// in-memory databases have no snapshots for readers beside a writer.
    SqliteMemory,
    /// A PostgreSQL server, shared by any number of replicas.
    Postgres {
        /// `postgres://user:password@host:port/database?…` with the parameters of libpq, among them `sslmode` (default
        /// `prefer`), `sslrootcert` (a PEM file or `system`) and several hosts with `target_session_attrs`. Statements are
        /// prepared, so a pooler in between must pool by session.
        url: String,
        /// The most connections this process opens.
        max_connections: usize,
        /// How long to wait for a new connection, and for a free one.
        connect_timeout: Duration,
        /// How long one statement may run.
        statement_timeout: Duration,
    },
}

impl Config {
    /// The server at `url` with the usual limits: 16 connections, 5 seconds to connect, 30 seconds a statement.
    pub fn postgres(url: impl Into<String>) -> Self {
        Self::Postgres {
            url: url.into(),
            max_connections: 16,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for Config {
    // The URL holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => f.debug_struct("Sqlite").field("path", path).finish(),
            Self::SqliteMemory => f.write_str("SqliteMemory"),
            Self::Postgres { max_connections, .. } => {
                f.debug_struct("Postgres").field("max_connections", max_connections).finish_non_exhaustive()
            }
        }
    }
}

/// What must have happened before a write is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives a power cut: what a client may take as stored.
    Full,
    /// It survives the end of the process, but a power cut may take the last moments: counters, caches, last-seen times.
    /// Never a torn or reordered state: what is kept is everything up to some transaction.
    Relaxed,
}

/// The body of a transaction: a closure that captures nothing, because it is run again when another transaction won or the
/// connection was lost. What it needs comes in through its arguments, and everything it does goes through its [`Tx`].
/// Long computations belong before it: on SQLite all writers wait while one runs.
pub type Work<A, T, E> = for<'a, 'c> fn(&'a mut Tx<'c>, &'a A) -> BoxFuture<'a, Result<T, E>>;

/// An open database. Clones share it; it closes with the last of them.
#[derive(Clone)]
pub struct Db(Arc<Backend>);

enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.engine()).finish()
    }
}

impl Db {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has the file, [`Error::Unavailable`] if the server does not answer,
    /// [`Error::Schema`] if a newer program has left this one behind, [`Error::Config`] if there is nothing to open.
    pub async fn open(config: &Config) -> Result<Self> {
        Self::open_with(config, migrations::ALL).await
    }

    /// Opens the database as [`Db::open`] does, but brings a new one to the schema's step `newest` only: to be filled with rows of
    /// that time. The next [`Db::open`] applies the rest.
    ///
    /// # Errors
    /// As [`Db::open`], and [`Error::Schema`] for a step that this program does not know.
    pub async fn open_at(config: &Config, newest: i64) -> Result<Self> {
        let known = migrations::ALL.iter().map(|step| step.number).max().unwrap_or_default();
        if newest > known {
            return Err(Error::Schema { found: newest, floor: newest, newest: known });
        }
        let count = migrations::ALL.iter().filter(|step| step.number <= newest).count();
        Self::open_with(config, &migrations::ALL[..count]).await
    }

    pub(crate) async fn open_with(config: &Config, migrations: &'static [Migration]) -> Result<Self> {
        let backend = match config {
            Config::Sqlite { path } => Backend::Sqlite(Sqlite::open(Some(path.clone()), migrations).await?),
            Config::SqliteMemory => Backend::Sqlite(Sqlite::open(None, migrations).await?),
            &Config::Postgres { ref url, max_connections, connect_timeout, statement_timeout } => {
                let limits = Limits { connections: max_connections, connect_timeout, statement_timeout };
                Backend::Postgres(Postgres::open(url, &limits, migrations).await?)
            }
        };
        Ok(Self(Arc::new(backend)))
    }

    /// Runs statements that only read, each on its own: a later one may see what was committed after an earlier one.
    /// On SQLite this happens on the calling task, in a few microseconds.
    ///
    /// # Errors
    /// What `work` returns, and [`Error`] where the database fails or `work` tries to write.
    pub async fn read<A, T, E>(&self, args: &A, work: Work<A, T, E>) -> Result<T, E>
    where
        A: Sync,
        T: Send,
        E: From<Error> + Send,
    {
        match &*self.0 {
            Backend::Sqlite(sqlite) => sqlite.read(args, work),
            // Boxed: on SQLite no task shall have room for it.
            Backend::Postgres(postgres) => Box::pin(postgres.run(Mode::Read, args, work)).await,
        }
    }

    /// Runs statements that only read and all see the same state.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn snapshot<A, T, E>(&self, args: &A, work: Work<A, T, E>) -> Result<T, E>
    where
        A: Sync,
        T: Send,
        E: From<Error> + Send,
    {
        match &*self.0 {
            Backend::Sqlite(sqlite) => sqlite.snapshot(args, work),
            Backend::Postgres(postgres) => Box::pin(postgres.run(Mode::Snapshot, args, work)).await,
        }
    }

    /// Runs a transaction as if no other ran beside it, and commits it if `work` returns `Ok`. With `Err` nothing of it stays.
    ///
    /// `work` may run several times, but one run counts: where the connection to PostgreSQL broke during COMMIT, the server is
    /// asked whether that was carried out, and if so the result is that of the run that did it.
    ///
    /// A caller that goes away does not stop it on SQLite; on PostgreSQL the transaction is rolled back unless COMMIT was sent.
    ///
    /// # Errors
    /// What `work` returns, and [`Error`] where the database fails: [`Error::Conflict`] if others won some dozens of times in a row,
    /// [`Error::Unavailable`] also where it could not be found out whether COMMIT was carried out.
    pub async fn write<A, T, E>(&self, durability: Durability, args: A, work: Work<A, T, E>) -> Result<T, E>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &*self.0 {
            Backend::Sqlite(sqlite) => sqlite.write(durability, args, work).await,
            Backend::Postgres(postgres) => Box::pin(postgres.run(Mode::Write(durability), &args, work)).await,
        }
    }

    /// The present state of a subject, to be taken before it is read: the copy is good while the mark [stands](Db::stands).
    /// None where no copy may be kept: on PostgreSQL, which others write to, and while a commit that changes it is under way.
    pub fn mark(&self, subject: &Subject<'_>) -> Option<Mark> {
        match &*self.0 {
            Backend::Sqlite(sqlite) => sqlite.mark(subject),
            Backend::Postgres(_) => None,
        }
    }

    /// Whether its subject is as it was: every change that was acknowledged before this call has ended the mark, and so has
    /// every one that anybody may have seen.
    pub fn stands(&self, mark: &Mark) -> bool {
        match &*self.0 {
            Backend::Sqlite(sqlite) => sqlite.stands(mark),
            Backend::Postgres(_) => false,
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it does not.
    pub async fn ping(&self) -> Result<()> {
        self.read(&(), |tx, ()| Box::pin(async move { tx.query_opt("SELECT 1", &[]).await.map(drop) })).await
    }

    /// Bytes that can still be written on the disk of the database; `None` where that is another machine's matter.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it cannot be asked.
    pub fn free(&self) -> Result<Option<u64>> {
        match &*self.0 {
            Backend::Sqlite(sqlite) => sqlite.free(),
            Backend::Postgres(_) => Ok(None),
        }
    }

    /// Makes sure that what was deleted cannot be read in the files of the database any more, for what must not stay anywhere.
    /// PostgreSQL is asked for nothing: what its files and archives keep is in the hands of whoever runs it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if others kept it from that for some seconds.
    pub async fn wipe(&self) -> Result<()> {
        match &*self.0 {
            Backend::Sqlite(sqlite) => sqlite.wipe().await,
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Which database this is.
    pub fn engine(&self) -> Engine {
        match &*self.0 {
            Backend::Sqlite(_) => Engine::Sqlite,
            Backend::Postgres(_) => Engine::Postgres,
        }
    }
}
