//! SQLite in this process: many readers on the threads that ask, one writer thread that commits in groups.

mod checkpoint;
mod connect;
mod failure;
mod files;
mod marks;
mod readers;
mod reserve;
mod statement;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::db::{Durability, Work};
use crate::mark::{Mark, Subject};
use crate::migrate::{self, Migration};
use crate::tx::Tx;
use crate::{Error, Result};
use connect::Role;
use files::Files;
use marks::Marks;
use readers::Readers;
pub(crate) use statement::{execute, query, query_opt, script};
use writer::Writer;

/// An open SQLite database.
pub(crate) struct Sqlite {
    // Dropped in this order: the last connection to close folds the log into the file, then the lock goes.
    writer: Writer,
    readers: Readers,
    marks: Arc<Marks>,
    files: Arc<Files>,
}

impl Sqlite {
    /// Opens the file, or a temporary one, and applies missing migrations.
    pub(crate) async fn open(path: Option<PathBuf>, migrations: &'static [Migration]) -> Result<Self> {
        let opening = tokio::task::spawn_blocking(move || Self::open_now(path.as_deref(), migrations));
        opening.await.map_err(|e| Error::Unavailable(format!("opening the database ended early: {e}")))?
    }

    fn open_now(path: Option<&Path>, migrations: &[Migration]) -> Result<Self> {
        let files = Arc::new(match path {
            Some(path) => Files::lock(path)?,
            None => Files::temporary()?,
        });
        let mut connection = connect::open(&files, Role::Writer)?;
        // Without any step nothing is changed, not even what keeps account of them.
        while !migrations.is_empty() && migrate_once(&mut connection, migrations)? {}
        // After the migrations, which may rebuild the tables that it watches.
        let marks = Marks::watch(&connection).map_err(|e| failure::opening(files.path(), &e))?;
        let writer = Writer::start(connection, Arc::clone(&marks), Arc::clone(&files))?;
        Ok(Self { writer, readers: Readers::new(Arc::clone(&files)), marks, files })
    }

    /// Bytes that can still be written on the disk of the file, where that lasts.
    pub(crate) fn free(&self) -> Result<Option<u64>> {
        let Some(folder) = self.files.lasting().then(|| self.files.path().parent()).flatten() else { return Ok(None) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let disk = rustix::fs::statvfs(folder).map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
    }

    /// Runs `work` on this thread, each statement on its own.
    pub(crate) fn read<A, T, E: From<Error>>(&self, args: &A, work: Work<A, T, E>) -> Result<T, E> {
        let mut reader = self.readers.take()?;
        run(&mut Tx::sqlite(reader.connection()?, false), args, work)
    }

    /// Runs `work` on this thread in one read transaction.
    pub(crate) fn snapshot<A, T, E: From<Error>>(&self, args: &A, work: Work<A, T, E>) -> Result<T, E> {
        let mut reader = self.readers.take()?;
        let connection = reader.connection()?;
        statement::control(connection, "BEGIN")?;
        let result = run(&mut Tx::sqlite(connection, true), args, work);
        // Nothing was changed, so how the transaction ends makes no difference to the result.
        statement::control(connection, "COMMIT")?;
        result
    }

    /// Moves the whole log into the file and empties it: old pages in it hold what was deleted since.
    pub(crate) async fn wipe(&self) -> Result<()> {
        let files = Arc::clone(&self.files);
        let wiping = tokio::task::spawn_blocking(move || checkpoint::empty(&files));
        wiping.await.map_err(|e| Error::Unavailable(format!("emptying the log ended early: {e}")))?
    }

    /// See [`Marks`].
    pub(crate) fn mark(&self, subject: &Subject<'_>) -> Option<Mark> {
        self.marks.mark(subject)
    }

    /// See [`Marks`].
    pub(crate) fn stands(&self, mark: &Mark) -> bool {
        self.marks.stands(mark)
    }

    /// Hands `work` to the writer and waits until its group is committed.
    pub(crate) async fn write<A, T, E>(&self, durability: Durability, args: A, work: Work<A, T, E>) -> Result<T, E>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.write(durability, args, work).await
    }
}

/// Runs a closure to its end. SQLite never makes it wait, so one poll is enough.
fn run<A, T, E: From<Error>>(tx: &mut Tx<'_>, args: &A, work: Work<A, T, E>) -> Result<T, E> {
    work(tx, args).now_or_never().unwrap_or_else(|| Err(Error::Suspended.into()))
}

fn migrate_once(connection: &mut rusqlite::Connection, migrations: &[Migration]) -> Result<bool> {
    statement::control(connection, "BEGIN IMMEDIATE")?;
    let mut tx = Tx::sqlite(connection, true);
    let step = migrate::step(&mut tx, migrations).now_or_never().unwrap_or(Err(Error::Suspended));
    statement::control(connection, if step.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    step
}
