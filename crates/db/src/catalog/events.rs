//! The outbox: what others may want to hear, in commit order.

use wharf_types::Timestamp;

use crate::{Result, Tx};

/// Writes an event in the transaction of the change it tells of. `payload` is a JSON object.
///
/// # Errors
/// Those of the database.
pub async fn append(tx: &mut Tx<'_>, at: Timestamp, kind: &str, payload: &str) -> Result<()> {
    tx.execute("INSERT INTO events (at, kind, payload) VALUES (?1, ?2, ?3)", &[&at, &kind, &payload]).await?;
    Ok(())
}

/// Drops events older than `before`. Says how many.
///
/// # Errors
/// Those of the database.
pub async fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM events WHERE at < ?1", &[&before]).await
}
