//! How this database was filled from a backup, if it was.

use wharf_types::Timestamp;

use crate::{Result, Tx};

/// A restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// The id of the snapshot.
    pub snapshot: String,
    /// When it was whole; before that nothing else may use the database.
    pub finished_at: Option<Timestamp>,
}

/// The restore that filled this database, or has begun to.
///
/// # Errors
/// Those of the database.
pub async fn state(tx: &mut Tx<'_>) -> Result<Option<Restore>> {
    let row = tx.query_opt("SELECT snapshot, finished_at FROM restores WHERE id = 1", &[]).await?;
    row.map(|row| Ok(Restore { snapshot: row.get(0)?, finished_at: row.get(1)? })).transpose()
}

/// Notes that a restore begins.
///
/// # Errors
/// Those of the database.
pub async fn begin(tx: &mut Tx<'_>, snapshot: &str, at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO restores (id, snapshot, begun_at) VALUES (1, ?1, ?2) ON CONFLICT (id) DO NOTHING";
    tx.execute(sql, &[&snapshot, &at]).await?;
    Ok(())
}

/// Notes that it is whole. False if that was noted before.
///
/// # Errors
/// Those of the database.
pub async fn finish(tx: &mut Tx<'_>, at: Timestamp) -> Result<bool> {
    let sql = "UPDATE restores SET finished_at = ?1 WHERE id = 1 AND finished_at IS NULL";
    Ok(tx.execute(sql, &[&at]).await? > 0)
}
