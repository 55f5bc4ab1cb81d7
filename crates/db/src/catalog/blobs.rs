//! Bytes by digest, and which repository may hand them out.

use std::collections::HashSet;

use wharf_types::{Digest, FormatName, RepoName, Timestamp};

use super::batch::{BATCH, Texts, each, params};
use crate::{Result, Row, Tx};

/// Where the bytes of a blob lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the row itself.
    Here(Vec<u8>),
    /// In a storage, under a key.
    Stored {
        /// The storage's name.
        storage: String,
        /// The key inside it.
        object: String,
    },
}

impl Place {
    /// How many bytes lie in the row.
    pub fn bytes_here(&self) -> usize {
        match self {
            Self::Here(content) => content.len(),
            Self::Stored { .. } => 0,
        }
    }
}

/// A blob's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// What it hashes to.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Where they are.
    pub place: Place,
}

/// Reads digest, size, content, storage and object, in this order.
pub(super) fn blob(row: &Row) -> Result<Blob> {
    let place = match row.get::<Option<Vec<u8>>>(2)? {
        Some(content) => Place::Here(content),
        None => Place::Stored { storage: row.get(3)?, object: row.get(4)? },
    };
    Ok(Blob { digest: row.get(0)?, size: row.get(1)?, place })
}

/// The blob, if the repository links to it.
///
/// # Errors
/// Those of the database.
pub async fn linked(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<Option<Blob>> {
    let row = tx
        .query_opt(
            "SELECT b.digest, b.size, b.content, b.storage, b.object FROM blob_links l
             JOIN blobs b ON b.digest = l.digest WHERE l.repository_id = ?1 AND l.digest = ?2 AND b.damaged_at IS NULL",
            &[&repository, digest],
        )
        .await?;
    row.as_ref().map(blob).transpose()
}

/// The blob, if the repository of this name links to it: all that a pull needs, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn served(tx: &mut Tx<'_>, format: FormatName, name: &RepoName, digest: &Digest) -> Result<Option<Blob>> {
    let row = tx
        .query_opt(
            "SELECT b.digest, b.size, b.content, b.storage, b.object FROM repositories r
             JOIN blob_links l ON l.repository_id = r.id AND l.digest = ?3 AND l.expiring_at IS NULL
             JOIN blobs b ON b.digest = l.digest
             WHERE r.format = ?1 AND r.name = ?2 AND r.deleted_at IS NULL AND b.damaged_at IS NULL",
            &[&format.as_str(), &name.canonical(), digest],
        )
        .await?;
    row.as_ref().map(blob).transpose()
}

/// Those of `wanted` that the repository does not link to. Links that were about to go stay, because something needs them now.
///
/// # Errors
/// Those of the database.
pub async fn claim(tx: &mut Tx<'_>, repository: i64, wanted: &[Digest]) -> Result<Vec<Digest>> {
    let mut missing = Vec::new();
    // One text for every batch, so that it is prepared once; a short batch is filled up with its own first.
    for batch in wanted.chunks(16) {
        let at = |index: usize| batch.get(index).unwrap_or(&batch[0]);
        let mut params: Vec<&(dyn crate::ToValue + Sync)> = vec![&repository];
        params.extend((0..16).map(|index| at(index) as &(dyn crate::ToValue + Sync)));
        let rows = tx
            .query(
                "SELECT l.digest, CASE WHEN l.expiring_at IS NULL THEN 0 ELSE 1 END FROM blob_links l
                 JOIN blobs b ON b.digest = l.digest AND b.damaged_at IS NULL
                 WHERE l.repository_id = ?1 AND l.digest IN
                   (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
                &params,
            )
            .await?;
        let mut found: Vec<Digest> = Vec::with_capacity(rows.len());
        for row in rows {
            let digest = row.get(0)?;
            if row.get(1)? {
                let sql = "UPDATE blob_links SET expiring_at = NULL WHERE repository_id = ?1 AND digest = ?2";
                tx.execute(sql, &[&repository, &digest]).await?;
            }
            found.push(digest);
        }
        missing.extend(batch.iter().filter(|digest| !found.contains(digest)));
    }
    Ok(missing)
}

/// Whether the repository links to the blob.
///
/// # Errors
/// Those of the database.
pub async fn is_linked(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM blob_links l JOIN blobs b ON b.digest = l.digest AND b.damaged_at IS NULL
               WHERE l.repository_id = ?1 AND l.digest = ?2";
    Ok(tx.query_opt(sql, &[&repository, digest]).await?.is_some())
}

/// The blob wherever it is linked: for our own use only, never an answer to a caller who has no link.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, digest: &Digest) -> Result<Option<Blob>> {
    let sql = "SELECT digest, size, content, storage, object FROM blobs WHERE digest = ?1";
    tx.query_opt(sql, &[digest]).await?.as_ref().map(blob).transpose()
}

