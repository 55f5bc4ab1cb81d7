//! Repositories of every format.

use wharf_types::{FormatName, RepoName, Timestamp};

use crate::{Result, Row, Tx};

/// A repository's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Surrogate key; a name may be given again after a deletion, a key is not.
    pub id: i64,
    /// Its project's key.
    pub project_id: i64,
    /// Its canonical name.
    pub name: RepoName,
    /// When it was made.
    pub created_at: Timestamp,
}

fn repository(row: &Row) -> Result<Repository> {
    Ok(Repository { id: row.get(0)?, project_id: row.get(1)?, name: row.get(2)?, created_at: row.get(3)? })
}

/// The living repository of this name.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, format: FormatName, name: &RepoName) -> Result<Option<Repository>> {
    let row = tx
        .query_opt(
            "SELECT id, project_id, name, created_at FROM repositories
             WHERE format = ?1 AND name = ?2 AND deleted_at IS NULL",
            &[&format.as_str(), &name.canonical()],
        )
        .await?;
    row.as_ref().map(repository).transpose()
}

/// Makes a repository, or finds the one that is there. The flag says whether it was made now.
///
/// # Errors
/// Those of the database.
pub async fn ensure(
    tx: &mut Tx<'_>,
    project_id: i64,
    format: FormatName,
    name: &RepoName,
    at: Timestamp,
) -> Result<(i64, bool)> {
    if let Some(found) = find(tx, format, name).await? {
        return Ok((found.id, false));
    }
    let made = tx
        .query_opt(
            "INSERT INTO repositories (project_id, format, name, created_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (format, name) WHERE deleted_at IS NULL DO NOTHING RETURNING id",
            &[&project_id, &format.as_str(), &name.canonical(), &at],
        )
        .await?;
    match made {
        Some(row) => Ok((row.get(0)?, true)),
        // Somebody else made it between the two statements: the transaction must run again to see it.
        None => Err(tx.conflict("the repository was made by somebody else")),
    }
}

/// The repository with this key, if it is not deleted: asked by what ends long after it began.
///
/// # Errors
/// Those of the database.
pub async fn living(tx: &mut Tx<'_>, id: i64) -> Result<Option<Repository>> {
    let sql = "SELECT id, project_id, name, created_at FROM repositories WHERE id = ?1 AND deleted_at IS NULL";
    tx.query_opt(sql, &[&id]).await?.as_ref().map(repository).transpose()
}

/// Whether the repository is there and not deleted: asked by what ends long after it began.
///
/// # Errors
/// Those of the database.
pub async fn is_living(tx: &mut Tx<'_>, id: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM repositories WHERE id = ?1 AND deleted_at IS NULL";
    Ok(tx.query_opt(sql, &[&id]).await?.is_some())
}

/// Marks a repository deleted; its name is free from now on. False if it was not there.
///
/// # Errors
/// Those of the database.
pub async fn mark_deleted(tx: &mut Tx<'_>, id: i64, at: Timestamp) -> Result<bool> {
    let sql = "UPDATE repositories SET deleted_at = ?2 WHERE id = ?1 AND deleted_at IS NULL";
    Ok(tx.execute(sql, &[&id, &at]).await? > 0)
}

/// Takes a deleted repository back, under this name and in this project. False if it is not there or not deleted.
///
/// # Errors
/// Those of the database; a constraint error if there is a repository of this name.
pub async fn revive(tx: &mut Tx<'_>, id: i64, project_id: i64, name: &RepoName) -> Result<bool> {
    let sql = "UPDATE repositories SET deleted_at = NULL, project_id = ?2, name = ?3
               WHERE id = ?1 AND deleted_at IS NOT NULL";
    Ok(tx.execute(sql, &[&id, &project_id, &name.canonical()]).await? > 0)
}

/// Up to `limit` living repositories of a format with names after `after`, by name. With `project`, only that project's.
/// With `filled`, only those that hold a manifest: an upload that never came to an end is not worth a line.
///
/// # Errors
/// Those of the database.
pub async fn page(
    tx: &mut Tx<'_>,
    format: &str,
    project: Option<i64>,
    filled: bool,
    after: &str,
    limit: i64,
) -> Result<Vec<Repository>> {
    let rows = tx
        .query(
            "SELECT id, project_id, name, created_at FROM repositories r
             WHERE format = ?1 AND name > ?2 AND deleted_at IS NULL AND (project_id = ?3 OR ?3 IS NULL)
               AND (?4 = 0 OR EXISTS (SELECT 1 FROM manifests m WHERE m.repository_id = r.id))
             ORDER BY name LIMIT ?5",
            &[&format, &after, &project, &filled, &limit],
        )
        .await?;
    rows.iter().map(repository).collect()
}

/// How many living repositories a project has, counted up to `most`.
///
/// # Errors
/// Those of the database.
pub async fn count(tx: &mut Tx<'_>, project_id: i64, most: i64) -> Result<i64> {
    let sql =
        "SELECT count(*) FROM (SELECT 1 FROM repositories WHERE project_id = ?1 AND deleted_at IS NULL LIMIT ?2) few";
    tx.query_opt(sql, &[&project_id, &most]).await?.map_or(Ok(0), |row| row.get(0))
}
