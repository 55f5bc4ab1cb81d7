//! Packages of formats that publish an index. `fragment` is what the index says of the package, made at upload.

use wharf_types::{Digest, Timestamp};

use crate::{Result, Row, Tx};

/// A package's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
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
    /// Which index lists it; empty where a repository has one.
    pub channel: String,
    /// What that index says of it.
    pub fragment: Vec<u8>,
    /// When it came.
    pub created_at: Timestamp,
}

fn package(row: &Row) -> Result<Package> {
    Ok(Package {
        path: row.get(0)?,
        name: row.get(1)?,
        version: row.get(2)?,
        architecture: row.get(3)?,
        digest: row.get(4)?,
        size: row.get(5)?,
        channel: row.get(6)?,
        fragment: row.get(7)?,
        created_at: row.get(8)?,
    })
}

/// Writes a package's row. False if its path is taken.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx<'_>, repository: i64, package: &Package) -> Result<bool> {
    let inserted = tx
        .execute(
            "INSERT INTO packages
               (repository_id, path, name, version, architecture, digest, size, channel, fragment, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (repository_id, path) DO NOTHING",
            &[
                &repository,
                &package.path,
                &package.name,
                &package.version,
                &package.architecture,
                &package.digest,
                &package.size,
                &package.channel,
                &package.fragment,
                &package.created_at,
            ],
        )
        .await?;
    Ok(inserted > 0)
}

/// The package at a path.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, repository: i64, path: &str) -> Result<Option<Package>> {
    let row = tx
        .query_opt(
            "SELECT path, name, version, architecture, digest, size, channel, fragment, created_at FROM packages
             WHERE repository_id = ?1 AND path = ?2",
            &[&repository, &path],
        )
        .await?;
    row.as_ref().map(package).transpose()
}

/// Removes the package at a path. False if there was none.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, repository: i64, path: &str) -> Result<bool> {
    let sql = "DELETE FROM packages WHERE repository_id = ?1 AND path = ?2";
    Ok(tx.execute(sql, &[&repository, &path]).await? > 0)
}

/// Up to `limit` packages of a channel with paths after `after`, by path.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, repository: i64, channel: &str, after: &str, limit: i64) -> Result<Vec<Package>> {
    let rows = tx
        .query(
            "SELECT path, name, version, architecture, digest, size, channel, fragment, created_at FROM packages
             WHERE repository_id = ?1 AND channel = ?2 AND path > ?3 ORDER BY path LIMIT ?4",
            &[&repository, &channel, &after, &limit],
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
