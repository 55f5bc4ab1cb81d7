//! How far the scrub has read, and what it found.

use wharf_types::{Digest, Timestamp};

use super::blobs::{Blob, Place};
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
    /// Blobs whose bytes could not be read.
    pub unread: u64,
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
    let sql = "SELECT cursor, begun_at, finished_at, blobs, bytes, damaged, unread FROM scrub WHERE id = 1";
    let row = tx.query_opt(sql, &[]).await?;
    row.map_or(Ok(Pass::default()), |row| {
        Ok(Pass {
            cursor: row.get(0)?,
            begun_at: row.get(1)?,
            finished_at: row.get(2)?,
            blobs: row.get(3)?,
            bytes: row.get(4)?,
            damaged: row.get(5)?,
            unread: row.get(6)?,
        })
    })
}

/// When a pass came to its end last, be it the one that is under way or one before it.
///
/// # Errors
/// Those of the database.
pub async fn last_ended(tx: &mut Tx<'_>) -> Result<Option<Timestamp>> {
    // A program that is one version older writes the first column only.
    let sql = "SELECT coalesce(finished_at, ended_at) FROM scrub WHERE id = 1";
    tx.query_opt(sql, &[]).await?.map_or(Ok(None), |row| row.get(0))
}

/// Writes down how far it is.
///
/// # Errors
/// Those of the database.
pub async fn set_pass(tx: &mut Tx<'_>, pass: &Pass) -> Result<()> {
    tx.execute(
        "UPDATE scrub SET cursor = ?1, begun_at = ?2, finished_at = ?3, ended_at = coalesce(?3, ended_at), blobs = ?4, bytes = ?5,
           damaged = ?6, unread = ?7 WHERE id = 1",
        &[&pass.cursor, &pass.begun_at, &pass.finished_at, &pass.blobs, &pass.bytes, &pass.damaged, &pass.unread],
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

/// Up to `limit` blobs after a digest whose bytes lie in a storage, and that are not damaged.
///
/// # Errors
/// Those of the database.
pub async fn stored_after(tx: &mut Tx<'_>, after: &[u8], limit: i64) -> Result<Vec<Blob>> {
    let sql = "SELECT digest, size, content, storage, object FROM blobs
               WHERE digest > ?1 AND object IS NOT NULL AND damaged_at IS NULL ORDER BY digest LIMIT ?2";
    tx.query(sql, &[&after, &limit]).await?.iter().map(super::blobs::blob).collect()
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
        "INSERT INTO quarantine (digest, size, object, problem, found_at, tried_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
         ON CONFLICT (digest) DO UPDATE SET object = excluded.object, problem = excluded.problem,
           found_at = excluded.found_at, tried_at = excluded.tried_at",
        &[digest, &size, &object, &problem, &at],
    )
    .await?;
    was_read(tx, digest).await?;
    Ok(true)
}

/// Notes that a blob could not be read. Gives when that was noted first, if it lay in the same place then.
///
/// # Errors
/// Those of the database.
pub async fn note_unread(
    tx: &mut Tx<'_>,
    digest: &Digest,
    object: Option<&str>,
    problem: &str,
    at: Timestamp,
) -> Result<Option<Timestamp>> {
    let known = "SELECT found_at FROM unread WHERE digest = ?1 AND coalesce(object, '') = ?2";
    let known = tx.query_opt(known, &[digest, &object.unwrap_or_default()]).await?;
    let first: Option<Timestamp> = known.map(|row| row.get(0)).transpose()?;
    tx.execute(
        "INSERT INTO unread (digest, object, problem, found_at, tried_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (digest) DO UPDATE SET object = excluded.object, problem = excluded.problem,
           found_at = excluded.found_at, tried_at = excluded.tried_at",
        &[digest, &object, &problem, &first.unwrap_or(at), &at],
    )
    .await?;
    Ok(first)
}

/// Notes that the object of a blob was not there for somebody who asked for it: it is to be tried at once.
///
/// # Errors
/// Those of the database.
pub async fn suspect(tx: &mut Tx<'_>, digest: &Digest, object: &str, problem: &str, at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO unread (digest, object, problem, found_at, tried_at) VALUES (?1, ?2, ?3, ?4, 0)
         ON CONFLICT (digest) DO UPDATE SET tried_at = 0",
        &[digest, &object, &problem, &at],
    )
    .await?;
    Ok(())
}

/// Forgets that a blob could not be read.
///
/// # Errors
/// Those of the database.
pub async fn was_read(tx: &mut Tx<'_>, digest: &Digest) -> Result<()> {
    tx.execute("DELETE FROM unread WHERE digest = ?1", &[digest]).await?;
    Ok(())
}

