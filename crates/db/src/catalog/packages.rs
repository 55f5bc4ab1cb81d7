//! Packages of formats that publish an index: files by path, and what indexes say of them, made at upload.

use wharf_types::{Digest, Timestamp};

use crate::{Result, Row, Tx};

/// A package's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// What other rows know it by.
    pub id: i64,
    /// What the uploader and the format said of it.
    pub package: NewPackage,
}

/// A package on its way into its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPackage {
    /// Where a client fetches it, inside the repository.
    pub path: String,
    /// Its own name.
    pub name: String,
    /// Its version as its format writes it.
    pub version: String,
    /// Its architecture; empty where a format has none.
    pub architecture: String,
    /// Its bytes, a blob that the repository links to.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Where lists have it; `None` is by arrival.
    pub sorts_as: Option<String>,
    /// When it came.
    pub created_at: Timestamp,
}

fn package(row: &Row) -> Result<Package> {
    Ok(Package {
        id: row.get(0)?,
        package: NewPackage {
            path: row.get(1)?,
            name: row.get(2)?,
            version: row.get(3)?,
            architecture: row.get(4)?,
            digest: row.get(5)?,
            size: row.get(6)?,
            sorts_as: row.get(7)?,
            created_at: row.get(8)?,
        },
    })
}

/// Writes a package's row. `None` if its path is taken.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, repository: i64, package: &NewPackage) -> Result<Option<i64>> {
    let row = tx
        .query_opt(
            "INSERT INTO packages
               (repository_id, path, name, version, architecture, digest, size, sorts_as, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (repository_id, path) DO NOTHING RETURNING id",
            &[
                &repository,
                &package.path,
                &package.name,
                &package.version,
                &package.architecture,
                &package.digest,
                &package.size,
                &package.sorts_as,
                &package.created_at,
            ],
        )
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// Writes what one kind of index says of a package.
///
/// # Errors
/// Those of the database.
pub async fn insert_fragment(tx: &mut Tx<'_>, package: i64, kind: &str, content: &[u8]) -> Result<()> {
    let sql = "INSERT INTO package_fragments (package_id, kind, content) VALUES (?1, ?2, ?3)";
    tx.execute(sql, &[&package, &kind, &content]).await?;
    Ok(())
}

/// What one kind of index says of a package.
///
/// # Errors
/// Those of the database.
pub async fn fragment(tx: &mut Tx<'_>, package: i64, kind: &str) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT content FROM package_fragments WHERE package_id = ?1 AND kind = ?2";
    tx.query_opt(sql, &[&package, &kind]).await?.map(|row| row.get(0)).transpose()
}

/// The package at a path.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, repository: i64, path: &str) -> Result<Option<Package>> {
    let row = tx
        .query_opt(
            "SELECT id, path, name, version, architecture, digest, size, sorts_as, created_at FROM packages
             WHERE repository_id = ?1 AND path = ?2",
            &[&repository, &path],
        )
        .await?;
    row.as_ref().map(package).transpose()
}

/// Removes a package with its fragments and placements.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    tx.execute("DELETE FROM packages WHERE id = ?1", &[&id]).await?;
    Ok(())
}

/// Up to `limit` packages that a channel lists, in any of its parts, with paths after `after`, by path.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, repository: i64, channel: &str, after: &str, limit: i64) -> Result<Vec<Package>> {
    let rows = tx
        .query(
            "SELECT id, path, name, version, architecture, digest, size, sorts_as, created_at FROM packages p
             WHERE repository_id = ?1 AND path > ?3
               AND EXISTS (SELECT 1 FROM placements l WHERE l.package_id = p.id AND l.channel = ?2)
             ORDER BY path LIMIT ?4",
            &[&repository, &channel, &after, &limit],
        )
        .await?;
    rows.iter().map(package).collect()
}

/// Up to `limit` packages of a repository of a name, and of a version if there is one, with paths after `after`, by path.
///
/// # Errors
/// Those of the database.
pub async fn named(
    tx: &mut Tx<'_>,
    repository: i64,
    (name, version): (&str, Option<&str>),
    after: &str,
    limit: i64,
) -> Result<Vec<Package>> {
    let rows = tx
        .query(
            "SELECT id, path, name, version, architecture, digest, size, sorts_as, created_at FROM packages
             WHERE repository_id = ?1 AND name = ?2 AND (version = ?3 OR ?3 IS NULL) AND path > ?4
             ORDER BY path LIMIT ?5",
            &[&repository, &name, &version, &after, &limit],
        )
        .await?;
    rows.iter().map(package).collect()
}

/// Whether any package of the repository has these bytes: then its link stays.
///
/// # Errors
/// Those of the database.
pub async fn uses(tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM packages WHERE digest = ?2 AND repository_id = ?1 LIMIT 1";
    Ok(tx.query_opt(sql, &[&repository, digest]).await?.is_some())
}

/// Says that a package is out of all lists but those of snapshots, or that it is not.
///
/// # Errors
/// Those of the database.
pub async fn mark_removed(tx: &mut Tx<'_>, id: i64, at: Option<Timestamp>) -> Result<()> {
    let sql = "UPDATE packages SET removed_at = ?2 WHERE id = ?1 AND (removed_at IS NULL) <> (?3 = 1)";
    tx.execute(sql, &[&id, &at, &i64::from(at.is_none())]).await?;
    Ok(())
}

/// Removes up to `limit` packages that were out of all lists but those of snapshots, and are in none of these any more. Says what
/// their bytes were.
///
/// # Errors
/// Those of the database.
pub async fn remove_forgotten(tx: &mut Tx<'_>, repository: i64, limit: i64) -> Result<Vec<Digest>> {
    let rows = tx
        .query(
            "DELETE FROM packages WHERE id IN (SELECT p.id FROM packages p
               WHERE p.repository_id = ?1 AND p.removed_at IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM snapshot_packages s WHERE s.package_id = p.id) LIMIT ?2) RETURNING digest",
            &[&repository, &limit],
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}
