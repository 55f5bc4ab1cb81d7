//! Digests that lost a reference and wait to be looked at by the collector.

use std::time::Duration;

use wharf_types::{Digest, Timestamp};

use super::batch::{BATCH, Texts, each, exact, params, places};
use crate::{Result, Row, ToValue, Tx};

/// A review's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Surrogate key.
    pub id: i64,
    /// The repository whose link may go; `None` if only the bytes may.
    pub repository: Option<i64>,
    /// What lost a reference.
    pub digest: Digest,
    /// By what.
    pub reason: String,
    /// Not before this.
    pub due_at: Timestamp,
}

fn review(row: &Row) -> Result<Review> {
    Ok(Review {
        id: row.get(0)?,
        repository: row.get(1)?,
        digest: row.get(2)?,
        reason: row.get(3)?,
        due_at: row.get(4)?,
    })
}

/// Asks for a review of `digest` after `due`. `repository` names the link that may go; without it only the bytes may.
///
/// # Errors
/// Those of the database.
pub async fn enqueue(
    tx: &mut Tx<'_>,
    repository: Option<i64>,
    digest: &Digest,
    reason: &str,
    due: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO reviews (repository_id, digest, reason, due_at) VALUES (?1, ?2, ?3, ?4)",
        &[&repository, digest, &reason, &due],
    )
    .await?;
    Ok(())
}

/// [`enqueue`] for many.
///
/// # Errors
/// Those of the database.
pub async fn enqueue_all(
    tx: &mut Tx<'_>,
    repository: Option<i64>,
    digests: &[Digest],
    reason: &str,
    due: Timestamp,
) -> Result<()> {
    static SQL: Texts = Texts::new(|rows| {
        let rows = each(rows, |row| format!("(?1, ?{}, ?2, ?3)", 4 + row));
        format!("INSERT INTO reviews (repository_id, digest, reason, due_at) VALUES {rows}")
    });
    for batch in exact(digests) {
        tx.execute(SQL.of(batch), &params(&[&repository, &reason, &due], batch)).await?;
    }
    Ok(())
}

/// Whether a review is due at `now`; asked before anything is written.
///
/// # Errors
/// Those of the database.
pub async fn any_due(tx: &mut Tx<'_>, now: Timestamp) -> Result<bool> {
    let here = tx.now().await?;
    let sql = "SELECT 1 FROM reviews WHERE due_at <= ?1 AND leased_until < ?2 ORDER BY due_at LIMIT 1";
    Ok(tx.query_opt(sql, &[&now, &here]).await?.is_some())
}

/// Leases up to `limit` reviews that are due at `now`, those that wait longest first, for `span` of the database's clock. Two
/// workers never need the same one; should both have it, the second finds nothing left to do.
///
/// # Errors
/// Those of the database.
pub async fn lease(tx: &mut Tx<'_>, now: Timestamp, span: Duration, limit: i64) -> Result<Vec<Review>> {
    let here = tx.now().await?;
    let rows = tx
        .query(
            "UPDATE reviews SET leased_until = ?3 WHERE id IN (
               SELECT id FROM reviews WHERE due_at <= ?1 AND leased_until < ?2 ORDER BY due_at, id LIMIT ?4)
             RETURNING id, repository_id, digest, reason, due_at",
            &[&now, &here, &here.after(span), &limit],
        )
        .await?;
    rows.iter().map(review).collect()
}

/// Up to `limit` reviews that are due at `now`, by (due, id) after `after`.
///
/// # Errors
/// Those of the database.
pub async fn due(tx: &mut Tx<'_>, now: Timestamp, after: (Timestamp, i64), limit: i64) -> Result<Vec<Review>> {
    let rows = tx
        .query(
            "SELECT id, repository_id, digest, reason, due_at FROM reviews
             WHERE due_at <= ?1 AND (due_at, id) > (?2, ?3) ORDER BY due_at, id LIMIT ?4",
            &[&now, &after.0, &after.1, &limit],
        )
        .await?;
    rows.iter().map(review).collect()
}

/// Up to `limit` reviews of a digest, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn of_digest(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<Review>> {
    let rows = tx
        .query(
            "SELECT id, repository_id, digest, reason, due_at FROM reviews WHERE digest = ?1 ORDER BY id LIMIT ?2",
            &[digest, &limit],
        )
        .await?;
    rows.iter().map(review).collect()
}

/// These were looked at.
///
/// # Errors
/// Those of the database.
pub async fn finish(tx: &mut Tx<'_>, ids: &[i64]) -> Result<()> {
    static SQL: Texts = Texts::new(|rows| format!("DELETE FROM reviews WHERE id IN ({})", places(1, rows)));
    on_each(tx, &SQL, &[], ids).await
}

/// To be looked at again from `due` on.
///
/// # Errors
/// Those of the database.
pub async fn put_off(tx: &mut Tx<'_>, ids: &[i64], due: Timestamp) -> Result<()> {
    static SQL: Texts = Texts::new(|rows| {
        format!("UPDATE reviews SET due_at = ?1, leased_until = 0 WHERE id IN ({})", places(2, rows))
    });
    on_each(tx, &SQL, &[&due], ids).await
}

async fn on_each(tx: &mut Tx<'_>, sql: &'static Texts, head: &[&(dyn ToValue + Sync)], ids: &[i64]) -> Result<()> {
    for batch in ids.chunks(BATCH) {
        tx.execute(sql.of(batch), &params(head, batch)).await?;
    }
    Ok(())
}

/// When the review that waits longest became due, and how many are due at `now`, counted up to `most`.
///
/// # Errors
/// Those of the database.
pub async fn backlog(tx: &mut Tx<'_>, now: Timestamp, most: i64) -> Result<(Option<Timestamp>, u64)> {
    let oldest = tx.query_opt("SELECT min(due_at) FROM reviews WHERE due_at <= ?1", &[&now]).await?;
    let oldest = oldest.map_or(Ok(None), |row| row.get(0))?;
    let sql = "SELECT count(*) FROM (SELECT 1 FROM reviews WHERE due_at <= ?1 LIMIT ?2) few";
    Ok((oldest, tx.query_opt(sql, &[&now, &most]).await?.map_or(Ok(0), |row| row.get(0))?))
}

/// What is looked at only after `now`: the digests of up to `most` reviews, and when the first and the last of all are due.
///
/// # Errors
/// Those of the database.
pub async fn ahead(tx: &mut Tx<'_>, now: Timestamp, most: i64) -> Result<Ahead> {
    let sql = "SELECT count(*), CAST(coalesce(sum(b.size), 0) AS BIGINT),
                 (SELECT min(due_at) FROM reviews WHERE due_at > ?1), (SELECT max(due_at) FROM reviews WHERE due_at > ?1)
               FROM (SELECT DISTINCT digest FROM (SELECT digest FROM reviews WHERE due_at > ?1 LIMIT ?2) few) d
               LEFT JOIN blobs b ON b.digest = d.digest";
    let row = tx.query_opt(sql, &[&now, &most]).await?;
    let read = |row: Row| Ok(Ahead { count: row.get(0)?, bytes: row.get(1)?, from: row.get(2)?, until: row.get(3)? });
    row.map_or_else(|| Ok(Ahead::default()), read)
}

/// What waits for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ahead {
    /// How many.
    pub count: u64,
    /// Their bytes, of what is here.
    pub bytes: u64,
    /// When the time of the first is up.
    pub from: Option<Timestamp>,
    /// When that of the last is.
    pub until: Option<Timestamp>,
}
