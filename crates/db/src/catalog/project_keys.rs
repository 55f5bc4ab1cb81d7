//! Keys whose owners a project trusts: their signatures on what is uploaded count.

use wharf_types::Timestamp;

use crate::{Result, Row, Tx};

/// A key's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectKey {
    /// Of the certificate, in hexadecimal capitals.
    pub fingerprint: String,
    /// OpenPGP packets.
    pub public: Vec<u8>,
    /// Who added it.
    pub added_by: String,
    /// When.
    pub created_at: Timestamp,
}

fn key(row: &Row) -> Result<ProjectKey> {
    Ok(ProjectKey { fingerprint: row.get(0)?, public: row.get(1)?, added_by: row.get(2)?, created_at: row.get(3)? })
}

/// The keys of a project by fingerprint. How many there may be is the caller's to limit.
///
/// # Errors
/// Those of the database.
pub async fn of_project(tx: &mut Tx<'_>, project: i64) -> Result<Vec<ProjectKey>> {
    let sql = "SELECT fingerprint, public, added_by, created_at FROM project_keys WHERE project_id = ?1
               ORDER BY fingerprint";
    tx.query(sql, &[&project]).await?.iter().map(key).collect()
}

/// Adds a key, or brings one that is there up to date: its owner may have prolonged or revoked it.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx<'_>, project: i64, key: &ProjectKey) -> Result<()> {
    let ProjectKey { fingerprint, public, added_by, created_at } = key;
    tx.execute(
        "INSERT INTO project_keys (project_id, fingerprint, public, added_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (project_id, fingerprint) DO UPDATE SET public = excluded.public",
        &[&project, fingerprint, public, added_by, created_at],
    )
    .await?;
    Ok(())
}

/// Removes a key. False if it is not there.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, project: i64, fingerprint: &str) -> Result<bool> {
    let sql = "DELETE FROM project_keys WHERE project_id = ?1 AND fingerprint = ?2";
    Ok(tx.execute(sql, &[&project, &fingerprint]).await? > 0)
}
