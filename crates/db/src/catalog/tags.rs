//! Tags and their history.

use wharf_types::{Digest, Tag, Timestamp};

use crate::{Result, Tx};

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

/// A move of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The tag.
    pub tag: Tag,
    /// Where it pointed before; `None` when it is new.
    pub old: Option<Digest>,
    /// Where it points now; `None` when it was removed.
    pub new: Option<Digest>,
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
        "INSERT INTO tag_history (repository_id, tag, old_digest, new_digest, actor, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &[&repository, &moved.tag, &moved.old, &moved.new, &moved.actor, &moved.at],
    )
    .await?;
    Ok(())
}

/// The last moves of a tag, newest first.
///
/// # Errors
/// Those of the database.
pub async fn history(tx: &mut Tx<'_>, repository: i64, tag: &Tag, limit: i64) -> Result<Vec<Move>> {
    let rows = tx
        .query(
            "SELECT tag, old_digest, new_digest, actor, at FROM tag_history
             WHERE repository_id = ?1 AND tag = ?2 ORDER BY id DESC LIMIT ?3",
            &[&repository, tag, &limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Move { tag: row.get(0)?, old: row.get(1)?, new: row.get(2)?, actor: row.get(3)?, at: row.get(4)? })
        })
        .collect()
}
