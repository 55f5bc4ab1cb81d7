//! Personal tokens of users and secrets of robots.

use wharf_types::Timestamp;

use crate::{Result, Row, Tx};

/// A token's row, without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Surrogate key.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// The part of the secret that may be shown.
    pub hint: String,
    /// Limits as JSON.
    pub limits: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no good.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to a few seconds.
    pub last_used_at: Option<Timestamp>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// Whose.
    pub subject_id: i64,
    /// What its owner calls it.
    pub name: &'a str,
    /// SHA-256 of the secret.
    pub hash: &'a [u8; 32],
    /// The part of the secret that may be shown.
    pub hint: &'a str,
    /// Limits as JSON.
    pub limits: Option<&'a str>,
    /// Now.
    pub at: Timestamp,
    /// From when on it is no good.
    pub expires_at: Option<Timestamp>,
}

/// Makes a token. A second run of the same transaction finds its own, because no secret comes twice.
///
/// # Errors
/// Those of the database.
pub async fn create(tx: &mut Tx<'_>, new: &NewToken<'_>) -> Result<Option<i64>> {
    let sql = "INSERT INTO tokens (subject_id, name, hash, hint, limits, created_at, expires_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (hash) DO NOTHING RETURNING id";
    let row = tx
        .query_opt(sql, &[&new.subject_id, &new.name, new.hash, &new.hint, &new.limits, &new.at, &new.expires_at])
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// Whose token has this hash, and which it is: ids of subject and token.
///
/// # Errors
/// Those of the database.
pub async fn by_hash(tx: &mut Tx<'_>, hash: &[u8; 32]) -> Result<Option<(i64, i64)>> {
    let row = tx.query_opt("SELECT subject_id, id FROM tokens WHERE hash = ?1", &[hash]).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// A subject's tokens, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn of_subject(tx: &mut Tx<'_>, subject: i64) -> Result<Vec<Token>> {
    let sql = "SELECT id, name, hint, limits, created_at, expires_at, last_used_at FROM tokens
               WHERE subject_id = ?1 ORDER BY id";
    tx.query(sql, &[&subject]).await?.iter().map(token).collect()
}

/// Ends a token of this subject. Gives its hint; `None` if there is no such token.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx<'_>, subject: i64, id: i64) -> Result<Option<String>> {
    let sql = "DELETE FROM tokens WHERE id = ?1 AND subject_id = ?2 RETURNING hint";
    tx.query_opt(sql, &[&id, &subject]).await?.map(|row| row.get(0)).transpose()
}

/// Lets every token of a subject end at `end` if it would not end earlier, but for the one with the hash `but`.
///
/// # Errors
/// Those of the database.
pub async fn expire_all(tx: &mut Tx<'_>, subject: i64, but: &[u8; 32], end: Timestamp) -> Result<()> {
    let sql = "UPDATE tokens SET expires_at = ?3
               WHERE subject_id = ?1 AND hash <> ?2 AND (expires_at IS NULL OR expires_at > ?3)";
    tx.execute(sql, &[&subject, but, &end]).await?;
    Ok(())
}

/// Removes a subject's tokens that ended before `before`.
///
/// # Errors
/// Those of the database.
pub async fn forget_expired(tx: &mut Tx<'_>, subject: i64, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM tokens WHERE subject_id = ?1 AND expires_at < ?2", &[&subject, &before]).await?;
    Ok(())
}

/// How many tokens a subject has.
///
/// # Errors
/// Those of the database.
pub async fn count(tx: &mut Tx<'_>, subject: i64) -> Result<i64> {
    let row = tx.query_opt("SELECT count(*) FROM tokens WHERE subject_id = ?1", &[&subject]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Notes when a token was last used.
///
/// # Errors
/// Those of the database.
pub async fn used(tx: &mut Tx<'_>, id: i64, at: Timestamp) -> Result<()> {
    let sql = "UPDATE tokens SET last_used_at = ?2 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)";
    tx.execute(sql, &[&id, &at]).await?;
    Ok(())
}

fn token(row: &Row) -> Result<Token> {
    Ok(Token {
        id: row.get(0)?,
        name: row.get(1)?,
        hint: row.get(2)?,
        limits: row.get(3)?,
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
        last_used_at: row.get(6)?,
    })
}
