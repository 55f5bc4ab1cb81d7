//! What can go wrong between a statement and its rows.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause underneath an [`Error`]; shared, because one failed commit fails every transaction of its group.
pub type Source = Arc<dyn StdError + Send + Sync>;

/// A failure of the database or of what was asked of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database does not answer now: it may be restarting, overloaded or gone. Trying later is the right answer.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Another transaction won, and went on winning however often this one was run again.
    #[error("the transaction conflicts with others: {0}")]
    Conflict(String),
    /// The change contradicts a constraint of the schema.
    #[error("{kind} violated: {name}")]
    Constraint {
        /// What kind of constraint.
        kind: ConstraintKind,
        /// PostgreSQL: the constraint's name. SQLite: the columns, as it tells them (nothing for a foreign key).
        name: String,
    },
    /// The disk is full or refuses to take what was written; nothing of the transaction was kept.
    #[error("the database cannot write: {0}")]
    Full(String),
    /// The database was written by a newer program that this one does not understand.
    #[error(
        "the database is at schema {found} and needs a program that knows schema {floor} or newer; this one knows {newest}: start the newer version"
    )]
    Schema {
        /// The newest step applied to the database.
        found: i64,
        /// The newest step that the oldest program allowed to open it must know.
        floor: i64,
        /// The newest step this program knows.
        newest: i64,
    },
    /// Another process has the database file open.
    #[error(
        "{} is in use by another process; several servers at once need PostgreSQL (lock file {})",
        path.display(),
        lock.display()
    )]
    Locked {
        /// The database file.
        path: PathBuf,
        /// The file that the other process holds locked.
        lock: PathBuf,
    },
    /// What the database holds is not what this program wrote.
    #[error("the database holds something unexpected: {what}")]
    Corrupt {
        /// Where, and what was expected there.
        what: String,
    },
    /// The configuration names no database that can be opened.
    #[error("database configuration: {0}")]
    Config(String),
    /// A statement failed for another reason, most likely a mistake in this program.
    #[error("{source} in: {sql}")]
    Query {
        /// The statement.
        sql: String,
        /// What the database said.
        source: Source,
    },
    /// A transaction's closure went on after one of its statements had failed. PostgreSQL has forgotten the transaction by
    /// then, so it is refused on both engines. Use `ON CONFLICT` where a violation is expected.
    #[error("the transaction went on after a failed statement")]
    Aborted,
    /// A transaction's closure awaited something other than its transaction.
    #[error("a transaction waited for something other than the database")]
    Suspended,
    /// A transaction's closure panicked; its changes were rolled back.
    #[error("a transaction panicked: {0}")]
    Panicked(String),
}

/// The kinds of constraint that a change can violate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    /// A primary key or unique index: the row is there already.
    Unique,
    /// A reference: the row it points at is not there, or the row to be deleted is still pointed at.
    ForeignKey,
    /// A CHECK.
    Check,
    /// A column that must have a value has none.
    NotNull,
    /// Any other, such as a value of the wrong type for its column.
    Other,
}

impl std::fmt::Display for ConstraintKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unique => "unique constraint",
            Self::ForeignKey => "foreign key",
            Self::Check => "check constraint",
            Self::NotNull => "not-null constraint",
            Self::Other => "constraint",
        })
    }
}

impl Error {
    /// Whether the same request may well succeed a little later (HTTP 503, not 500).
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Conflict(_))
    }

    /// Whether a constraint of the schema refused the change.
    pub fn is_constraint(&self) -> bool {
        matches!(self, Self::Constraint { .. })
    }

    /// Whether a row with the same key was there already.
    pub fn is_unique(&self) -> bool {
        matches!(self, Self::Constraint { kind: ConstraintKind::Unique, .. })
    }

    /// Whether a reference pointed at nothing, or a row still pointed at was to be deleted.
    pub fn is_foreign_key(&self) -> bool {
        matches!(self, Self::Constraint { kind: ConstraintKind::ForeignKey, .. })
    }

    /// Whether the disk is full or refuses writes.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    pub(crate) fn query(sql: &str, source: impl StdError + Send + Sync + 'static) -> Self {
        Self::Query { sql: one_line(sql), source: Arc::new(source) }
    }
}

/// SQL for a log line: the indentation of the source text says nothing there.
pub(crate) fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