/// Up to `limit` blobs that are damaged, or could not be read, and were not tried since `before`, each with whether it is damaged.
/// From now on they were tried `at`.
///
/// # Errors
/// Those of the database.
pub async fn retry(tx: &mut Tx<'_>, before: Timestamp, at: Timestamp, limit: i64) -> Result<Vec<(Blob, bool)>> {
    const COLUMNS: [&str; 2] = [
        "SELECT b.digest, b.size, b.content, b.storage, b.object, 1 FROM quarantine q
         JOIN blobs b ON b.digest = q.digest AND b.damaged_at IS NOT NULL
         WHERE q.tried_at <= ?1 ORDER BY q.tried_at, q.digest LIMIT ?2",
        "SELECT b.digest, b.size, b.content, b.storage, b.object, 0 FROM unread u
         JOIN blobs b ON b.digest = u.digest AND b.damaged_at IS NULL
         WHERE u.tried_at <= ?1 ORDER BY u.tried_at, u.digest LIMIT ?2",
    ];
    let mut found = Vec::new();
    for sql in COLUMNS {
        for row in tx.query(sql, &[&before, &limit]).await? {
            found.push((super::blobs::blob(&row)?, row.get(5)?));
        }
    }
    for (blob, damaged) in &found {
        let sql = if *damaged {
            "UPDATE quarantine SET tried_at = ?2 WHERE digest = ?1"
        } else {
            "UPDATE unread SET tried_at = ?2 WHERE digest = ?1"
        };
        tx.execute(sql, &[&blob.digest, &at]).await?;
    }
    Ok(found)
}

/// Whether anything is damaged or unread that was not tried since `before`.
///
/// # Errors
/// Those of the database.
pub async fn retry_is_due(tx: &mut Tx<'_>, before: Timestamp) -> Result<bool> {
    let sql =
        "SELECT 1 FROM quarantine WHERE tried_at <= ?1 UNION ALL SELECT 1 FROM unread WHERE tried_at <= ?1 LIMIT 1";
    Ok(tx.query_opt(sql, &[&before]).await?.is_some())
}

/// Whether a blob is damaged.
///
/// # Errors
/// Those of the database.
pub async fn is_damaged(tx: &mut Tx<'_>, digest: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM blobs WHERE digest = ?1 AND damaged_at IS NOT NULL";
    Ok(tx.query_opt(sql, &[digest]).await?.is_some())
}

/// Whether the bytes of a blob are read out of its row, whatever their size: some repository, or the bin, has it as a manifest.
///
/// # Errors
/// Those of the database.
pub async fn is_manifest(tx: &mut Tx<'_>, digest: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM manifests WHERE digest = ?1
               UNION ALL SELECT 1 FROM bin_references r JOIN bin e ON e.id = r.bin_id
                 WHERE r.digest = ?1 AND e.digest = r.digest AND e.kind = 'manifest' LIMIT 1";
    Ok(tx.query_opt(sql, &[digest]).await?.is_some())
}

/// Serves a blob again, from where it was stored anew. False if it is not damaged any more, gone, or a manifest, whose bytes
/// belong into its row.
///
/// # Errors
/// Those of the database.
pub async fn replace(tx: &mut Tx<'_>, digest: &Digest, place: &Place) -> Result<bool> {
    let (content, storage, object) = match place {
        Place::Here(content) => (Some(content.as_slice()), None, None),
        Place::Stored { storage, object } => (None, Some(storage.as_str()), Some(object.as_str())),
    };
    if content.is_none() && is_manifest(tx, digest).await? {
        return Ok(false);
    }
    let replaced = tx
        .execute(
            "UPDATE blobs SET content = ?2, storage = ?3, object = ?4, damaged_at = NULL
             WHERE digest = ?1 AND damaged_at IS NOT NULL",
            &[digest, &content, &storage, &object],
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

/// Forgets what is not damaged any more, because it was pushed again or collected, and what could not be read and is gone.
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
    let gone = "DELETE FROM unread WHERE NOT EXISTS
                  (SELECT 1 FROM blobs b WHERE b.digest = unread.digest AND b.damaged_at IS NULL)";
    tx.execute(gone, &[]).await?;
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

/// How many blobs are damaged, counted up to `most`.
///
/// # Errors
/// Those of the database.
pub async fn count_damaged(tx: &mut Tx<'_>, most: i64) -> Result<u64> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM quarantine q JOIN blobs b ON b.digest = q.digest
               WHERE b.damaged_at IS NOT NULL LIMIT ?1) few";
    tx.query_opt(sql, &[&most]).await?.map_or(Ok(0), |row| row.get(0))
}
