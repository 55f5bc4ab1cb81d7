//! What nothing uses any more, found by index. The statements that look and those that remove belong into one transaction: then
//! whoever pushes, mounts or names the same digest meanwhile wins or brings it again.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use wharf_types::{Digest, Timestamp};

use super::batch::{BATCH, Texts, params, places};
use crate::{Result, Row, Tx};

/// A link under review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Which repository has it.
    pub repository: i64,
    /// What it gives out.
    pub digest: Digest,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when it is hidden, if it is.
    pub expiring_at: Option<Timestamp>,
    /// Whether anything in the repository uses it, or something in the bin would.
    pub needed: bool,
}

/// What uses the link `l`. Subqueries with a limit are looked up row by row: a join might read a whole table, and on PostgreSQL
/// conflict with every push into it.
const NEEDED: &str = "CASE WHEN
      (SELECT 1 FROM manifest_references u WHERE u.target = l.digest AND u.repository_id = l.repository_id LIMIT 1) IS NOT NULL
      OR (SELECT 1 FROM packages u WHERE u.digest = l.digest AND u.repository_id = l.repository_id LIMIT 1) IS NOT NULL
      OR (SELECT 1 FROM bin_references u WHERE u.digest = l.digest AND u.repository_id = l.repository_id LIMIT 1) IS NOT NULL
      OR (SELECT 1 FROM generation_segments u JOIN generations g ON g.id = u.generation_id
          WHERE u.digest = l.digest AND g.repository_id = l.repository_id LIMIT 1) IS NOT NULL
      OR (SELECT 1 FROM generation_pieces u JOIN generations g ON g.id = u.generation_id
          WHERE u.digest = l.digest AND g.repository_id = l.repository_id LIMIT 1) IS NOT NULL
    THEN 1 ELSE 0 END";

/// Nothing uses the blob `b`.
const UNUSED: &str = "(SELECT 1 FROM blob_links u WHERE u.digest = b.digest LIMIT 1) IS NULL
      AND (SELECT 1 FROM manifests u WHERE u.digest = b.digest LIMIT 1) IS NULL
      AND (SELECT 1 FROM packages u WHERE u.digest = b.digest LIMIT 1) IS NULL
      AND (SELECT 1 FROM generation_segments u WHERE u.digest = b.digest LIMIT 1) IS NULL
      AND (SELECT 1 FROM generation_pieces u WHERE u.digest = b.digest LIMIT 1) IS NULL
      AND (SELECT 1 FROM bin_references u WHERE u.digest = b.digest LIMIT 1) IS NULL";

fn link(row: &Row) -> Result<Link> {
    Ok(Link {
        repository: row.get(0)?,
        digest: row.get(1)?,
        created_at: row.get(2)?,
        expiring_at: row.get(3)?,
        needed: row.get(4)?,
    })
}

/// The links that reviews are about, with the review's key. A review without one has no link to look at.
///
/// # Errors
/// Those of the database.
pub async fn links_under_review(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<(i64, Link)>> {
    static SQL: Texts = Texts::new(|rows| {
        format!(
            "SELECT l.repository_id, l.digest, l.created_at, l.expiring_at, {NEEDED}, r.id FROM reviews r
                 JOIN blob_links l ON l.repository_id = r.repository_id AND l.digest = r.digest WHERE r.id IN ({})",
            places(1, rows)
        )
    });
    let mut links = Vec::with_capacity(ids.len());
    for batch in ids.chunks(BATCH) {
        for row in tx.query(SQL.of(batch), &params(&[], batch)).await? {
            links.push((row.get(5)?, link(&row)?));
        }
    }
    Ok(links)
}

/// One link.
///
/// # Errors
/// Those of the database.
pub async fn link_of(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<Option<Link>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT l.repository_id, l.digest, l.created_at, l.expiring_at, {NEEDED} FROM blob_links l
             WHERE l.repository_id = ?1 AND l.digest = ?2"
        )
    });
    tx.query_opt(SQL.as_str(), &[&repository, digest]).await?.as_ref().map(link).transpose()
}

/// Hides links (`at` says since when), or shows them again. Says how many links that were.
///
/// # Errors
/// Those of the database.
pub async fn hide(tx: &mut Tx<'_>, links: &[Link], at: Option<Timestamp>) -> Result<u64> {
    static SQL: Texts = Texts::new(|rows| {
        let digests = places(3, rows);
        format!("UPDATE blob_links SET expiring_at = ?1 WHERE repository_id = ?2 AND digest IN ({digests})")
    });
    let mut changed = 0;
    for (repository, digests) in by_repository(links) {
        for batch in digests.chunks(BATCH) {
            changed += tx.execute(SQL.of(batch), &params(&[&at, &repository], batch)).await?;
        }
    }
    Ok(changed)
}

