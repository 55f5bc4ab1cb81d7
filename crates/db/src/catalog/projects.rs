//! Projects: the first segment of a name, the unit of membership.

use wharf_types::{ProjectName, Timestamp};

use crate::{Result, Row, Tx};

/// A project's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Surrogate key.
    pub id: i64,
    /// Its name.
    pub name: ProjectName,
    /// Whether everyone may see it and pull from it.
    pub public: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

fn project(row: &Row) -> Result<Project> {
    Ok(Project { id: row.get(0)?, name: row.get(1)?, public: row.get(2)?, created_at: row.get(3)? })
}

/// The project of this name.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, name: &ProjectName) -> Result<Option<Project>> {
    let row = tx.query_opt("SELECT id, name, public, created_at FROM projects WHERE name = ?1", &[name]).await?;
    row.as_ref().map(project).transpose()
}

/// Makes a project; `None` if there is one of this name already.
///
/// # Errors
/// Those of the database.
pub async fn create(tx: &mut Tx<'_>, name: &ProjectName, public: bool, at: Timestamp) -> Result<Option<Project>> {
    let row = tx
        .query_opt(
            "INSERT INTO projects (name, public, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING
             RETURNING id, name, public, created_at",
            &[name, &public, &at],
        )
        .await?;
    row.as_ref().map(project).transpose()
}

/// Makes it public or private. False if there is no such project.
///
/// # Errors
/// Those of the database.
pub async fn set_public(tx: &mut Tx<'_>, name: &ProjectName, public: bool) -> Result<bool> {
    Ok(tx.execute("UPDATE projects SET public = ?2 WHERE name = ?1", &[name, &public]).await? > 0)
}

/// Removes a project without living repositories, and with it its grants and robots. False if it is not there or not empty.
///
/// # Errors
/// Those of the database.
pub async fn remove_empty(tx: &mut Tx<'_>, id: i64) -> Result<bool> {
    let detach = "UPDATE repositories SET project_id = NULL WHERE project_id = ?1 AND deleted_at IS NOT NULL";
    tx.execute(detach, &[&id]).await?;
    // A key may be given again.
    tx.execute("UPDATE bin SET project_id = NULL WHERE project_id = ?1", &[&id]).await?;
    let sql = "DELETE FROM projects WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM repositories WHERE project_id = ?1)";
    Ok(tx.execute(sql, &[&id]).await? > 0)
}

/// Up to `limit` projects with names after `after`, by name.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, after: &str, limit: i64) -> Result<Vec<Project>> {
    let sql = "SELECT id, name, public, created_at FROM projects WHERE name > ?1 ORDER BY name LIMIT ?2";
    tx.query(sql, &[&after, &limit]).await?.iter().map(project).collect()
}
