//! The state of identities, as one number.

use crate::{Engine, Error, Result, Tx};

/// How many rows share the number. Each transaction adds to one of them, so their sum counts the transactions that are visible.
const ROWS: u8 = 8;

/// The present state. Read before what it stands for, so that a copy is never taken for newer than it is.
///
/// # Errors
/// Those of the database.
pub async fn current(tx: &mut Tx<'_>) -> Result<i64> {
    let sql = match tx.engine() {
        // One writer needs one row.
        Engine::Sqlite => "SELECT epoch FROM identity_epoch WHERE id = 0",
        Engine::Postgres => "SELECT CAST(sum(epoch) AS BIGINT) FROM identity_epoch",
    };
    let row = tx.query_opt(sql, &[]).await?;
    row.ok_or_else(|| Error::Corrupt { what: "the rows of identity_epoch are missing".into() })?.get(0)
}

/// Makes every copy of users, grants, tokens and projects that anybody holds an old one. Part of each transaction that changes
/// one of them, the visibility and the end of a project included.
///
/// # Errors
/// Those of the database.
pub async fn bump(tx: &mut Tx<'_>) -> Result<()> {
    let row = match tx.engine() {
        Engine::Sqlite => 0,
        Engine::Postgres => i64::from(rand::random::<u8>() % ROWS),
    };
    tx.execute("UPDATE identity_epoch SET epoch = epoch + 1 WHERE id = ?1", &[&row]).await?;
    Ok(())
}
