//! Tags and their history.

use wharf_types::{Digest, Tag, Timestamp};

use super::batch::{BATCH, Texts, each, exact, params, places};
use crate::{Result, Row, Tx};

/// A tag's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The tag.
    pub name: Tag,
    /// What it points at.
    pub digest: Digest,
    /// Since when.
    pub updated_at: Timestamp,
}

/// What a tag points at.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, repository: i64, tag: &Tag) -> Result<Option<Digest>> {
    let sql = "SELECT digest FROM tags WHERE repository_id = ?1 AND name = ?2";
    tx.query_opt(sql, &[&repository, tag]).await?.map(|row| row.get(0)).transpose()
}

/// Points a tag at a manifest of the same repository.
///
/// # Errors
/// Those of the database; a constraint error if the manifest is not there.
pub async fn put(tx: &mut Tx<'_>, repository: i64, tag: &Tag, digest: &Digest, at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO tags (repository_id, name, digest, updated_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (repository_id, name) DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at",
        &[&repository, tag, digest, &at],
    )
    .await?;
    Ok(())
}

/// Removes a tag. False if it was not there.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, repository: i64, tag: &Tag) -> Result<bool> {
    Ok(tx.execute("DELETE FROM tags WHERE repository_id = ?1 AND name = ?2", &[&repository, tag]).await? > 0)
}

/// The tags that point at a manifest.
///
/// # Errors
/// Those of the database.
pub async fn of_manifest(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<Vec<Tag>> {
    let sql = "SELECT name FROM tags WHERE repository_id = ?1 AND digest = ?2 ORDER BY name";
    tx.query(sql, &[&repository, digest]).await?.iter().map(|row| row.get(0)).collect()
}

/// Up to `limit` tags after `after`, bytewise.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, repository: i64, after: &str, limit: i64) -> Result<Vec<Tagged>> {
    let rows = tx
        .query(
            "SELECT name, digest, updated_at FROM tags WHERE repository_id = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
            &[&repository, &after, &limit],
        )
        .await?;
    rows.iter().map(|row| Ok(Tagged { name: row.get(0)?, digest: row.get(1)?, updated_at: row.get(2)? })).collect()
}

/// The names of up to `limit` tags after `after`, bytewise: from the index alone.
///
/// # Errors
/// Those of the database.
pub async fn names(tx: &mut Tx<'_>, repository: i64, after: &str, limit: i64) -> Result<Vec<String>> {
    let sql = "SELECT name FROM tags WHERE repository_id = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
    tx.query(sql, &[&repository, &after, &limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// By which act a tag moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A manifest was pushed by the tag.
    Push,
    /// The tag was deleted, or the manifest under it.
    Delete,
    /// Somebody put it back to where it was.
    Rollback,
    /// It came out of the bin.
    Restore,
}

impl Act {
    const ALL: [Self; 4] = [Self::Push, Self::Delete, Self::Rollback, Self::Restore];

    /// As the column holds it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Delete => "delete",
            Self::Rollback => "rollback",
            Self::Restore => "restore",
        }
    }
}

/// A move of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Pages by this; ever growing. Not looked at when a move is recorded.
    pub id: i64,
    /// The tag.
    pub tag: Tag,
    /// Where it pointed before; `None` when it is new.
    pub old: Option<Digest>,
    /// Where it points now; `None` when it was removed.
    pub new: Option<Digest>,
    /// By which act.
    pub act: Act,
    /// Who moved it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// Writes a move down.
///
/// # Errors
/// Those of the database.
pub async fn record(tx: &mut Tx<'_>, repository: i64, moved: &Move) -> Result<()> {
    tx.execute(
        "INSERT INTO tag_history (repository_id, tag, old_digest, new_digest, action, actor, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[&repository, &moved.tag, &moved.old, &moved.new, &moved.act.as_str(), &moved.actor, &moved.at],
    )
    .await?;
    Ok(())
}

/// Removes every tag of a manifest and writes the moves down, however many there are.
///
/// # Errors
/// Those of the database.
pub async fn remove_all(tx: &mut Tx<'_>, repository: i64, digest: &Digest, actor: &str, at: Timestamp) -> Result<u64> {
    tx.execute(
        "INSERT INTO tag_history (repository_id, tag, old_digest, new_digest, action, actor, at)
         SELECT repository_id, name, digest, NULL, CAST(?3 AS TEXT), CAST(?4 AS TEXT), CAST(?5 AS BIGINT) FROM tags
         WHERE repository_id = ?1 AND digest = ?2 ORDER BY name",
        &[&repository, digest, &Act::Delete.as_str(), &actor, &at],
    )
    .await?;
    tx.execute("DELETE FROM tags WHERE repository_id = ?1 AND digest = ?2", &[&repository, digest]).await
}

