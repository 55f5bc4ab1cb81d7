//! Keys that sign indexes. The secret half is sealed with the instance key before it comes here.

use wharf_types::Timestamp;

use crate::{Result, Row, Tx};

/// A key's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Surrogate key.
    pub id: i64,
    /// The public half, as its kind writes it.
    pub public: Vec<u8>,
    /// The secret half, sealed.
    pub secret: Vec<u8>,
    /// When it was made or brought.
    pub created_at: Timestamp,
    /// Since when it signs no more.
    pub retired_at: Option<Timestamp>,
}

/// A key on its way into its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The repository it signs for.
    pub repository: i64,
    /// The algorithm or container (`ed25519`, `openpgp`).
    pub kind: &'static str,
    /// The public half.
    pub public: Vec<u8>,
    /// The secret half, sealed.
    pub secret: Vec<u8>,
    /// Of OpenPGP keys.
    pub fingerprint: Option<String>,
    /// When.
    pub at: Timestamp,
}

fn key(row: &Row) -> Result<SigningKey> {
    let (id, public, secret) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(SigningKey { id, public, secret, created_at: row.get(3)?, retired_at: row.get(4)? })
}

/// Adds a key to a repository.
///
/// # Errors
/// Those of the database; a constraint error if an OpenPGP key signs for it already.
pub async fn insert(tx: &mut Tx<'_>, key: &NewKey) -> Result<()> {
    let NewKey { repository, kind, public, secret, fingerprint, at } = key;
    tx.execute(
        "INSERT INTO signing_keys (repository_id, kind, public, secret, fingerprint, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &[repository, kind, public, secret, fingerprint, at],
    )
    .await?;
    Ok(())
}

/// The keys of one kind that sign for a repository now, oldest first; during a rotation there are two.
///
/// # Errors
/// Those of the database.
pub async fn active(tx: &mut Tx<'_>, repository: i64, kind: &str) -> Result<Vec<SigningKey>> {
    let sql = "SELECT id, public, secret, created_at, retired_at FROM signing_keys
               WHERE repository_id = ?1 AND kind = ?2 AND retired_at IS NULL ORDER BY id";
    tx.query(sql, &[&repository, &kind]).await?.iter().map(key).collect()
}

/// All keys of one kind that a repository ever had, up to `limit`, newest first.
///
/// # Errors
/// Those of the database.
pub async fn all(tx: &mut Tx<'_>, repository: i64, kind: &str, limit: i64) -> Result<Vec<SigningKey>> {
    let sql = "SELECT id, public, secret, created_at, retired_at FROM signing_keys
               WHERE repository_id = ?1 AND kind = ?2 ORDER BY id DESC LIMIT ?3";
    tx.query(sql, &[&repository, &kind, &limit]).await?.iter().map(key).collect()
}

/// A key signs no more.
///
/// # Errors
/// Those of the database.
pub async fn retire(tx: &mut Tx<'_>, id: i64, at: Timestamp) -> Result<bool> {
    let sql = "UPDATE signing_keys SET retired_at = ?2 WHERE id = ?1 AND retired_at IS NULL";
    Ok(tx.execute(sql, &[&id, &at]).await? > 0)
}