/// Removes links. Says how many.
///
/// # Errors
/// Those of the database.
pub async fn unlink(tx: &mut Tx<'_>, links: &[Link]) -> Result<u64> {
    static SQL: Texts = Texts::new(|rows| {
        format!("DELETE FROM blob_links WHERE repository_id = ?1 AND digest IN ({})", places(2, rows))
    });
    let mut gone = 0;
    for (repository, digests) in by_repository(links) {
        for batch in digests.chunks(BATCH) {
            gone += tx.execute(SQL.of(batch), &params(&[&repository], batch)).await?;
        }
    }
    Ok(gone)
}

/// What is linked, by the repository's key.
pub fn by_repository(links: &[Link]) -> BTreeMap<i64, Vec<Digest>> {
    let mut digests: BTreeMap<i64, Vec<Digest>> = BTreeMap::new();
    for link in links {
        digests.entry(link.repository).or_default().push(link.digest);
    }
    digests
}

/// A blob whose row is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// What it hashed to.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Storage and key of its object; `None` if its bytes lay in the row and went with it.
    pub object: Option<(String, String)>,
}

fn gone(row: &Row) -> Result<Gone> {
    let storage: Option<String> = row.get(2)?;
    Ok(Gone { digest: row.get(0)?, size: row.get(1)?, object: storage.zip(row.get(3)?) })
}

/// Removes the rows of those of `digests` that nothing uses. Their objects are still there: [`doomed::insert`](super::doomed::insert).
///
/// # Errors
/// Those of the database.
pub async fn remove_unused(tx: &mut Tx<'_>, digests: &[Digest]) -> Result<Vec<Gone>> {
    static SQL: Texts = Texts::new(|rows| {
        format!(
            "DELETE FROM blobs WHERE digest IN (SELECT b.digest FROM blobs b WHERE b.digest IN ({}) AND {UNUSED})
                 RETURNING digest, size, storage, object",
            places(1, rows)
        )
    });
    let mut removed = Vec::new();
    for batch in digests.chunks(BATCH) {
        for row in tx.query(SQL.of(batch), &params(&[], batch)).await? {
            removed.push(gone(&row)?);
        }
    }
    Ok(removed)
}

/// The links to a blob, up to `limit`.
///
/// # Errors
/// Those of the database.
pub async fn links_to(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<Link>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT l.repository_id, l.digest, l.created_at, l.expiring_at, {NEEDED} FROM blob_links l
             WHERE l.digest = ?1 ORDER BY l.repository_id LIMIT ?2"
        )
    });
    tx.query(SQL.as_str(), &[digest, &limit]).await?.iter().map(link).collect()
}

/// Whether anything but links uses a blob.
///
/// # Errors
/// Those of the database.
pub async fn is_held(tx: &mut Tx<'_>, digest: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM manifests WHERE digest = ?1 UNION ALL SELECT 1 FROM packages WHERE digest = ?1
               UNION ALL SELECT 1 FROM generation_segments WHERE digest = ?1
               UNION ALL SELECT 1 FROM generation_pieces WHERE digest = ?1
               UNION ALL SELECT 1 FROM bin_references WHERE digest = ?1 LIMIT 1";
    Ok(tx.query_opt(sql, &[digest]).await?.is_some())
}

/// A place in the order in which links are looked at: by age, then by key.
pub type Place = (Timestamp, i64, Vec<u8>);

/// Where the last look at the links ended.
///
/// # Errors
/// Those of the database.
pub async fn cursor(tx: &mut Tx<'_>) -> Result<Place> {
    let row = tx.query_opt("SELECT created_at, repository_id, digest FROM link_cursor WHERE id = 1", &[]).await?;
    let Some(row) = row else { return Ok(Place::default()) };
    Ok((row.get(0)?, row.get(1)?, row.get::<Option<Vec<u8>>>(2)?.unwrap_or_default()))
}

/// Up to `limit` links after `after` that were made up to `until`, in the order of the cursor.
///
/// # Errors
/// Those of the database.
pub async fn links_by_age(tx: &mut Tx<'_>, after: &Place, until: Timestamp, limit: i64) -> Result<Vec<Link>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT l.repository_id, l.digest, l.created_at, l.expiring_at, {NEEDED} FROM blob_links l
             WHERE (l.created_at, l.repository_id, l.digest) > (?1, ?2, ?3) AND l.created_at <= ?4
             ORDER BY l.created_at, l.repository_id, l.digest LIMIT ?5"
        )
    });
    let rows = tx.query(SQL.as_str(), &[&after.0, &after.1, &after.2, &until, &limit]).await?;
    rows.iter().map(link).collect()
}

/// Up to `limit` links after the cursor that were made up to `until`, and moves the cursor behind them.
///
/// # Errors
/// Those of the database.
pub async fn pass_links(tx: &mut Tx<'_>, until: Timestamp, limit: i64) -> Result<Vec<Link>> {
    let from = cursor(tx).await?;
    let links = links_by_age(tx, &from, until, limit).await?;
    if let Some(last) = links.last() {
        tx.execute(
            "UPDATE link_cursor SET created_at = ?1, repository_id = ?2, digest = ?3 WHERE id = 1",
            &[&last.created_at, &last.repository, &last.digest],
        )
        .await?;
    }
    Ok(links)
}
