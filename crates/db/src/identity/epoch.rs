//! The state of identities, as one number.

use crate::{Error, Result, Tx};

/// The present state. Read before what it stands for, so that a copy is never taken for newer than it is.
///
/// # Errors
/// Those of the database.
pub async fn current(tx: &mut Tx<'_>) -> Result<i64> {
    let row = tx.query_opt("SELECT epoch FROM identity_epoch WHERE id = 1", &[]).await?;
    row.ok_or_else(|| Error::Corrupt { what: "the row of identity_epoch is missing".into() })?.get(0)
}

/// Makes every copy of users, grants, tokens and projects that anybody holds an old one. Part of each transaction that changes
/// one of them, the visibility and the end of a project included.
///
/// # Errors
/// Those of the database.
pub async fn bump(tx: &mut Tx<'_>) -> Result<()> {
    tx.execute("UPDATE identity_epoch SET epoch = epoch + 1 WHERE id = 1", &[]).await?;
    Ok(())
}
