//! The one thread that changes the database.
//!
//! It takes every transaction that waits, runs each inside a savepoint of one SQLite transaction, and commits them together:
//! one fsync for all. While it waits for the disk the next group gathers, so the more is written, the larger the groups.

mod job;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpointer;
use super::files::Files;
use super::marks::Marks;
use super::reserve::Reserve;
use super::statement::control;
use crate::db::{Durability, Work};
use crate::{Error, Result};
use job::{Job, Task};

/// The most transactions in one commit: enough to make the fsync cheap, few enough that the first need not wait for long.
const GROUP: usize = 256;
/// The most that wait; who comes later waits outside the queue.
const QUEUE: usize = 1024;

/// The handle of the writer thread; the thread ends with it.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(mut connection: Connection, marks: Arc<Marks>, files: Arc<Files>) -> Result<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let checkpointer = Checkpointer::start(&mut connection, &files)?;
        let synchronous = files.lasting().then_some(Durability::Relaxed);
        let reserve = Reserve::of(files.lasting().then(|| files.path()));
        let mut work = WriterThread { connection, synchronous, checkpointer, reserve, marks, _files: files };
        let thread = thread::Builder::new().name("wharf-db-writer".into()).spawn(move || work.run(waiting));
        let thread = thread.map_err(|e| Error::Unavailable(format!("cannot start the writer: {e}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) async fn write<A, T, E>(&self, durability: Durability, args: A, work: Work<A, T, E>) -> Result<T, E>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let stopped = || Error::Unavailable("the writer has stopped".into());
        let (reply, answer) = oneshot::channel();
        let task: Box<dyn Job> = Box::new(Task::new(durability, args, work, reply));
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(task).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped().into()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.take();
        let Some(thread) = self.thread.take() else { return };
        // The last handle may end on the writer itself, inside the arguments of a transaction; it cannot wait for itself.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("the database's writer thread had panicked");
        }
    }
}

struct WriterThread {
    connection: Connection,
    /// What the connection's `synchronous` is set to; `None` for a temporary database, which never waits for the disk.
    synchronous: Option<Durability>,
    checkpointer: Checkpointer,
    reserve: Reserve,
    marks: Arc<Marks>,
    _files: Arc<Files>,
}

impl WriterThread {
    fn run(&mut self, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
        let mut group = Vec::with_capacity(GROUP);
        while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
            // A closure that panics is caught where it runs; this is for destructors of what it returned.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.commit(&mut group)));
            if outcome.is_err() {
                tracing::error!("a transaction panicked outside its closure");
                group.clear();
                self.abandon();
            }
            self.checkpointer.after_commit(&self.connection);
            self.reserve.restore();
        }
    }

    /// Runs and commits a group and answers all of it.
    fn commit(&mut self, group: &mut Vec<Box<dyn Job>>) {
        let mut outcome = self.transaction(group);
        if matches!(&outcome, Err(error) if error.is_full()) {
            self.abandon();
            if self.reserve.release() {
                outcome = self.transaction(group);
            }
        }
        if let Err(error) = &outcome {
            tracing::warn!(error = %error, transactions = group.len(), "a group of transactions was not committed");
            self.abandon();
        }
        for job in group.drain(..) {
            job.answer(outcome.as_ref().err());
        }
    }

    fn transaction(&mut self, group: &mut [Box<dyn Job>]) -> Result<()> {
        let full = group.iter().any(|job| job.durability() == Durability::Full);
        self.synchronize(if full { Durability::Full } else { Durability::Relaxed })?;
        control(&self.connection, "BEGIN IMMEDIATE")?;
        self.marks.begin();
        // One alone needs none, and is spared that SQLite keeps the pages as they were for it.
        let alone = group.len() == 1;
        for job in group {
            if !alone {
                control(&self.connection, "SAVEPOINT job")?;
            }
            let failure = job.run(&mut self.connection);
            if self.connection.is_autocommit() {
                // A full disk makes SQLite roll back everything at once, with it those of the group that had succeeded.
                return Err(failure.unwrap_or_else(|| Error::Full("the transaction was rolled back".into())));
            }
            if let Some(failure) = failure.filter(|failure| failure.is_full() && self.reserve.is_held()) {
                return Err(failure);
            }
            if alone && !job.succeeded() {
                return control(&self.connection, "ROLLBACK");
            }
            if !alone {
                if !job.succeeded() {
                    control(&self.connection, "ROLLBACK TO job")?;
                }
                control(&self.connection, "RELEASE job")?;
            }
        }
        self.marks.during(|| control(&self.connection, "COMMIT"))
    }

    /// FULL waits for the disk at each commit, NORMAL only at checkpoints. Can only be changed between transactions.
    fn synchronize(&mut self, wanted: Durability) -> Result<()> {
        if self.synchronous.is_none_or(|current| current == wanted) {
            return Ok(());
        }
        control(
            &self.connection,
            match wanted {
                Durability::Full => "PRAGMA synchronous = FULL",
                Durability::Relaxed => "PRAGMA synchronous = NORMAL",
            },
        )?;
        self.synchronous = Some(wanted);
        Ok(())
    }

    fn abandon(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = control(&self.connection, "ROLLBACK")
        {
            tracing::error!(error = %error, "the transaction cannot be rolled back");
        }
    }
}
