//! What was purged, remembered for restores, and the statements of purges that nothing else needs.

use wharf_types::{Digest, Timestamp};

use super::batch::{BATCH, Texts, each, params};
use crate::{Engine, Result, Row, Tx};

/// A purge's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// Ever growing; pages by this.
    pub id: i64,
    /// The content, or else
    pub digest: Option<Digest>,
    /// the repository, as `<format>/<canonical name>`.
    pub repository: Option<String>,
    /// with its row.
    pub repository_id: Option<i64>,
    /// Who asked for it.
    pub actor: String,
    /// Why, as that one said.
    pub reason: String,
    /// When. What the catalog has of it from later was pushed anew.
    pub at: Timestamp,
    /// The order that it belongs to; `None` for those made when orders had no number.
    pub run: Option<i64>,
    /// Whether its order has still work to do. Not written.
    pub under_way: bool,
}

/// Something that a run has still to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Surrogate key.
    pub id: i64,
    /// What goes unless something uses it.
    pub digest: Digest,
    /// Where it was named.
    pub repository: i64,
    /// Whether it was here when it was written down.
    pub was_here: bool,
}

fn purge(row: &Row) -> Result<Purge> {
    Ok(Purge {
        id: row.get(0)?,
        digest: row.get(1)?,
        repository: row.get(2)?,
        actor: row.get(3)?,
        reason: row.get(4)?,
        at: row.get(5)?,
        run: row.get(6)?,
        under_way: row.get::<i64>(7)? == 1,
        repository_id: row.get(8)?,
    })
}

/// Writes a purge down; the key is chosen here.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, purge: &Purge) -> Result<()> {
    tx.execute(
        "INSERT INTO purges (digest, repository, actor, reason, at, run, repository_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            &purge.digest,
            &purge.repository,
            &purge.actor,
            &purge.reason,
            &purge.at,
            &purge.run,
            &purge.repository_id,
        ],
    )
    .await?;
    Ok(())
}

/// The same, unless the run has it already. Whether it had not.
///
/// # Errors
/// Those of the database.
pub async fn insert_once(tx: &mut Tx<'_>, purge: &Purge) -> Result<bool> {
    let known = match purge.digest {
        Some(digest) => {
            tx.query_opt("SELECT 1 FROM purges WHERE digest = ?1 AND run = ?2", &[&digest, &purge.run]).await?
        }
        None => {
            let sql = "SELECT 1 FROM purges WHERE run = ?1 AND repository_id = ?2";
            tx.query_opt(sql, &[&purge.run, &purge.repository_id]).await?
        }
    };
    if known.is_none() {
        insert(tx, purge).await?;
    }
    Ok(known.is_none())
}

/// When the digest came, or came back, if it is here.
///
/// # Errors
/// Those of the database.
pub async fn came_at(tx: &mut Tx<'_>, digest: &Digest) -> Result<Option<Timestamp>> {
    let row = tx.query_opt("SELECT created_at FROM blobs WHERE digest = ?1", &[digest]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Whether there is a repository with this row, deleted or not.
///
/// # Errors
/// Those of the database.
pub async fn has_repository(tx: &mut Tx<'_>, id: i64) -> Result<bool> {
    Ok(tx.query_opt("SELECT 1 FROM repositories WHERE id = ?1", &[&id]).await?.is_some())
}

/// Up to `limit` purges after `after`, the oldest first.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, after: i64, limit: i64) -> Result<Vec<Purge>> {
    let sql = "SELECT id, digest, repository, actor, reason, at, run,
                 CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE kind = 'purge' AND key = CAST(run AS TEXT)) THEN 1 ELSE 0 END,
                 repository_id
               FROM purges WHERE id > ?1 ORDER BY id LIMIT ?2";
    tx.query(sql, &[&after, &limit]).await?.iter().map(purge).collect()
}

