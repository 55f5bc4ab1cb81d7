//! Uploads in progress: everything any replica needs to go on with one.

use wharf_types::Timestamp;

use crate::{Result, Row, Tx};

/// An upload's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// What the client knows it by.
    pub id: String,
    /// Where it goes.
    pub repository: i64,
    /// Storage and key of what lies outside the row.
    pub object: Option<(String, String)>,
    /// Bytes accepted.
    pub received: u64,
    /// What the storage must know to go on.
    pub progress: Vec<u8>,
    /// The first bytes, while they are few.
    pub tail: Vec<u8>,
    /// The hash of what was accepted, saved.
    pub midstate: Vec<u8>,
    /// Compared and swapped by every step.
    pub revision: i64,
}

fn upload(row: &Row) -> Result<Upload> {
    let storage: Option<String> = row.get(2)?;
    let object: Option<String> = row.get(3)?;
    Ok(Upload {
        id: row.get(0)?,
        repository: row.get(1)?,
        object: storage.zip(object),
        received: row.get(4)?,
        progress: row.get(5)?,
        tail: row.get(6)?,
        midstate: row.get(7)?,
        revision: row.get(8)?,
    })
}

/// Begins an upload.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, upload: &Upload, at: Timestamp) -> Result<()> {
    let (storage, object) = upload.object.clone().unzip();
    tx.execute(
        "INSERT INTO uploads
           (id, repository_id, storage, object, received, progress, tail, midstate, revision, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10) ON CONFLICT (id) DO NOTHING",
        &[
            &upload.id,
            &upload.repository,
            &storage,
            &object,
            &upload.received,
            &upload.progress,
            &upload.tail,
            &upload.midstate,
            &upload.revision,
            &at,
        ],
    )
    .await?;
    Ok(())
}

/// The upload of this id, if it belongs to the repository.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, repository: i64, id: &str) -> Result<Option<Upload>> {
    let row = tx
        .query_opt(
            "SELECT id, repository_id, storage, object, received, progress, tail, midstate, revision
             FROM uploads WHERE id = ?1 AND repository_id = ?2",
            &[&id, &repository],
        )
        .await?;
    row.as_ref().map(upload).transpose()
}

/// Takes a step: writes the row back if nobody else has since `upload.revision`. False if somebody has, or it is gone.
///
/// # Errors
/// Those of the database.
pub async fn advance(tx: &mut Tx<'_>, upload: &Upload, at: Timestamp) -> Result<bool> {
    let (storage, object) = upload.object.clone().unzip();
    let updated = tx
        .execute(
            "UPDATE uploads SET storage = ?3, object = ?4, received = ?5, progress = ?6, tail = ?7, midstate = ?8,
               revision = ?2 + 1, updated_at = ?9 WHERE id = ?1 AND revision = ?2",
            &[
                &upload.id,
                &upload.revision,
                &storage,
                &object,
                &upload.received,
                &upload.progress,
                &upload.tail,
                &upload.midstate,
                &at,
            ],
        )
        .await?;
    if updated > 0 {
        return Ok(true);
    }
    // This very step may have been committed by a run whose answer was lost.
    let sql = "SELECT 1 FROM uploads WHERE id = ?1 AND revision = ?2 + 1 AND received = ?3 AND midstate = ?4";
    Ok(tx.query_opt(sql, &[&upload.id, &upload.revision, &upload.received, &upload.midstate]).await?.is_some())
}

/// Ends an upload, whatever becomes of it, if nobody else has taken a step since `revision`. False if somebody has, or it is
/// gone: then its bytes are not the caller's to touch.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, id: &str, revision: i64) -> Result<bool> {
    Ok(tx.execute("DELETE FROM uploads WHERE id = ?1 AND revision = ?2", &[&id, &revision]).await? > 0)
}

/// Up to `limit` uploads that nobody has touched since `before`, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn abandoned(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<Vec<Upload>> {
    let rows = tx
        .query(
            "SELECT id, repository_id, storage, object, received, progress, tail, midstate, revision
             FROM uploads WHERE updated_at < ?1 ORDER BY updated_at LIMIT ?2",
            &[&before, &limit],
        )
        .await?;
    rows.iter().map(upload).collect()
}

/// How many uploads are under way and what they have received, counted up to `most` uploads.
///
/// # Errors
/// Those of the database.
pub async fn under_way(tx: &mut Tx<'_>, most: i64) -> Result<(u64, u64)> {
    let sql =
        "SELECT count(*), CAST(coalesce(sum(received), 0) AS BIGINT) FROM (SELECT received FROM uploads LIMIT ?1) few";
    tx.query_opt(sql, &[&most]).await?.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Up to `limit` uploads into a repository.
///
/// # Errors
/// Those of the database.
pub async fn of_repository(tx: &mut Tx<'_>, repository: i64, limit: i64) -> Result<Vec<Upload>> {
    let rows = tx
        .query(
            "SELECT id, repository_id, storage, object, received, progress, tail, midstate, revision
             FROM uploads WHERE repository_id = ?1 LIMIT ?2",
            &[&repository, &limit],
        )
        .await?;
    rows.iter().map(upload).collect()
}
