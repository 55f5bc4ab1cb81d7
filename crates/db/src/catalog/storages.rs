//! The storages that rows point into, and what was found there without a row.

use std::collections::HashMap;

use wharf_types::Timestamp;

use super::batch::{BATCH, Texts, params, places};
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

/// Which of these objects were noted, and when first.
///
/// # Errors
/// Those of the database.
pub async fn orphans(tx: &mut Tx<'_>, objects: &[String]) -> Result<HashMap<String, Timestamp>> {
    static SQL: Texts =
        Texts::new(|rows| format!("SELECT object, found_at FROM orphans WHERE object IN ({})", places(1, rows)));
    let mut found = HashMap::new();
    for batch in objects.chunks(BATCH) {
        for row in tx.query(SQL.of(batch), &params(&[], batch)).await? {
            found.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(found)
}

/// Forgets what was noted of an object: it has a row, or it is gone.
///
/// # Errors
/// Those of the database.
pub async fn forget_orphan(tx: &mut Tx<'_>, object: &str) -> Result<()> {
    tx.execute("DELETE FROM orphans WHERE object = ?1", &[&object]).await?;
    Ok(())
}