/// Whether there is a blob of this digest, linked or not.
///
/// # Errors
/// Those of the database.
pub async fn exists(tx: &mut Tx<'_>, digest: &Digest) -> Result<bool> {
    Ok(tx.query_opt("SELECT 1 FROM blobs WHERE digest = ?1", &[digest]).await?.is_some())
}

/// Writes a blob's row. False if the digest is known: then the bytes that were just stored are a second copy and
/// their object can go. Bytes that were found to be damaged are replaced; what they lay in is nobody's then. Those of a manifest
/// are read out of its row, be it in the bin, so only what brings them there replaces them.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, blob: &Blob, at: Timestamp) -> Result<bool> {
    let (content, storage, object) = match &blob.place {
        Place::Here(content) => (Some(content.as_slice()), None, None),
        Place::Stored { storage, object } => (None, Some(storage.as_str()), Some(object.as_str())),
    };
    let inserted = tx
        .execute(
            "INSERT INTO blobs (digest, size, content, storage, object, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (digest) DO UPDATE SET content = excluded.content, storage = excluded.storage,
               object = excluded.object, damaged_at = NULL, created_at = excluded.created_at
             WHERE blobs.damaged_at IS NOT NULL AND (excluded.content IS NOT NULL
               OR NOT EXISTS (SELECT 1 FROM manifests m WHERE m.digest = excluded.digest)
                  AND NOT EXISTS (SELECT 1 FROM bin_references r JOIN bin e ON e.id = r.bin_id
                    WHERE r.digest = excluded.digest AND e.digest = r.digest AND e.kind = 'manifest'))",
            &[&blob.digest, &blob.size, &content, &storage, &object, &at],
        )
        .await?;
    Ok(inserted > 0)
}

/// Removes rows that neither packages nor their lists name, and that nothing else may. For restores, on schemas of any age.
///
/// # Errors
/// Those of the database.
pub async fn drop_unnamed(tx: &mut Tx<'_>, digests: &[Digest]) -> Result<()> {
    for digest in digests {
        tx.execute(
            "DELETE FROM blobs WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM packages WHERE digest = ?1)
               AND NOT EXISTS (SELECT 1 FROM generation_segments WHERE digest = ?1)",
            &[digest],
        )
        .await?;
    }
    Ok(())
}

/// Writes bytes that are read out of their row, as manifests are. Where the same bytes came before as a blob of a storage, the
/// row takes them over; the object is nobody's then, and the sweep removes it.
///
/// # Errors
/// Those of the database.
pub async fn insert_content(tx: &mut Tx<'_>, digest: &Digest, content: &[u8], at: Timestamp) -> Result<()> {
    let size = content.len() as u64;
    tx.execute(
        "INSERT INTO blobs (digest, size, content, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (digest) DO UPDATE SET content = excluded.content, storage = NULL, object = NULL, damaged_at = NULL,
           created_at = CASE WHEN blobs.damaged_at IS NULL THEN blobs.created_at ELSE excluded.created_at END
         WHERE blobs.content IS NULL OR blobs.damaged_at IS NOT NULL",
        &[digest, &size, &content, &at],
    )
    .await?;
    Ok(())
}

/// Lets a repository hand out a blob. Linking again is not an error; a link that is older than a minute or was about to go begins
/// anew, so that what has just been pushed is not what the collector looks at next.
///
/// # Errors
/// Those of the database; a constraint error if there is no such blob.
pub async fn link(tx: &mut Tx<'_>, repository: i64, digest: &Digest, at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO blob_links (repository_id, digest, created_at) VALUES (?1, ?2, ?3)
               ON CONFLICT (repository_id, digest) DO UPDATE SET created_at = excluded.created_at, expiring_at = NULL
               WHERE blob_links.expiring_at IS NOT NULL OR blob_links.created_at < excluded.created_at - 60000";
    tx.execute(sql, &[&repository, digest, &at]).await?;
    Ok(())
}

