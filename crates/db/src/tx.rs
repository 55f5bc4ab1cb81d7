//! What a transaction's closure holds.

use std::time::{SystemTime, UNIX_EPOCH};

use wharf_types::Timestamp;

use crate::row::Row;
use crate::value::ToValue;
use crate::{Error, Result, postgres, sqlite};

/// Which database runs underneath.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, in this process.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// The parameters of a statement, `?1` first.
pub type Params<'a> = &'a [&'a (dyn ToValue + Sync)];

/// Runs statements, all in one transaction or (under [`Db::read`](crate::Db::read)) each for itself.
///
/// SQL names its parameters `?1`, `?2` … on both engines. It may be anything both understand; columns and parameters are
/// BIGINT, TEXT and BYTEA only. Where PostgreSQL cannot tell a parameter's type from its place, or computes in another type
/// (`sum` of BIGINT is NUMERIC), `CAST(… AS BIGINT)` says it on both.
///
/// After a statement has failed the transaction is lost, on both engines: return the error. A violation that is expected
/// belongs into `ON CONFLICT`, not into a `match` on the result.
pub struct Tx<'c> {
    connection: Connection<'c>,
    /// In a transaction the first failed statement is the last; in autocommit it stands alone.
    atomic: bool,
    failure: Option<Failed>,
}

enum Connection<'c> {
    Sqlite(&'c mut rusqlite::Connection),
    Postgres(&'c postgres::Session),
}

/// A failed statement, and what may be done about it.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    pub(crate) remedy: Remedy,
}

/// What helps against a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing: the same work fails again.
    None,
    /// Running the work again: another transaction won.
    Again,
    /// Running the work again on another connection: this one is gone.
    Reconnect,
}

impl Failed {
    pub(crate) fn for_good(error: Error) -> Self {
        Self { error, remedy: Remedy::None }
    }
}

impl<'c> Tx<'c> {
    pub(crate) fn sqlite(connection: &'c mut rusqlite::Connection, atomic: bool) -> Self {
        Self { connection: Connection::Sqlite(connection), atomic, failure: None }
    }

    pub(crate) fn postgres(session: &'c postgres::Session, atomic: bool) -> Self {
        Self { connection: Connection::Postgres(session), atomic, failure: None }
    }

    /// The first failed statement, if one failed.
    pub(crate) fn into_failure(self) -> Option<Failed> {
        self.failure
    }

    /// All rows of a SELECT, or of a change with RETURNING. Lists page by key: the caller's SQL has the LIMIT.
    ///
    /// # Errors
    /// Whatever the database says; see [`Error`].
    pub async fn query(&mut self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>> {
        self.usable()?;
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::query(connection, sql, params),
            Connection::Postgres(session) => session.query(sql, params).await,
        };
        self.noted(result)
    }

    /// The first row of a SELECT, or of a change with RETURNING; `None` if there is no row.
    ///
    /// # Errors
    /// Whatever the database says; see [`Error`].
    pub async fn query_opt(&mut self, sql: &'static str, params: Params<'_>) -> Result<Option<Row>> {
        self.usable()?;
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::query_opt(connection, sql, params),
            Connection::Postgres(session) => session.query_opt(sql, params).await,
        };
        self.noted(result)
    }

    /// Makes a change and says how many rows it inserted, updated or deleted.
    ///
    /// # Errors
    /// Whatever the database says, [`Error::Constraint`] among it; see [`Error`].
    pub async fn execute(&mut self, sql: &'static str, params: Params<'_>) -> Result<u64> {
        self.usable()?;
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::execute(connection, sql, params),
            Connection::Postgres(session) => session.execute(sql, params).await,
        };
        self.noted(result)
    }

    /// To be returned where another transaction has won without a statement failing of it. On PostgreSQL the work is run again
    /// and sees what the other has done.
    pub fn conflict(&mut self, what: &str) -> Error {
        let error = Error::Conflict(what.to_owned());
        self.failure.get_or_insert(Failed { error: error.clone(), remedy: Remedy::Again });
        error
    }

    /// Runs a script of many statements without parameters.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<()> {
        self.usable()?;
        let result = match &mut self.connection {
            Connection::Sqlite(connection) => sqlite::script(connection, sql),
            Connection::Postgres(session) => session.script(sql).await,
        };
        self.noted(result)
    }

    /// Which database this runs on, for the few statements that must differ.
    pub fn engine(&self) -> Engine {
        match &self.connection {
            Connection::Sqlite(_) => Engine::Sqlite,
            Connection::Postgres(_) => Engine::Postgres,
        }
    }

    /// The database's clock, which all replicas share: what leases are measured with. It moves on within a transaction.
    ///
    /// # Errors
    /// Whatever the database says; see [`Error`].
    pub async fn now(&mut self) -> Result<Timestamp> {
        if self.engine() == Engine::Sqlite {
            // The database is this process, so its clock is this machine's.
            return Ok(system_time());
        }
        // `now()` would stand still at the start of the transaction.
        const NOW: &str = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)";
        let row = self.query_opt(NOW, &[]).await?;
        row.ok_or_else(|| Error::Corrupt { what: "a clock without time".into() })?.get(0)
    }

    fn usable(&self) -> Result<()> {
        if self.atomic && self.failure.is_some() { Err(Error::Aborted) } else { Ok(()) }
    }

    fn noted<T>(&mut self, result: Result<T, Failed>) -> Result<T> {
        result.map_err(|failed| {
            let error = failed.error.clone();
            self.failure.get_or_insert(failed);
            error
        })
    }
}

fn system_time() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since_epoch)
}