/// Those of `wanted` that are there.
///
/// # Errors
/// Those of the database.
pub async fn there(tx: &mut Tx<'_>, repository: i64, wanted: &[Tag]) -> Result<Vec<Tag>> {
    static SQL: Texts =
        Texts::new(|rows| format!("SELECT name FROM tags WHERE repository_id = ?1 AND name IN ({})", places(2, rows)));
    let mut found = Vec::new();
    for batch in wanted.chunks(BATCH) {
        for row in tx.query(SQL.of(batch), &params(&[&repository], batch)).await? {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

/// Makes tags that are not there, and writes the moves down.
///
/// # Errors
/// Those of the database; a constraint error if the manifest is not there.
pub async fn put_new(
    tx: &mut Tx<'_>,
    repository: i64,
    names: &[Tag],
    digest: &Digest,
    (act, actor): (Act, &str),
    at: Timestamp,
) -> Result<()> {
    static TAGS: Texts = Texts::new(|rows| {
        format!(
            "INSERT INTO tags (repository_id, name, digest, updated_at) VALUES {}
                 ON CONFLICT (repository_id, name) DO NOTHING",
            each(rows, |row| format!("(?1, ?{}, ?2, ?3)", 4 + row))
        )
    });
    static MOVES: Texts = Texts::new(|rows| {
        format!(
            "INSERT INTO tag_history (repository_id, tag, new_digest, action, actor, at) VALUES {}",
            each(rows, |row| format!("(?1, ?{}, ?2, ?3, ?4, ?5)", 6 + row))
        )
    });
    for batch in exact(names) {
        tx.execute(TAGS.of(batch), &params(&[&repository, digest, &at], batch)).await?;
        tx.execute(MOVES.of(batch), &params(&[&repository, digest, &act.as_str(), &actor, &at], batch)).await?;
    }
    Ok(())
}

/// Up to `limit` moves of a tag before the move `before`, newest first.
///
/// # Errors
/// Those of the database.
pub async fn history(
    tx: &mut Tx<'_>,
    repository: i64,
    tag: &Tag,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Move>> {
    let rows = tx
        .query(
            "SELECT id, tag, old_digest, new_digest, action, actor, at FROM tag_history
             WHERE repository_id = ?1 AND tag = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4",
            &[&repository, tag, &before.unwrap_or(i64::MAX), &limit],
        )
        .await?;
    rows.iter().map(moved).collect()
}

fn moved(row: &Row) -> Result<Move> {
    let (new, act) = (row.get::<Option<Digest>>(3)?, row.get::<Option<String>>(4)?);
    // Older programs wrote none.
    let usual = if new.is_none() { Act::Delete } else { Act::Push };
    let act = act.and_then(|text| Act::ALL.into_iter().find(|act| act.as_str() == text)).unwrap_or(usual);
    Ok(Move { id: row.get(0)?, tag: row.get(1)?, old: row.get(2)?, new, act, actor: row.get(5)?, at: row.get(6)? })
}

/// Forgets up to `limit` moves made before `before`, the oldest first. How many were forgotten.
///
/// # Errors
/// Those of the database.
pub async fn trim_history(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64> {
    // Moves are numbered as they happen, so the first numbers are the oldest: no index by time is needed.
    tx.execute(
        "DELETE FROM tag_history WHERE at < ?1 AND id IN (SELECT id FROM tag_history ORDER BY id LIMIT ?2)",
        &[&before, &limit],
    )
    .await
}

/// The tags under which a manifest is pulled: those on it and on the indexes that name it, at any depth. Up to `limit` by name
/// after `after`.
///
/// # Errors
/// Those of the database.
pub async fn above(tx: &mut Tx<'_>, repository: i64, digest: &Digest, after: &str, limit: i64) -> Result<Vec<Tag>> {
    let rows = tx
        .query(
            "WITH RECURSIVE above (digest) AS (
               SELECT digest FROM manifests WHERE repository_id = ?1 AND digest = ?2
               UNION
               SELECT r.manifest FROM above a JOIN manifest_references r ON r.target = a.digest
               WHERE r.repository_id = ?1 AND r.kind = 'manifest')
             SELECT DISTINCT t.name FROM above a JOIN tags t ON t.repository_id = ?1 AND t.digest = a.digest
             WHERE t.name > ?3 ORDER BY t.name LIMIT ?4",
            &[&repository, digest, &after, &limit],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}
