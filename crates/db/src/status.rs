//! What a database says of its schema, without changing it.

use wharf_types::Timestamp;

use crate::tx::{Engine, Tx};
use crate::{Config, Db, Result, migrations};

/// Where a database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The newest step that was applied; 0 for a database without a schema.
    pub schema: i64,
    /// The newest step that a program must know to open it.
    pub floor: i64,
    /// The newest step that this program knows.
    pub known: i64,
    /// Every step that was applied.
    pub steps: Vec<Step>,
    /// Who is connected: PostgreSQL only.
    pub clients: Vec<Client>,
}

/// A step that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// When.
    pub applied_at: Timestamp,
}

/// A program with connections to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// What it calls itself.
    pub name: String,
    /// From where; empty for the server's own machine.
    pub address: String,
    /// Its connections.
    pub connections: i64,
}

impl Status {
    /// Reads it. Nothing is applied, whatever this program knows.
    ///
    /// # Errors
    /// As [`Db::open`], but [`Error::Schema`](crate::Error::Schema).
    pub async fn of(config: &Config) -> Result<Self> {
        let db = Db::open_with(config, &[]).await?;
        db.read(&(), |tx, ()| Box::pin(read(tx))).await
    }
}

async fn read(tx: &mut Tx<'_>) -> Result<Status> {
    let known = migrations::ALL.iter().map(|step| step.number).max().unwrap_or_default();
    let mut status = Status { schema: 0, floor: 0, known, steps: Vec::new(), clients: clients(tx).await? };
    let there = match tx.engine() {
        Engine::Sqlite => "SELECT 1 FROM sqlite_master WHERE name = 'schema_floor'",
        Engine::Postgres => "SELECT 1 FROM pg_class WHERE oid = to_regclass('schema_floor')",
    };
    if tx.query_opt(there, &[]).await?.is_none() {
        return Ok(status);
    }
    for row in tx.query("SELECT number, name, applied_at FROM schema_versions ORDER BY number", &[]).await? {
        status.steps.push(Step { number: row.get(0)?, name: row.get(1)?, applied_at: row.get(2)? });
    }
    status.schema = status.steps.last().map_or(0, |step| step.number);
    if let Some(row) = tx.query_opt("SELECT coalesce(max(number), 0) FROM schema_floor", &[]).await? {
        status.floor = row.get(0)?;
    }
    Ok(status)
}

async fn clients(tx: &mut Tx<'_>) -> Result<Vec<Client>> {
    if tx.engine() == Engine::Sqlite {
        return Ok(Vec::new());
    }
    let rows = tx
        .query(
            "SELECT coalesce(application_name, ''), coalesce(host(client_addr), ''), CAST(count(*) AS BIGINT)
             FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND backend_type = 'client backend' GROUP BY 1, 2 ORDER BY 1, 2",
            &[],
        )
        .await?;
    rows.iter().map(|row| Ok(Client { name: row.get(0)?, address: row.get(1)?, connections: row.get(2)? })).collect()
}
