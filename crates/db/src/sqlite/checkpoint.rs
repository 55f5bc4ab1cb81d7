//! Moving committed pages from the write-ahead log into the database file.
//!
//! SQLite would do it inside every thousandth commit, whose caller then waits for two more fsyncs and all the pages. Here a
//! thread of its own does it beside the writer, in PASSIVE mode, which waits for nobody and makes nobody wait. Under writes
//! without a pause it never gets to the end of the log, and only at the end can the log start again from its beginning. So
//! beyond a bound the checkpointer hurries, and once little is left the writer does that between two groups: pushes wait for
//! a few pages and not for thousands, and the log stays about as large as the bound.
//! (Two connections that checkpoint and write at the same time could damage the log before SQLite 3.51.3; this is later.)

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use super::connect::{self, Role};
use super::failure;
use super::files::Files;
use crate::{Error, Result};

/// Pages of 4 KiB that the log must have grown by before the checkpointer is woken: it costs two fsyncs, and a page that was
/// changed many times since is moved once.
const WORTHWHILE: i32 = 4_000;
/// Pages in the log at which it is to come to its end: 64 MiB.
const TOO_LONG: i32 = 16_000;
/// So many pages the writer moves itself.
const LITTLE: i32 = 400;
/// Pages in the log at which the writer moves them however many they are: 256 MiB.
const FAR_TOO_LONG: i32 = 64_000;

/// How long an emptying waits for readers.
const PATIENCE: Duration = Duration::from_secs(2);

const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Pages in the log.
#[derive(Default)]
struct Log {
    /// All of them.
    pages: AtomicI32,
    /// Those that the database file has.
    moved: AtomicI32,
}

/// The handle of the checkpointing thread; the thread ends with it.
pub(super) struct Checkpointer {
    log: Arc<Log>,
    /// How long the log was when the checkpointer was last woken.
    woken_at: i32,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Watches the log that `writer` writes.
    pub(super) fn start(writer: &mut Connection, files: &Files) -> Result<Self> {
        let connection = connect::open(files, Role::Checkpointer)?;
        // One place: a call while a checkpoint runs asks for another one after it, and more calls for no more.
        let (wake, calls) = sync_channel(1);
        let log = Arc::new(Log::default());
        let (written, shared) = (Arc::clone(&log), Arc::clone(&log));
        let hook = writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            written.pages.store(pages, Relaxed);
            Ok(())
        }));
        hook.map_err(|e| failure::opening(files.path(), &e))?;
        let thread = thread::Builder::new().name("wharf-db-checkpoint".into());
        let thread = thread.spawn(move || checkpoint_when_called(&connection, &shared, &calls));
        let thread = thread.map_err(|e| Error::Unavailable(format!("cannot start the checkpointer: {e}")))?;
        Ok(Self { log, woken_at: 0, wake: Some(wake), thread: Some(thread) })
    }

    /// Called by the writer between two groups.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        let pages = self.log.pages.load(Relaxed);
        if pages < self.woken_at {
            // The log has started again from its beginning.
            self.woken_at = 0;
            self.log.moved.store(0, Relaxed);
        }
        let (left, hurry) = (pages - self.log.moved.load(Relaxed), pages >= TOO_LONG);
        if hurry && (left <= LITTLE || pages >= FAR_TOO_LONG) {
            checkpoint(writer, &self.log);
        } else if hurry || pages - self.woken_at >= WORTHWHILE {
            self.woken_at = pages;
            // Full: it has been called already.
            self.wake.as_ref().map(|wake| wake.try_send(()));
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake.take();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the database's checkpointing thread had panicked");
        }
    }
}

/// Waits for readers and the writer, two seconds at most, moves all pages and cuts the log to nothing.
pub(super) fn empty(files: &Files) -> Result<()> {
    let connection = connect::open(files, Role::Checkpointer)?;
    // Less than the writer's: it waits while this one waits for readers, and must not give up.
    connection.busy_timeout(PATIENCE).map_err(|e| failure::opening(files.path(), &e))?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    match busy.map_err(|e| failure::opening(files.path(), &e))? {
        false => Ok(()),
        true => Err(Error::Unavailable("the log is being read".to_owned())),
    }
}

fn checkpoint_when_called(connection: &Connection, log: &Log, calls: &Receiver<()>) {
    while calls.recv().is_ok() {
        checkpoint(connection, log);
    }
}

/// A checkpoint that does not get through is tried again after the next commit; a disk that fails shows there too.
fn checkpoint(connection: &Connection, log: &Log) {
    let done = connection.prepare_cached(CHECKPOINT).and_then(|mut pragma| pragma.query_row([], |row| row.get(2)));
    match done {
        Ok(moved) => log.moved.store(moved, Relaxed),
        Err(error) => tracing::warn!(error = %error, "the write-ahead log could not be folded into the database"),
    }
}
