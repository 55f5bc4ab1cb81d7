//! Robots: programs that act for a project or for the server.

use wharf_types::ProjectName;

use super::subjects::{Subject, subject};
use crate::{Result, Tx};

/// Up to `limit` robots of a project with names after `after`, by name.
///
/// # Errors
/// Those of the database.
pub async fn of_project(tx: &mut Tx<'_>, project: &ProjectName, after: &str, limit: i64) -> Result<Vec<Subject>> {
    let sql = "SELECT s.id, s.name, p.name, s.description, CAST(0 AS BIGINT), s.generation, s.created_at, s.disabled_at, s.last_used_at
               FROM subjects s JOIN projects p ON p.id = s.project_id
               WHERE p.name = ?1 AND s.kind = 'robot' AND s.name > ?2 ORDER BY s.name LIMIT ?3";
    tx.query(sql, &[project, &after, &limit]).await?.iter().map(subject).collect()
}

/// Up to `limit` server-wide robots with names after `after`, by name.
///
/// # Errors
/// Those of the database.
pub async fn of_server(tx: &mut Tx<'_>, after: &str, limit: i64) -> Result<Vec<Subject>> {
    let sql = "SELECT s.id, s.name, CAST(NULL AS TEXT), s.description, CAST(0 AS BIGINT), s.generation, s.created_at, s.disabled_at, s.last_used_at
               FROM subjects s
               WHERE s.project_id IS NULL AND s.kind = 'robot' AND s.name > ?1 ORDER BY s.name LIMIT ?2";
    tx.query(sql, &[&after, &limit]).await?.iter().map(subject).collect()
}
