//! Backups that were asked for, and what became of them.

use wharf_types::Timestamp;

use crate::{Result, Row, Tx};

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backup {
    /// Grows with time.
    pub id: i64,
    /// Where to, below where the server may write; empty for that place itself.
    pub destination: String,
    /// Who asked.
    pub actor: String,
    /// `waiting`, `running`, `done`, `incomplete` or `failed`.
    pub state: String,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
    /// The snapshot that was made.
    pub snapshot: Option<String>,
    /// How far it is.
    pub count: Count,
    /// Blobs that could not be copied.
    pub missing: u64,
    /// What went wrong last.
    pub error: Option<String>,
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Rows written.
    pub rows: u64,
    /// Blobs copied, or found to be there.
    pub blobs: u64,
    /// Blobs in all, once that is known.
    pub blobs_total: u64,
    /// Bytes of the blobs done.
    pub bytes: u64,
    /// Bytes of all blobs.
    pub bytes_total: u64,
}

/// How a backup ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct End {
    /// `done`, `incomplete` or `failed`.
    pub state: String,
    /// The snapshot that was made.
    pub snapshot: Option<String>,
    /// Blobs that could not be copied.
    pub missing: u64,
    /// What went wrong.
    pub error: Option<String>,
}

fn backup(row: &Row) -> Result<Backup> {
    Ok(Backup {
        id: row.get(0)?,
        destination: row.get(1)?,
        actor: row.get(2)?,
        state: row.get(3)?,
        asked_at: row.get(4)?,
        finished_at: row.get(5)?,
        snapshot: row.get(6)?,
        count: Count {
            rows: row.get(7)?,
            blobs: row.get(8)?,
            blobs_total: row.get(9)?,
            bytes: row.get(10)?,
            bytes_total: row.get(11)?,
        },
        missing: row.get(12)?,
        error: row.get(13)?,
    })
}

/// Notes that a backup is wanted. The key is the caller's to draw, so that a transaction that runs twice makes one.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, id: i64, destination: &str, actor: &str, at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO backups (id, destination, actor, state, asked_at) VALUES (?1, ?2, ?3, 'waiting', ?4)
         ON CONFLICT (id) DO NOTHING",
        &[&id, &destination, &actor, &at],
    )
    .await?;
    Ok(())
}

/// The backup to this destination that is not over, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn under_way(tx: &mut Tx<'_>, destination: &str) -> Result<Option<i64>> {
    let sql = "SELECT id FROM backups WHERE destination = ?1 AND state IN ('waiting', 'running') ORDER BY id LIMIT 1";
    tx.query_opt(sql, &[&destination]).await?.map(|row| row.get(0)).transpose()
}

/// Where they were to go, and when a snapshot was last written there.
///
/// # Errors
/// Those of the database.
pub async fn places(tx: &mut Tx<'_>) -> Result<Vec<(String, Option<Timestamp>)>> {
    let sql = "SELECT destination, max(CASE WHEN snapshot IS NOT NULL THEN finished_at END) FROM backups GROUP BY destination";
    tx.query(sql, &[]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// When the last one was over that lacks nothing.
///
/// # Errors
/// Those of the database.
pub async fn last_whole(tx: &mut Tx<'_>) -> Result<Option<Timestamp>> {
    let row = tx.query_opt("SELECT max(finished_at) FROM backups WHERE state = 'done'", &[]).await?;
    row.map_or(Ok(None), |row| row.get(0))
}

/// Forgets the backups to this destination.
///
/// # Errors
/// Those of the database.
pub async fn forget(tx: &mut Tx<'_>, destination: &str) -> Result<()> {
    tx.execute("DELETE FROM backups WHERE destination = ?1", &[&destination]).await.map(drop)
}

/// One of them.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, id: i64) -> Result<Option<Backup>> {
    let row = tx
        .query_opt(
            "SELECT id, destination, actor, state, asked_at, finished_at, snapshot, rows_done, blobs_done, blobs_total, bytes_done,
               bytes_total, missing, error FROM backups WHERE id = ?1",
            &[&id],
        )
        .await?;
    row.as_ref().map(backup).transpose()
}

/// Up to `limit` of them before `before`, newest first.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, before: i64, limit: i64) -> Result<Vec<Backup>> {
    let rows = tx
        .query(
            "SELECT id, destination, actor, state, asked_at, finished_at, snapshot, rows_done, blobs_done, blobs_total, bytes_done,
               bytes_total, missing, error FROM backups WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
            &[&before, &limit],
        )
        .await?;
    rows.iter().map(backup).collect()
}

/// Says how far it is, and that it runs.
///
/// # Errors
/// Those of the database.
pub async fn advance(tx: &mut Tx<'_>, id: i64, count: &Count, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE backups SET state = 'running', started_at = coalesce(started_at, ?7), rows_done = ?2, blobs_done = ?3,
           blobs_total = ?4, bytes_done = ?5, bytes_total = ?6 WHERE id = ?1 AND finished_at IS NULL",
        &[&id, &count.rows, &count.blobs, &count.blobs_total, &count.bytes, &count.bytes_total, &at],
    )
    .await?;
    Ok(())
}

/// Says why it is tried again.
///
/// # Errors
/// Those of the database.
pub async fn put_off(tx: &mut Tx<'_>, id: i64, error: &str) -> Result<()> {
    let sql = "UPDATE backups SET state = 'waiting', error = ?2 WHERE id = ?1 AND finished_at IS NULL";
    tx.execute(sql, &[&id, &error]).await?;
    Ok(())
}

/// Says that it is over.
///
/// # Errors
/// Those of the database.
pub async fn finish(tx: &mut Tx<'_>, id: i64, end: &End, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE backups SET state = ?2, snapshot = ?3, missing = ?4, error = ?5, finished_at = ?6
         WHERE id = ?1 AND finished_at IS NULL",
        &[&id, &end.state, &end.snapshot, &end.missing, &end.error, &at],
    )
    .await?;
    Ok(())
}
