//! The outbox: what others may want to hear. An event's number is drawn before its transaction commits, so on PostgreSQL one may
//! appear after another with a higher number: whoever reads on by numbers must leave the newest alone for a while.

use wharf_types::Timestamp;

use crate::{Result, Row, Tx};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Ever growing; pages by this.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Of what, such as `blob.damaged`.
    pub kind: String,
    /// A JSON object.
    pub payload: String,
}

fn event(row: &Row) -> Result<Event> {
    Ok(Event { id: row.get(0)?, at: row.get(1)?, kind: row.get(2)?, payload: row.get(3)? })
}

/// Writes an event in the transaction of the change it tells of. `payload` is a JSON object.
///
/// # Errors
/// Those of the database.
pub async fn append(tx: &mut Tx<'_>, at: Timestamp, kind: &str, payload: &str) -> Result<()> {
    tx.execute("INSERT INTO events (at, kind, payload) VALUES (?1, ?2, ?3)", &[&at, &kind, &payload]).await?;
    Ok(())
}

/// Up to `limit` events after the number `after`, in the order of their numbers.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, after: i64, limit: i64) -> Result<Vec<Event>> {
    let sql = "SELECT id, at, kind, payload FROM events WHERE id > ?1 ORDER BY id LIMIT ?2";
    tx.query(sql, &[&after, &limit]).await?.iter().map(event).collect()
}

/// Drops events older than `before`, but never the newest: SQLite would give its number again, and readers are past it. Says how many.
///
/// # Errors
/// Those of the database.
pub async fn trim(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM events WHERE at < ?1 AND id < (SELECT max(id) FROM events)", &[&before]).await
}
