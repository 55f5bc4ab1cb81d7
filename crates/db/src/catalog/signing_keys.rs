//! Keys that sign indexes. The secret half is sealed with the instance key before it comes here.

use wharf_types::Timestamp;

use crate::{Result, Tx};

/// A key's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Surrogate key.
    pub id: i64,
    /// The algorithm or container (`ed25519`, `openpgp`).
    pub kind: String,
    /// The public half, as its kind writes it.
    pub public: Vec<u8>,
    /// The secret half, sealed.
    pub secret: Vec<u8>,
}

/// Adds a key to a repository.
///
/// # Errors
/// Those of the database.
pub async fn insert(
    tx: &mut Tx<'_>,
    repository: i64,
    kind: &str,
    public: &[u8],
    secret: &[u8],
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO signing_keys (repository_id, kind, public, secret, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[&repository, &kind, &public, &secret, &at],
    )
    .await?;
    Ok(())
}

/// The keys of a repository that sign now, oldest first; during a rotation there are two.
///
/// # Errors
/// Those of the database.
pub async fn active(tx: &mut Tx<'_>, repository: i64) -> Result<Vec<SigningKey>> {
    let sql = "SELECT id, kind, public, secret FROM signing_keys
               WHERE repository_id = ?1 AND retired_at IS NULL ORDER BY id";
    let rows = tx.query(sql, &[&repository]).await?;
    rows.iter()
        .map(|row| Ok(SigningKey { id: row.get(0)?, kind: row.get(1)?, public: row.get(2)?, secret: row.get(3)? }))
        .collect()
}

/// A key signs no more.
///
/// # Errors
/// Those of the database.
pub async fn retire(tx: &mut Tx<'_>, id: i64, at: Timestamp) -> Result<bool> {
    let sql = "UPDATE signing_keys SET retired_at = ?2 WHERE id = ?1 AND retired_at IS NULL";
    Ok(tx.execute(sql, &[&id, &at]).await? > 0)
}
