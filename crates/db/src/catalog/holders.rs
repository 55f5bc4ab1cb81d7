//! Who holds on to a digest: for people who ask why it is kept, and for purges. Every list ends at `limit`.

use wharf_types::{Digest, Timestamp};

use crate::{Result, Tx};

/// Repositories by key, with format, name and when they were deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its format.
    pub format: String,
    /// Its canonical name.
    pub name: String,
    /// When it was deleted, if it was.
    pub deleted_at: Option<Timestamp>,
}

/// The name of a repository, be it deleted or not.
///
/// # Errors
/// Those of the database.
pub async fn repository(tx: &mut Tx<'_>, id: i64) -> Result<Option<Named>> {
    let sql = "SELECT format, name, deleted_at FROM repositories WHERE id = ?1";
    let row = tx.query_opt(sql, &[&id]).await?;
    row.map(|row| Ok(Named { format: row.get(0)?, name: row.get(1)?, deleted_at: row.get(2)? })).transpose()
}

/// The repositories of this name, the living one and those that were deleted.
///
/// # Errors
/// Those of the database.
pub async fn repositories_named(tx: &mut Tx<'_>, format: &str, name: &str) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM repositories WHERE format = ?1 AND name = ?2 AND deleted_at IS NULL
               UNION ALL SELECT id FROM repositories WHERE format = ?1 AND name = ?2 AND deleted_at IS NOT NULL";
    tx.query(sql, &[&format, &name]).await?.iter().map(|row| row.get(0)).collect()
}

/// The repositories that have the digest as a manifest.
///
/// # Errors
/// Those of the database.
pub async fn as_manifest(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<i64>> {
    let sql = "SELECT repository_id FROM manifests WHERE digest = ?1 ORDER BY repository_id LIMIT ?2";
    tx.query(sql, &[digest, &limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// Some tags of a manifest.
///
/// # Errors
/// Those of the database.
pub async fn tags(tx: &mut Tx<'_>, repository: i64, digest: &Digest, limit: i64) -> Result<Vec<wharf_types::Tag>> {
    let sql = "SELECT name FROM tags WHERE repository_id = ?1 AND digest = ?2 ORDER BY name LIMIT ?3";
    tx.query(sql, &[&repository, digest, &limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// The manifests that name the digest: repository, manifest, and as what.
///
/// # Errors
/// Those of the database.
pub async fn namers(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<(i64, Digest, String)>> {
    let sql = "SELECT repository_id, manifest, kind FROM manifest_references WHERE target = ?1
               ORDER BY repository_id, manifest LIMIT ?2";
    let rows = tx.query(sql, &[digest, &limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// The packages of these bytes: repository, path and key.
///
/// # Errors
/// Those of the database.
pub async fn packages(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<(i64, String, i64)>> {
    let sql = "SELECT repository_id, path, id FROM packages WHERE digest = ?1 ORDER BY id LIMIT ?2";
    let rows = tx.query(sql, &[digest, &limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// The index files that hold the digest as a segment: repository, generation and path.
///
/// # Errors
/// Those of the database.
pub async fn segments(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<(i64, i64, String)>> {
    let sql = "SELECT g.repository_id, s.generation_id, s.path FROM generation_segments s
               JOIN generations g ON g.id = s.generation_id WHERE s.digest = ?1
               UNION ALL SELECT g.repository_id, p.generation_id, p.part || ' ' || p.kind FROM generation_pieces p
               JOIN generations g ON g.id = p.generation_id WHERE p.digest = ?1 LIMIT ?2";
    let rows = tx.query(sql, &[digest, &limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// The entries of the bin that need the digest: repository, kind, name, and when they expire.
///
/// # Errors
/// Those of the database.
pub async fn in_bin(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<(i64, String, String, Timestamp)>> {
    let sql = "SELECT b.repository_id, b.kind, b.name, b.expires_at FROM bin_references r
               JOIN bin b ON b.id = r.bin_id WHERE r.digest = ?1 ORDER BY b.id LIMIT ?2";
    let rows = tx.query(sql, &[digest, &limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).collect()
}

/// The manifests that are nothing without the digest, because it is their configuration or a layer: repository and manifest.
///
/// # Errors
/// Those of the database.
pub async fn users(tx: &mut Tx<'_>, digest: &Digest, limit: i64) -> Result<Vec<(i64, Digest)>> {
    let sql = "SELECT DISTINCT repository_id, manifest FROM manifest_references
               WHERE target = ?1 AND kind <> 'manifest' LIMIT ?2";
    let rows = tx.query(sql, &[digest, &limit]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
