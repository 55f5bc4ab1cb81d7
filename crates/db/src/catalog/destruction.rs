//! Taking a deleted repository apart, a bounded step at a time. References go before what they point at, so that each step can be
//! the last one before a crash.

use wharf_types::{Digest, Timestamp};

use super::{bin, reviews};
use crate::{Result, ToValue, Tx};

/// Whether the repository was deleted and nothing in the bin would bring it back; `None` if there is no such row.
///
/// # Errors
/// Those of the database.
pub async fn may_go(tx: &mut Tx<'_>, repository: i64) -> Result<Option<bool>> {
    let row = tx
        .query_opt(
            "SELECT CASE WHEN r.deleted_at IS NOT NULL AND NOT EXISTS
               (SELECT 1 FROM bin b WHERE b.repository_id = r.id AND b.kind = 'repository' AND b.ended_at IS NULL) THEN 1 ELSE 0 END
             FROM repositories r WHERE r.id = ?1",
            &[&repository],
        )
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// Repositories that were deleted before `before` and are not in the bin, up to `limit`, by key after `after`.
///
/// # Errors
/// Those of the database.
pub async fn forgotten(tx: &mut Tx<'_>, before: Timestamp, after: i64, limit: i64) -> Result<Vec<i64>> {
    let rows = tx
        .query(
            "SELECT r.id FROM repositories r WHERE r.id > ?2 AND r.deleted_at < ?1
               AND NOT EXISTS (SELECT 1 FROM bin b WHERE b.repository_id = r.id AND b.kind = 'repository' AND b.ended_at IS NULL)
             ORDER BY r.id LIMIT ?3",
            &[&before, &after, &limit],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Rows of a repository that nothing else is to be told of, in the order in which they can go.
const PLAIN: &[&str] = &[
    "DELETE FROM tags WHERE repository_id = ?1 AND name IN
       (SELECT name FROM tags WHERE repository_id = ?1 LIMIT ?2)",
    "DELETE FROM tag_history WHERE id IN (SELECT id FROM tag_history WHERE repository_id = ?1 LIMIT ?2)",
    "DELETE FROM generation_heads WHERE repository_id = ?1 AND channel IN
       (SELECT channel FROM generation_heads WHERE repository_id = ?1 LIMIT ?2)",
    "DELETE FROM repository_settings WHERE repository_id = ?1 AND channel IN
       (SELECT channel FROM repository_settings WHERE repository_id = ?1 LIMIT ?2)",
    "DELETE FROM snapshot_packages WHERE (snapshot_id, name, architecture, version, package_id) IN
       (SELECT p.snapshot_id, p.name, p.architecture, p.version, p.package_id FROM snapshots s
        JOIN snapshot_packages p ON p.snapshot_id = s.id WHERE s.repository_id = ?1 LIMIT ?2)",
    "DELETE FROM snapshots WHERE id IN (SELECT id FROM snapshots WHERE repository_id = ?1 LIMIT ?2)",
    "DELETE FROM package_changes WHERE id IN (SELECT id FROM package_changes WHERE repository_id = ?1 LIMIT ?2)",
    "DELETE FROM signing_keys WHERE id IN (SELECT id FROM signing_keys WHERE repository_id = ?1 LIMIT ?2)",
];

/// Rows of a repository that hold digests, which lose a reference with them.
const HOLDING: &[&str] = &[
    "DELETE FROM bin_references WHERE bin_id IN (SELECT id FROM bin WHERE repository_id = ?1) AND digest IN
       (SELECT digest FROM bin_references WHERE bin_id IN (SELECT id FROM bin WHERE repository_id = ?1) LIMIT ?2)
     RETURNING digest",
    "DELETE FROM bin WHERE id IN (SELECT id FROM bin WHERE repository_id = ?1 LIMIT ?2) RETURNING digest",
    // Their fragments and places go with them.
    "DELETE FROM packages WHERE id IN (SELECT id FROM packages WHERE repository_id = ?1 LIMIT ?2) RETURNING digest",
    "DELETE FROM generation_segments WHERE (generation_id, path, position) IN
       (SELECT s.generation_id, s.path, s.position FROM generations g
        JOIN generation_segments s ON s.generation_id = g.id WHERE g.repository_id = ?1 LIMIT ?2)
     RETURNING digest",
    "DELETE FROM generation_pieces WHERE (generation_id, part, kind, number) IN
       (SELECT p.generation_id, p.part, p.kind, p.number FROM generations g
        JOIN generation_pieces p ON p.generation_id = g.id WHERE g.repository_id = ?1 LIMIT ?2)
     RETURNING digest",
    // Their references go with them.
    "DELETE FROM manifests WHERE repository_id = ?1 AND digest IN
       (SELECT digest FROM manifests WHERE repository_id = ?1 LIMIT ?2) RETURNING digest",
    "DELETE FROM blob_links WHERE repository_id = ?1 AND digest IN
       (SELECT digest FROM blob_links WHERE repository_id = ?1 LIMIT ?2) RETURNING digest",
];

/// What is left of the generations, and at last the repository.
const SHELL: &[&str] = &[
    "DELETE FROM generation_files WHERE (generation_id, path) IN
       (SELECT f.generation_id, f.path FROM generations g
        JOIN generation_files f ON f.generation_id = g.id WHERE g.repository_id = ?1 LIMIT ?2)",
    "DELETE FROM generations WHERE id IN (SELECT id FROM generations WHERE repository_id = ?1 LIMIT ?2)",
    "DELETE FROM repositories WHERE id IN (SELECT id FROM repositories WHERE id = ?1 LIMIT ?2)",
];

/// Removes up to `limit` rows of what comes next and asks for reviews of the digests in them, due at `due`. False when nothing
/// was left and the repository itself is gone. Its uploads must be gone already, because they have bytes.
///
/// # Errors
/// Those of the database.
pub async fn step(tx: &mut Tx<'_>, repository: i64, reason: &str, due: Timestamp, limit: i64) -> Result<bool> {
    let params: [&(dyn ToValue + Sync); 2] = [&repository, &limit];
    for sql in PLAIN {
        if tx.execute(sql, &params).await? > 0 {
            return Ok(true);
        }
    }
    for sql in HOLDING {
        if sql.starts_with("DELETE FROM bin WHERE") {
            bin::keep_numbers(tx).await?;
        }
        let rows = tx.query(sql, &params).await?;
        if rows.is_empty() {
            continue;
        }
        let digests: Vec<Option<Digest>> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        let mut digests: Vec<Digest> = digests.into_iter().flatten().collect();
        digests.sort_unstable();
        digests.dedup();
        reviews::enqueue_all(tx, None, &digests, reason, due).await?;
        return Ok(true);
    }
    for sql in SHELL {
        if tx.execute(sql, &params).await? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