/// Up to `limit` digests of a run, after the row `after`, with their rows' numbers.
///
/// # Errors
/// Those of the database.
pub async fn digests_of(tx: &mut Tx<'_>, run: i64, after: i64, limit: i64) -> Result<Vec<(i64, Digest)>> {
    let sql = "SELECT id, digest FROM purges WHERE run = ?1 AND id > ?2 AND digest IS NOT NULL ORDER BY id LIMIT ?3";
    tx.query(sql, &[&run, &after, &limit]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The digests of a run that are still here from before it, because it was cut off, and when each was purged.
///
/// # Errors
/// Those of the database.
pub async fn left_of(tx: &mut Tx<'_>, run: i64) -> Result<Vec<(Digest, Timestamp)>> {
    let sql = "SELECT p.digest, p.at FROM purges p JOIN blobs b ON b.digest = p.digest
               WHERE p.run = ?1 AND b.created_at <= p.at ORDER BY p.id";
    tx.query(sql, &[&run]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Writes down what a run has to look at. Twice is once.
///
/// # Errors
/// Those of the database.
pub async fn add_candidates(tx: &mut Tx<'_>, run: i64, repository: i64, digests: &[Digest]) -> Result<()> {
    for digest in digests {
        tx.execute(
            "INSERT INTO purge_candidates (run, digest, repository_id, was_here)
             VALUES (?1, ?2, ?3, CASE WHEN EXISTS (SELECT 1 FROM blobs WHERE digest = ?2) THEN 1 ELSE 0 END)
             ON CONFLICT (run, digest, repository_id) DO NOTHING",
            &[&run, digest, &repository],
        )
        .await?;
    }
    Ok(())
}

/// Writes down digests that a repository has.
///
/// # Errors
/// Those of the database.
pub async fn add_held(tx: &mut Tx<'_>, run: i64, repository: i64, digests: &[Digest]) -> Result<()> {
    static SQL: Texts = Texts::new(|rows| {
        format!(
            "INSERT INTO purge_candidates (run, digest, repository_id, was_here) VALUES {}
                 ON CONFLICT (run, digest, repository_id) DO NOTHING",
            each(rows, |row| format!("(?1, ?{}, ?2, 1)", 3 + row))
        )
    });
    for batch in digests.chunks(BATCH) {
        tx.execute(SQL.of(batch), &params(&[&run, &repository], batch)).await?;
    }
    Ok(())
}

/// What a run has to look at next, up to `limit`.
///
/// # Errors
/// Those of the database.
pub async fn candidates(tx: &mut Tx<'_>, run: i64, limit: i64) -> Result<Vec<Candidate>> {
    let sql = "SELECT id, digest, repository_id, was_here FROM purge_candidates WHERE run = ?1 ORDER BY id LIMIT ?2";
    let candidate = |row: &Row| {
        let (id, digest, repository) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Candidate { id, digest, repository, was_here: row.get::<i64>(3)? == 1 })
    };
    tx.query(sql, &[&run, &limit]).await?.iter().map(candidate).collect()
}

/// These have been looked at.
///
/// # Errors
/// Those of the database.
pub async fn remove_candidates(tx: &mut Tx<'_>, candidates: &[Candidate]) -> Result<()> {
    for candidate in candidates {
        tx.execute("DELETE FROM purge_candidates WHERE id = ?1", &[&candidate.id]).await?;
    }
    Ok(())
}

/// Takes a purge back that did not happen: what it is about is still here, and a restore must not leave it out.
///
/// # Errors
/// Those of the database.
pub async fn withdraw(tx: &mut Tx<'_>, digest: &Digest, at: Timestamp) -> Result<bool> {
    let sql = "DELETE FROM purges WHERE digest = ?1 AND at = ?2
                 AND EXISTS (SELECT 1 FROM blobs b WHERE b.digest = ?1 AND b.created_at <= ?2)";
    Ok(tx.execute(sql, &[digest, &at]).await? > 0)
}

/// Removes up to `limit` links to the digest. Says of which repositories.
///
/// # Errors
/// Those of the database.
pub async fn unlink(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<i64>> {
    let rows = tx
        .query(
            "DELETE FROM blob_links WHERE digest = ?1 AND repository_id IN
               (SELECT repository_id FROM blob_links WHERE digest = ?1 LIMIT ?2) RETURNING repository_id",
            &[digest, &limit],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Removes one repository's link to the digest, hidden or not.
///
/// # Errors
/// Those of the database.
pub async fn unlink_from(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<u64> {
    tx.execute("DELETE FROM blob_links WHERE repository_id = ?1 AND digest = ?2", &[&repository, digest]).await
}

/// Makes all objects of the digest that are doomed go now, whatever pins there are.
///
/// # Errors
/// Those of the database.
pub async fn hasten(tx: &mut Tx<'_>, digest: &Digest) -> Result<u64> {
    let sql = "UPDATE doomed_objects SET doomed_at = 0, due_at = 0, leased_until = 0 WHERE digest = ?1";
    tx.execute(sql, &[digest]).await
}

/// Up to `limit` links of a repository, each with its place, that come after the place of a link. On PostgreSQL, which has them by
/// digest, the place is the digest itself.
///
/// # Errors
/// Those of the database.
pub async fn links_of(tx: &mut Tx<'_>, repository: i64, after: Option<&Held>, limit: i64) -> Result<Vec<Held>> {
    let held = |row: &Row| Ok(Held { digest: row.get(0)?, row: row.get(1)? });
    let rows = match tx.engine() {
        Engine::Postgres => {
            let sql = "SELECT digest, CAST(0 AS BIGINT) FROM blob_links
                       WHERE repository_id = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3";
            let after = after.map(|held| held.digest.to_bytes()).unwrap_or_default();
            tx.query(sql, &[&repository, &after, &limit]).await?
        }
        Engine::Sqlite => {
            let after = after.map_or(0, |held| held.row);
            tx.query(LINKS_OF_SQLITE, &[&repository, &after, &limit]).await?
        }
    };
    rows.iter().map(held).collect()
}

/// SQLite has links by digest, those of all repositories together; the index over repositories has them in the order of their rows.
const LINKS_OF_SQLITE: &str =
    "SELECT digest, rowid FROM blob_links WHERE repository_id = ?1 AND rowid > ?2 ORDER BY rowid LIMIT ?3";

/// A link, and where it comes among those of its repository.
#[derive(Debug, Clone)]
pub struct Held {
    /// What it links to.
    pub digest: Digest,
    row: i64,
}

/// Up to `limit` manifests of a repository, after `after`.
///
/// # Errors
/// Those of the database.
pub async fn manifests_of(tx: &mut Tx<'_>, repository: i64, after: &[u8], limit: i64) -> Result<Vec<Digest>> {
    let sql = "SELECT digest FROM manifests WHERE repository_id = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3";
    tx.query(sql, &[&repository, &after, &limit]).await?.iter().map(|row| row.get(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::plan::plan_of;

    #[tokio::test]
    async fn a_page_of_a_repositorys_links_is_read_and_not_sorted() {
        let plan = plan_of(LINKS_OF_SQLITE, 3).await;
        assert!(plan.contains("USING INDEX blob_links_by_repository (repository_id=? AND rowid>?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
