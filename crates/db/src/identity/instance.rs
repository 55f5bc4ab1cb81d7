//! Which instance key this database belongs to.

use wharf_types::Timestamp;

use crate::{Result, Tx};

/// The id of the key that was bound first, if one was.
///
/// # Errors
/// Those of the database.
pub async fn key_id(tx: &mut Tx<'_>) -> Result<Option<String>> {
    let row = tx.query_opt("SELECT key_id FROM instance WHERE id = 1", &[]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Binds the database to a key unless it is bound already, and gives the id it is bound to.
///
/// # Errors
/// Those of the database.
pub async fn bind(tx: &mut Tx<'_>, key: &str, at: Timestamp) -> Result<Option<String>> {
    tx.execute(
        "INSERT INTO instance (id, key_id, created_at) VALUES (1, ?1, ?2) ON CONFLICT (id) DO NOTHING",
        &[&key, &at],
    )
    .await?;
    key_id(tx).await
}
