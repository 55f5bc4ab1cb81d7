//! How far the scrub has read, and what it found.

use wharf_types::{Digest, Timestamp};

use super::blobs::Blob;
use crate::{Result, Row, Tx};

/// The pass that is under way, or the last one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pass {
    /// The last digest that was read, as its column holds it; none at the beginning.
    pub cursor: Option<Vec<u8>>,
    /// When it began; none if none ever did.
    pub begun_at: Option<Timestamp>,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
    /// Blobs read.
    pub blobs: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Blobs found to be damaged.
    pub damaged: u64,
}

/// A blob that is not served because its bytes are wrong or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// Which.
    pub digest: Digest,
    /// Bytes it should have.
    pub size: u64,
    /// What is wrong.
    pub problem: String,
    /// When it was found.
    pub found_at: Timestamp,
}

/// How far it is.
///
/// # Errors
/// Those of the database.
pub async fn pass(tx: &mut Tx<'_>) -> Result<Pass> {
    let sql = "SELECT cursor, begun_at, finished_at, blobs, bytes, damaged FROM scrub WHERE id = 1";
    let row = tx.query_opt(sql, &[]).await?;
    row.map_or(Ok(Pass::default()), |row| {
        Ok(Pass {
            cursor: row.get(0)?,
            begun_at: row.get(1)?,
            finished_at: row.get(2)?,
            blobs: row.get(3)?,
            bytes: row.get(4)?,
            damaged: row.get(5)?,
        })
    })
}

/// Writes down how far it is.
///
/// # Errors
/// Those of the database.
pub async fn set_pass(tx: &mut Tx<'_>, pass: &Pass) -> Result<()> {
    tx.execute(
        "UPDATE scrub SET cursor = ?1, begun_at = ?2, finished_at = ?3, blobs = ?4, bytes = ?5, damaged = ?6 WHERE id = 1",
        &[&pass.cursor, &pass.begun_at, &pass.finished_at, &pass.blobs, &pass.bytes, &pass.damaged],
    )
    .await?;
    Ok(())
}

/// Up to `limit` blobs after a digest, in the order of their digests, each with whether it is known to be damaged.
///
/// # Errors
/// Those of the database.
pub async fn blobs_after(tx: &mut Tx<'_>, after: &[u8], limit: i64) -> Result<Vec<(Blob, bool)>> {
    let rows = tx
        .query(
            "SELECT digest, size, content, storage, object, CASE WHEN damaged_at IS NULL THEN 0 ELSE 1 END FROM blobs
             WHERE digest > ?1 ORDER BY digest LIMIT ?2",
            &[&after, &limit],
        )
        .await?;
    rows.iter().map(|row| Ok((super::blobs::blob(row)?, row.get(5)?))).collect()
}

/// Stops a blob from being served, if it still lies where it was read. False if it does not, or was found before.
///
/// # Errors
/// Those of the database.
pub async fn quarantine(
    tx: &mut Tx<'_>,
    digest: &Digest,
    object: Option<&str>,
    problem: &str,
    at: Timestamp,
) -> Result<bool> {
    let marked = tx
        .query_opt(
            "UPDATE blobs SET damaged_at = ?3 WHERE digest = ?1 AND coalesce(object, '') = ?2 AND damaged_at IS NULL
             RETURNING size",
            &[digest, &object.unwrap_or_default(), &at],
        )
        .await?;
    let Some(row) = marked else { return Ok(false) };
    let size: u64 = row.get(0)?;
    tx.execute(
        "INSERT INTO quarantine (digest, size, object, problem, found_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (digest) DO UPDATE SET object = excluded.object, problem = excluded.problem,
           found_at = excluded.found_at, tried_at = NULL",
        &[digest, &size, &object, &problem, &at],
    )
    .await?;
    Ok(true)
}

/// Serves a blob again, from where it was stored anew. False if it is not damaged any more, or gone.
///
/// # Errors
/// Those of the database.
pub async fn replace(tx: &mut Tx<'_>, digest: &Digest, storage: &str, object: &str) -> Result<bool> {
    let replaced = tx
        .execute(
            "UPDATE blobs SET content = NULL, storage = ?2, object = ?3, damaged_at = NULL
             WHERE digest = ?1 AND damaged_at IS NOT NULL",
            &[digest, &storage, &object],
        )
        .await?;
    tx.execute("DELETE FROM quarantine WHERE digest = ?1", &[digest]).await?;
    Ok(replaced > 0)
}

/// Serves a blob again from where it lies. False if it is not damaged any more, lies elsewhere, or is gone.
///
/// # Errors
/// Those of the database.
pub async fn acquit(tx: &mut Tx<'_>, digest: &Digest, object: Option<&str>) -> Result<bool> {
    let sql = "UPDATE blobs SET damaged_at = NULL
               WHERE digest = ?1 AND coalesce(object, '') = ?2 AND damaged_at IS NOT NULL";
    if tx.execute(sql, &[digest, &object.unwrap_or_default()]).await? == 0 {
        return Ok(false);
    }
    tx.execute("DELETE FROM quarantine WHERE digest = ?1", &[digest]).await?;
    Ok(true)
}

/// Forgets what is not damaged any more, because it was pushed again or collected.
///
/// # Errors
/// Those of the database.
pub async fn forget_healed(tx: &mut Tx<'_>) -> Result<()> {
    tx.execute(
        "DELETE FROM quarantine WHERE NOT EXISTS
           (SELECT 1 FROM blobs b WHERE b.digest = quarantine.digest AND b.damaged_at IS NOT NULL)",
        &[],
    )
    .await?;
    Ok(())
}

fn damaged(row: &Row) -> Result<Damaged> {
    Ok(Damaged { digest: row.get(0)?, size: row.get(1)?, problem: row.get(2)?, found_at: row.get(3)? })
}

/// Up to `limit` damaged blobs after a digest.
///
/// # Errors
/// Those of the database.
pub async fn damaged_after(tx: &mut Tx<'_>, after: &[u8], limit: i64) -> Result<Vec<Damaged>> {
    let rows = tx
        .query(
            "SELECT q.digest, q.size, q.problem, q.found_at FROM quarantine q
             JOIN blobs b ON b.digest = q.digest AND b.damaged_at IS NOT NULL
             WHERE q.digest > ?1 ORDER BY q.digest LIMIT ?2",
            &[&after, &limit],
        )
        .await?;
    rows.iter().map(damaged).collect()
}
