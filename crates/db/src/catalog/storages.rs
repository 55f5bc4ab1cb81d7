//! The storages that rows point into, and what was found there without a row.

use wharf_types::Timestamp;

use crate::{Result, Tx};

/// The identity of the storage that this name was first used for.
///
/// # Errors
/// Those of the database.
pub async fn identity(tx: &mut Tx<'_>, name: &str) -> Result<Option<String>> {
    let row = tx.query_opt("SELECT identity FROM storages WHERE name = ?1", &[&name]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Remembers a storage. The first identity stays.
///
/// # Errors
/// Those of the database.
pub async fn bind(tx: &mut Tx<'_>, name: &str, identity: &str, at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO storages (name, identity, bound_at) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING";
    tx.execute(sql, &[&name, &identity, &at]).await?;
    Ok(())
}

/// Notes an object without a row, and says when it was first noted.
///
/// # Errors
/// Those of the database.
pub async fn note_orphan(tx: &mut Tx<'_>, object: &str, at: Timestamp) -> Result<Timestamp> {
    let sql = "INSERT INTO orphans (object, found_at) VALUES (?1, ?2) ON CONFLICT (object) DO NOTHING";
    tx.execute(sql, &[&object, &at]).await?;
    let found = tx.query_opt("SELECT found_at FROM orphans WHERE object = ?1", &[&object]).await?;
    found.map_or(Ok(at), |row| row.get(0))
}

/// Forgets what was noted of an object: it has a row, or it is gone.
///
/// # Errors
/// Those of the database.
pub async fn forget_orphan(tx: &mut Tx<'_>, object: &str) -> Result<()> {
    tx.execute("DELETE FROM orphans WHERE object = ?1", &[&object]).await?;
    Ok(())
}
