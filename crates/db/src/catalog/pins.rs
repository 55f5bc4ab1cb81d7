//! Who needs objects to stay although their blobs are gone: backups, while they copy. A dead holder's pin ends by itself.

use std::time::Duration;

use wharf_types::Timestamp;

use crate::{Result, Row, Tx};

/// A pin's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Surrogate key.
    pub id: i64,
    /// For people.
    pub holder: String,
    /// No object goes that was doomed after this.
    pub since: Timestamp,
    /// When it ends unless its holder lives, by the database's clock.
    pub expires_at: Timestamp,
}

fn pin(row: &Row) -> Result<Pin> {
    Ok(Pin { id: row.get(0)?, holder: row.get(1)?, since: row.get(2)?, expires_at: row.get(3)? })
}

/// Makes a pin that lives for `span` of the database's clock. Its key is the caller's to draw, so that a transaction that
/// runs twice makes one.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, id: i64, holder: &str, since: Timestamp, span: Duration) -> Result<()> {
    let until = tx.now().await?.after(span);
    tx.execute(
        "INSERT INTO pins (id, holder, since, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING",
        &[&id, &holder, &since, &until],
    )
    .await?;
    Ok(())
}

/// Prolongs a pin. False if it has ended: what it kept may be gone.
///
/// # Errors
/// Those of the database.
pub async fn heartbeat(tx: &mut Tx<'_>, id: i64, span: Duration) -> Result<bool> {
    let here = tx.now().await?;
    let sql = "UPDATE pins SET expires_at = ?3 WHERE id = ?1 AND expires_at > ?2";
    Ok(tx.execute(sql, &[&id, &here, &here.after(span)]).await? > 0)
}

/// Ends a pin.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    tx.execute("DELETE FROM pins WHERE id = ?1", &[&id]).await?;
    Ok(())
}

/// Forgets the pins of holders that died. Says how many.
///
/// # Errors
/// Those of the database.
pub async fn forget_expired(tx: &mut Tx<'_>) -> Result<u64> {
    let here = tx.now().await?;
    tx.execute("DELETE FROM pins WHERE expires_at <= ?1", &[&here]).await
}

/// The pins that live, up to `limit`, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn living(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Pin>> {
    let here = tx.now().await?;
    let sql = "SELECT id, holder, since, expires_at FROM pins WHERE expires_at > ?1 ORDER BY since, id LIMIT ?2";
    tx.query(sql, &[&here, &limit]).await?.iter().map(pin).collect()
}
