//! What SQLite's error codes mean to us.

use std::path::Path;

use rusqlite::ffi::{self, ErrorCode};

use crate::Error;
use crate::error::ConstraintKind;
use crate::tx::Failed;

/// A failure of a statement.
pub(super) fn of(sql: &str, error: rusqlite::Error) -> Error {
    let Some((code, message)) = parts(&error) else { return Error::query(sql, error) };
    match code.code {
        ErrorCode::ConstraintViolation => Error::Constraint {
            kind: constraint_kind(code.extended_code),
            name: message.split_once(": ").map_or("", |(_, columns)| columns).to_owned(),
        },
        ErrorCode::DiskFull => Error::Full(message),
        // A full disk and a failing one are not always told apart.
        ErrorCode::SystemIoFailure if writing(code.extended_code) => Error::Full(message),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Error::Unavailable(format!("another program keeps the database locked: {message}"))
        }
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::OutOfMemory => Error::Unavailable(message),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::Corrupt { what: message },
        _ => Error::query(sql, error),
    }
}

/// The same for [`Tx`](crate::Tx), where running again never helps: there is one writer, so nobody else can have won.
pub(super) fn failed(sql: &str, error: rusqlite::Error) -> Failed {
    Failed::for_good(of(sql, error))
}

/// A failure to open the file.
pub(super) fn opening(path: &Path, error: &rusqlite::Error) -> Error {
    match parts(error) {
        Some((code, message)) if matches!(code.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Corrupt { what: format!("{}: {message}", path.display()) }
        }
        _ => Error::Unavailable(format!("cannot open {}: {error}", path.display())),
    }
}

fn parts(error: &rusqlite::Error) -> Option<(ffi::Error, String)> {
    let code = error.sqlite_error()?;
    Some((*code, error.to_string()))
}

fn writing(extended_code: i32) -> bool {
    matches!(
        extended_code,
        ffi::SQLITE_IOERR_WRITE
            | ffi::SQLITE_IOERR_FSYNC
            | ffi::SQLITE_IOERR_DIR_FSYNC
            | ffi::SQLITE_IOERR_TRUNCATE
            | ffi::SQLITE_IOERR_SHMSIZE
    )
}

fn constraint_kind(extended_code: i32) -> ConstraintKind {
    match extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            ConstraintKind::Unique
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ConstraintKind::ForeignKey,
        ffi::SQLITE_CONSTRAINT_CHECK => ConstraintKind::Check,
        ffi::SQLITE_CONSTRAINT_NOTNULL => ConstraintKind::NotNull,
        _ => ConstraintKind::Other,
    }
}
