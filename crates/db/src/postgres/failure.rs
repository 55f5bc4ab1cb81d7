//! What PostgreSQL's error codes mean to us (manual, appendix A).

use std::error::Error as StdError;

use deadpool_postgres::{HookError, PoolError, TimeoutType};
use tokio_postgres::error::{DbError, ErrorPosition, Severity, SqlState};

use crate::Error;
use crate::error::{ConstraintKind, one_line};
use crate::tx::{Failed, Remedy};

/// A failure of a statement.
pub(super) fn of(sql: &str, error: tokio_postgres::Error) -> Failed {
    if let Some(told) = error.as_db_error() {
        let remedy = remedy(told);
        return Failed { error: told_by_server(sql, told, error.code()), remedy };
    }
    let io = error.source().is_some_and(|source| source.is::<std::io::Error>());
    if error.is_closed() || io {
        return Failed { error: Error::Unavailable(chain(&error)), remedy: Remedy::Reconnect };
    }
    Failed::for_good(Error::query(sql, error))
}

/// A failure to get a connection.
pub(super) fn connecting(error: &PoolError, connections: usize) -> Error {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => {
            Error::Unavailable(format!("all {connections} connections are in use"))
        }
        PoolError::Timeout(_) => Error::Unavailable("connecting to PostgreSQL took too long".into()),
        PoolError::Backend(driver) | PoolError::PostCreateHook(HookError::Backend(driver)) => {
            let refused =
                driver.code().is_some_and(|code| code.code().starts_with("28") || code.code().starts_with("3D"));
            if refused { Error::Config(chain(driver)) } else { Error::Unavailable(chain(driver)) }
        }
        other => Error::Unavailable(other.to_string()),
    }
}

/// A message with its causes, which the driver keeps out of the message.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn remedy(told: &DbError) -> Remedy {
    let code = told.code();
    let fatal = matches!(told.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
    if matches!(
        *code,
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED | SqlState::LOCK_NOT_AVAILABLE
    ) {
        Remedy::Again
    } else if fatal || code.code().starts_with("08") || stale_plan(told) {
        Remedy::Reconnect
    } else {
        Remedy::None
    }
}

/// A statement was prepared before another replica changed the schema; a new connection prepares it anew.
fn stale_plan(told: &DbError) -> bool {
    *told.code() == SqlState::FEATURE_NOT_SUPPORTED && told.message().starts_with("cached plan")
}

fn told_by_server(sql: &str, told: &DbError, code: Option<&SqlState>) -> Error {
    let code = code.map_or("", SqlState::code);
    let message = || told.to_string();
    match (code.get(..2).unwrap_or_default(), code) {
        ("40", _) => Error::Conflict(message()),
        ("23", _) => Error::Constraint {
            kind: constraint_kind(told.code()),
            name: told.constraint().or(told.column()).unwrap_or_default().to_owned(),
        },
        // Disk full; an I/O error of the server.
        (_, "53100" | "58030") => Error::Full(message()),
        // Only a closure that went on after an error gets there.
        (_, "25P02") => Error::Aborted,
        // Lost connections, exhausted resources, lock and statement timeouts, a server that starts or stops.
        ("08" | "53" | "55" | "57", _) => Error::Unavailable(message()),
        _ if stale_plan(told) => Error::Unavailable(message()),
        _ => Error::query(sql, Told(describe(sql, told))),
    }
}

fn constraint_kind(code: &SqlState) -> ConstraintKind {
    match *code {
        SqlState::UNIQUE_VIOLATION => ConstraintKind::Unique,
        SqlState::FOREIGN_KEY_VIOLATION => ConstraintKind::ForeignKey,
        SqlState::CHECK_VIOLATION => ConstraintKind::Check,
        SqlState::NOT_NULL_VIOLATION => ConstraintKind::NotNull,
        _ => ConstraintKind::Other,
    }
}

/// The message with the place in the statement that it is about.
fn describe(sql: &str, told: &DbError) -> String {
    let mut text = told.to_string();
    if let Some(ErrorPosition::Original(position)) = told.position() {
        let from = usize::try_from(*position).unwrap_or(0).saturating_sub(1);
        let place: String = sql.chars().skip(from).take(40).collect();
        text = format!("{text}, near {:?}", one_line(&place));
    }
    text
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);
