//! Connections and their settings.

use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure;
use super::files::Files;
use crate::{Error, Result};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that changes the database.
    Writer,
    /// One of many that only look.
    Reader,
    /// The one that moves committed pages out of the log.
    Checkpointer,
}

/// Only programs from outside (a backup, a shell) ever make a connection wait.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than there are statements in the program.
const STATEMENTS: usize = 1024;
/// The log is cut back to this size, in bytes, when it starts again from its beginning.
const LOG_KEPT: i64 = 64 << 20;

/// Opens a connection to the database of `files`.
pub(super) fn open(files: &Files, role: Role) -> Result<Connection> {
    // Each connection is used by one thread at a time, so it needs no mutex of its own.
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if role == Role::Writer {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection =
        Connection::open_with_flags(files.path(), flags).map_err(|e| failure::opening(files.path(), &e))?;
    set_up(&connection, files, role).map_err(|e| failure::opening(files.path(), &e))?;
    if role == Role::Writer {
        use_log(&connection, files)?;
    }
    Ok(connection)
}

fn set_up(connection: &Connection, files: &Files, role: Role) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without this SQLite plans a statement anew whenever a parameter that might change the plan is bound: on the road of
    // every request, for plans that come out the same.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Negative: KiB. The operating system caches the file as well; this saves the copy for the inner pages of the trees.
    connection.pragma_update(None, "cache_size", if role == Role::Writer { -16_384 } else { -4_096 })?;
    connection.pragma_update(None, "synchronous", if files.lasting() { "NORMAL" } else { "OFF" })?;
    if role == Role::Writer {
        // What is deleted may be a secret: it is overwritten, and not only forgotten.
        connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    }
    connection.pragma_update(None, "query_only", role == Role::Reader)
}

/// Readers beside a writer need the write-ahead log; it is a property of the file.
fn use_log(connection: &Connection, files: &Files) -> Result<()> {
    let attempt = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    let mode = attempt.map_err(|e| failure::opening(files.path(), &e))?;
    if mode != "wal" {
        let problem =
            format!("{} is on a file system without shared memory (journal mode {mode})", files.path().display());
        return Err(Error::Config(problem));
    }
    // Checkpoints are the checkpointer's work; see there.
    let settings = connection.pragma_update(None, "wal_autocheckpoint", 0);
    let settings =
        settings.and_then(|()| connection.pragma_update_and_check(None, "journal_size_limit", LOG_KEPT, |_| Ok(())));
    settings.map_err(|e| failure::opening(files.path(), &e))
}
