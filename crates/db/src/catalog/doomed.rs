//! Objects whose blob row is gone and whose bytes are not yet.

use std::sync::LazyLock;
use std::time::Duration;

use wharf_types::{Digest, Timestamp};

use super::batch::{BATCH, Texts, each, filled, params, places};
use super::collection::Gone;
use crate::{Result, Row, Tx};

/// A doomed object's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// Its key in the storage.
    pub object: String,
    /// Bytes.
    pub size: u64,
    /// What it hashed to.
    pub digest: Option<Digest>,
    /// When its blob row went.
    pub doomed_at: Timestamp,
    /// It stays until then, for pulls under way.
    pub due_at: Timestamp,
}

fn doomed(row: &Row) -> Result<Doomed> {
    Ok(Doomed {
        object: row.get(0)?,
        size: row.get(1)?,
        digest: row.get(2)?,
        doomed_at: row.get(3)?,
        due_at: row.get(4)?,
    })
}

/// Writes down what is to be removed from its storage, in the transaction that removed the blob's row.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, gone: &[Gone], at: Timestamp, due: Timestamp) -> Result<()> {
    static SQL: Texts = Texts::new(|rows| {
        let row = |row| format!("({}, ?1, ?2)", places(3 + 4 * row, 4));
        format!(
            "INSERT INTO doomed_objects (object, storage, size, digest, doomed_at, due_at) VALUES {}
                 ON CONFLICT (object) DO NOTHING",
            each(rows, row)
        )
    });
    let stored: Vec<_> =
        gone.iter().filter_map(|gone| gone.object.as_ref().map(|(storage, object)| (gone, storage, object))).collect();
    for batch in stored.chunks(BATCH) {
        let mut params: Vec<&(dyn crate::ToValue + Sync)> = vec![&at, &due];
        for (gone, storage, object) in filled(batch) {
            params.extend_from_slice(&[*object, *storage, &gone.size, &gone.digest]);
        }
        tx.execute(SQL.of(batch), &params).await?;
    }
    Ok(())
}

/// No pin that lives at `?3` needs the object `d`: none was made before it was doomed.
const UNPINNED: &str = "NOT EXISTS (SELECT 1 FROM pins p WHERE p.since <= d.doomed_at AND p.expires_at > ?3)";

/// Whether an object of `storage` can be removed at `now`; asked before anything is written.
///
/// # Errors
/// Those of the database.
pub async fn any_due(tx: &mut Tx<'_>, storage: &str, now: Timestamp) -> Result<bool> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT 1 FROM doomed_objects d WHERE storage = ?1 AND due_at <= ?2 AND leased_until < ?3 AND {UNPINNED}
             ORDER BY due_at LIMIT 1"
        )
    });
    let here = tx.now().await?;
    Ok(tx.query_opt(SQL.as_str(), &[&storage, &now, &here]).await?.is_some())
}

/// Leases up to `limit` objects of `storage` that can be removed at `now`, for `span` of the database's clock. The lease must be
/// durable before the first of them goes: it makes the removal of their blobs' rows durable too, and a row that came back after
/// a power cut would point at nothing.
///
/// # Errors
/// Those of the database.
pub async fn lease(tx: &mut Tx<'_>, storage: &str, now: Timestamp, span: Duration, limit: i64) -> Result<Vec<Doomed>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "UPDATE doomed_objects SET leased_until = ?4 WHERE object IN (
               SELECT object FROM doomed_objects d
               WHERE storage = ?1 AND due_at <= ?2 AND leased_until < ?3 AND {UNPINNED} ORDER BY due_at, object LIMIT ?5)
             RETURNING object, size, digest, doomed_at, due_at"
        )
    });
    let here = tx.now().await?;
    let rows = tx.query(SQL.as_str(), &[&storage, &now, &here, &here.after(span), &limit]).await?;
    rows.iter().map(doomed).collect()
}

/// These are gone from the storage.
///
/// # Errors
/// Those of the database.
pub async fn finish(tx: &mut Tx<'_>, objects: &[String]) -> Result<()> {
    static SQL: Texts = Texts::new(|rows| format!("DELETE FROM doomed_objects WHERE object IN ({})", places(1, rows)));
    for batch in objects.chunks(BATCH) {
        tx.execute(SQL.of(batch), &params(&[], batch)).await?;
    }
    Ok(())
}

/// Up to `limit` doomed objects with keys after `after`, in key order.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, after: &str, limit: i64) -> Result<Vec<Doomed>> {
    let rows = tx
        .query(
            "SELECT object, size, digest, doomed_at, due_at FROM doomed_objects
             WHERE object > ?1 ORDER BY object LIMIT ?2",
            &[&after, &limit],
        )
        .await?;
    rows.iter().map(doomed).collect()
}

/// The objects that held the bytes of a digest and are doomed, up to `limit`.
///
/// # Errors
/// Those of the database.
pub async fn of_digest(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<Doomed>> {
    let sql = "SELECT object, size, digest, doomed_at, due_at FROM doomed_objects WHERE digest = ?1 LIMIT ?2";
    tx.query(sql, &[digest, &limit]).await?.iter().map(doomed).collect()
}

/// How many objects wait and how many bytes they have, counted up to `most` objects.
///
/// # Errors
/// Those of the database.
pub async fn waiting(tx: &mut Tx<'_>, most: i64) -> Result<(u64, u64)> {
    let sql = "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT)
               FROM (SELECT size FROM doomed_objects LIMIT ?1) few";
    tx.query_opt(sql, &[&most]).await?.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}
