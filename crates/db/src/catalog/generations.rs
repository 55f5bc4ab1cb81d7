//! Index generations: complete before a head points at them, unchanged afterwards, readable for a while after the head
//! has moved on, so that a client in the middle of an update finds what it was told of.

use wharf_types::{Digest, Timestamp};

use crate::catalog::blobs::{self, Blob};
use crate::{Result, Row, Tx};

/// A file of a generation: the concatenation of its segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path inside the repository's index.
    pub path: String,
    /// For Content-Type.
    pub media_type: String,
    /// Of the whole file.
    pub digest: Digest,
    /// Of the whole file, in bytes.
    pub size: u64,
    /// Blobs that the repository links to, in order.
    pub segments: Vec<Digest>,
}

/// Begins a generation: nothing points at it yet.
///
/// # Errors
/// Those of the database.
pub async fn create(tx: &mut Tx<'_>, repository: i64, channel: &str, at: Timestamp) -> Result<i64> {
    let sql = "INSERT INTO generations (repository_id, channel, created_at) VALUES (?1, ?2, ?3) RETURNING id";
    let row = tx.query_opt(sql, &[&repository, &channel, &at]).await?;
    row.ok_or_else(|| crate::Error::Corrupt { what: "no id for a new generation".into() })?.get(0)
}

/// Adds a file to a generation that has no head yet.
///
/// # Errors
/// Those of the database; a constraint error if a segment is not stored.
pub async fn add_file(tx: &mut Tx<'_>, generation: i64, repository: i64, file: &File) -> Result<()> {
    tx.execute(
        "INSERT INTO generation_files (generation_id, path, repository_id, media_type, digest, size)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &[&generation, &file.path, &repository, &file.media_type, &file.digest, &file.size],
    )
    .await?;
    for (position, digest) in (0_i64..).zip(&file.segments) {
        tx.execute(
            "INSERT INTO generation_segments (generation_id, path, position, digest) VALUES (?1, ?2, ?3, ?4)",
            &[&generation, &file.path, &position, digest],
        )
        .await?;
    }
    Ok(())
}

/// Flips the head of a channel to a generation and retires the one before.
///
/// # Errors
/// Those of the database.
pub async fn publish(tx: &mut Tx<'_>, repository: i64, channel: &str, generation: i64, at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE generations SET retired_at = ?3 WHERE id IN
           (SELECT generation_id FROM generation_heads WHERE repository_id = ?1 AND channel = ?2)",
        &[&repository, &channel, &at],
    )
    .await?;
    tx.execute(
        "INSERT INTO generation_heads (repository_id, channel, generation_id) VALUES (?1, ?2, ?3)
         ON CONFLICT (repository_id, channel) DO UPDATE SET generation_id = excluded.generation_id",
        &[&repository, &channel, &generation],
    )
    .await?;
    Ok(())
}

/// The generation the head of a channel points at.
///
/// # Errors
/// Those of the database.
pub async fn head(tx: &mut Tx<'_>, repository: i64, channel: &str) -> Result<Option<i64>> {
    let sql = "SELECT generation_id FROM generation_heads WHERE repository_id = ?1 AND channel = ?2";
    tx.query_opt(sql, &[&repository, &channel]).await?.map(|row| row.get(0)).transpose()
}

fn file(row: &Row) -> Result<(i64, File)> {
    let file = File {
        path: row.get(1)?,
        media_type: row.get(2)?,
        digest: row.get(3)?,
        size: row.get(4)?,
        segments: Vec::new(),
    };
    Ok((row.get(0)?, file))
}

async fn with_segments(tx: &mut Tx<'_>, found: Option<Row>) -> Result<Option<(File, Vec<Blob>)>> {
    let Some(row) = found else { return Ok(None) };
    let (generation, mut file) = file(&row)?;
    let rows = tx
        .query(
            "SELECT b.digest, b.size, b.content, b.storage, b.object FROM generation_segments s
             JOIN blobs b ON b.digest = s.digest WHERE s.generation_id = ?1 AND s.path = ?2 ORDER BY s.position",
            &[&generation, &file.path],
        )
        .await?;
    let blobs = rows.iter().map(blobs::blob).collect::<Result<Vec<_>>>()?;
    file.segments = blobs.iter().map(|blob| blob.digest).collect();
    Ok(Some((file, blobs)))
}

/// A file of the generation that the head points at now, with its segments.
///
/// # Errors
/// Those of the database.
pub async fn current_file(
    tx: &mut Tx<'_>,
    repository: i64,
    channel: &str,
    path: &str,
) -> Result<Option<(File, Vec<Blob>)>> {
    let found = tx
        .query_opt(
            "SELECT f.generation_id, f.path, f.media_type, f.digest, f.size FROM generation_heads h
             JOIN generation_files f ON f.generation_id = h.generation_id AND f.path = ?3
             WHERE h.repository_id = ?1 AND h.channel = ?2",
            &[&repository, &channel, &path],
        )
        .await?;
    with_segments(tx, found).await
}

/// A file of any generation that is still kept, by its digest: by-hash paths and old repodata.
///
/// # Errors
/// Those of the database.
pub async fn file_by_digest(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<Option<(File, Vec<Blob>)>> {
    let found = tx
        .query_opt(
            "SELECT generation_id, path, media_type, digest, size FROM generation_files
             WHERE repository_id = ?1 AND digest = ?2 ORDER BY generation_id DESC LIMIT 1",
            &[&repository, digest],
        )
        .await?;
    with_segments(tx, found).await
}

/// Up to `limit` generations of a channel, newest first: (id, made, retired).
///
/// # Errors
/// Those of the database.
pub async fn page(
    tx: &mut Tx<'_>,
    repository: i64,
    channel: &str,
    limit: i64,
) -> Result<Vec<(i64, Timestamp, Option<Timestamp>)>> {
    let sql = "SELECT id, created_at, retired_at FROM generations
               WHERE repository_id = ?1 AND channel = ?2 ORDER BY id DESC LIMIT ?3";
    let rows = tx.query(sql, &[&repository, &channel, &limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Drops generations that were retired before `before`, but for those a head points at. Says which segments lost a user.
///
/// # Errors
/// Those of the database.
pub async fn drop_retired(tx: &mut Tx<'_>, repository: i64, before: Timestamp) -> Result<Vec<Digest>> {
    let stale = "SELECT id FROM generations WHERE repository_id = ?1 AND retired_at < ?2
                 AND NOT EXISTS (SELECT 1 FROM generation_heads h WHERE h.generation_id = generations.id)";
    let ids: Vec<i64> =
        tx.query(stale, &[&repository, &before]).await?.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    let mut orphans = Vec::new();
    for id in ids {
        let sql = "SELECT DISTINCT digest FROM generation_segments WHERE generation_id = ?1";
        for row in tx.query(sql, &[&id]).await? {
            orphans.push(row.get(0)?);
        }
        tx.execute("DELETE FROM generation_segments WHERE generation_id = ?1", &[&id]).await?;
        tx.execute("DELETE FROM generation_files WHERE generation_id = ?1", &[&id]).await?;
        tx.execute("DELETE FROM generations WHERE id = ?1", &[&id]).await?;
    }
    Ok(orphans)
}
