//! Connections for reading, borrowed for the length of one closure.

use std::sync::Arc;
use std::thread::available_parallelism;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::connect::{self, Role};
use super::files::Files;
use crate::{Error, Result};

/// Opens connections when they are needed and keeps as many as threads can use at once.
///
/// Nobody ever waits for one: a closure runs on its thread without a pause, so no more are borrowed than threads run, and
/// one beyond those kept is opened for the occasion (a closure inside a closure, a burst of blocking threads).
pub(super) struct Readers {
    files: Arc<Files>,
    idle: Mutex<Vec<Connection>>,
    kept: usize,
}

/// A borrowed connection.
pub(super) struct Reader<'r> {
    from: &'r Readers,
    connection: Option<Connection>,
}

impl Readers {
    pub(super) fn new(files: Arc<Files>) -> Self {
        let kept = available_parallelism().map_or(4, |threads| threads.get() + 2);
        Self { files, idle: Mutex::new(Vec::with_capacity(kept)), kept }
    }

    pub(super) fn take(&self) -> Result<Reader<'_>> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect::open(&self.files, Role::Reader)?,
        };
        Ok(Reader { from: self, connection: Some(connection) })
    }
}

impl Reader<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or_else(|| Error::Unavailable("the connection was given back".into()))
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // A closure that panicked in the middle of a snapshot leaves its transaction open: such a connection is closed.
        let Some(connection) = self.connection.take().filter(Connection::is_autocommit) else { return };
        let mut idle = self.from.idle.lock();
        if idle.len() < self.from.kept {
            idle.push(connection);
        }
    }
}