/// Takes a repository's link away. False if it had none.
///
/// # Errors
/// Those of the database.
pub async fn unlink(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<bool> {
    let sql = "DELETE FROM blob_links WHERE repository_id = ?1 AND digest = ?2 AND expiring_at IS NULL";
    Ok(tx.execute(sql, &[&repository, digest]).await? > 0)
}

/// Some repository that links to the blob; `None` also if the blob is unknown. By format, with the canonical name,
/// up to `limit` of them: for an anonymous mount.
///
/// # Errors
/// Those of the database.
pub async fn holders(tx: &mut Tx<'_>, format: &str, digest: &Digest, limit: i64) -> Result<Vec<String>> {
    let rows = tx
        .query(
            "SELECT r.name FROM blob_links l JOIN repositories r ON r.id = l.repository_id
             WHERE l.digest = ?1 AND l.expiring_at IS NULL AND r.format = ?2 AND r.deleted_at IS NULL LIMIT ?3",
            &[digest, &format, &limit],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// On SQLite the index has the key without its first byte (migration 18). Of `object = ?1` SQLite would make `substr(?1, 3)` of the other
/// term, and not see that the index is for it.
const OBJECT_IN_USE: &str = "SELECT 1 FROM blobs WHERE object BETWEEN ?1 AND ?1 AND substr(object, 3) = substr(?1, 3)
    UNION ALL SELECT 1 FROM uploads WHERE object = ?1 UNION ALL SELECT 1 FROM doomed_objects WHERE object = ?1 LIMIT 1";

/// Whether a row points at the object, be it one that waits for its removal: what a survey of the storage finds and no row
/// points at is a crash's remains.
///
/// # Errors
/// Those of the database.
pub async fn object_in_use(tx: &mut Tx<'_>, object: &str) -> Result<bool> {
    Ok(tx.query_opt(OBJECT_IN_USE, &[&object]).await?.is_some())
}

/// [`OBJECT_IN_USE`] for many. Uploads under way are few and have no index by object: they are read once for all that are no blob's.
fn objects_in_use_sql(rows: usize) -> String {
    format!(
        "WITH wanted (object) AS (VALUES {})
         SELECT object FROM wanted w
         WHERE EXISTS (SELECT 1 FROM blobs b WHERE b.object BETWEEN w.object AND w.object AND substr(b.object, 3) = substr(w.object, 3))
           OR EXISTS (SELECT 1 FROM doomed_objects d WHERE d.object = w.object)
           OR object IN (SELECT u.object FROM uploads u WHERE u.object IS NOT NULL)",
        each(rows, |row| format!("(?{})", row + 1))
    )
}

/// Those of the objects that [`object_in_use`] would be true of.
///
/// # Errors
/// Those of the database.
pub async fn objects_in_use(tx: &mut Tx<'_>, objects: &[String]) -> Result<HashSet<String>> {
    static SQL: Texts = Texts::new(objects_in_use_sql);
    let mut found = HashSet::new();
    for batch in objects.chunks(BATCH) {
        for row in tx.query(SQL.of(batch), &params(&[], batch)).await? {
            found.insert(row.get(0)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::plan::plan_of;

    #[tokio::test]
    async fn the_blob_of_an_object_is_found_by_index() {
        let plan = plan_of(OBJECT_IN_USE, 1).await;
        assert!(plan.contains("SEARCH blobs USING INDEX blobs_by_object (<expr>=?)"), "{plan}");
    }

    #[tokio::test]
    async fn the_blobs_of_many_objects_are_found_by_index_and_uploads_are_read_once() {
        let plan = plan_of(objects_in_use_sql(2).leak(), 2).await;
        assert!(plan.contains("SEARCH b USING INDEX blobs_by_object (<expr>=?)"), "{plan}");
        assert!(plan.contains("LIST SUBQUERY") && !plan.contains("CORRELATED LIST"), "{plan}");
        assert!(!plan.contains("SCAN d") && !plan.contains("SCAN b"), "{plan}");
    }
}
