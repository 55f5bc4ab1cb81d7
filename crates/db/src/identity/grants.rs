//! Grants: a role for a subject on the repositories of a project that match a pattern.

use wharf_types::{ProjectName, SubjectName, Timestamp};

use super::epoch;
use crate::{Result, Row, Tx};

/// A grant as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What its holder is: `user`, `robot` or `group`.
    pub kind: String,
    /// Its holder.
    pub subject: SubjectName,
    /// The project.
    pub project: ProjectName,
    /// Where in it.
    pub pattern: String,
    /// The role.
    pub role: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// A grant's holder and place; one holder has one role for one pattern.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Who.
    pub subject_id: i64,
    /// Where.
    pub project_id: i64,
    /// Where in it; `**` is all of it.
    pub pattern: &'a str,
}

/// Gives a role, instead of the one held there before. False if it is held already. Part of it is a new epoch.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx<'_>, place: Place<'_>, role: &str, at: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO grants (subject_id, project_id, pattern, role, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (subject_id, project_id, pattern) DO UPDATE SET role = excluded.role, created_at = excluded.created_at
               WHERE grants.role <> excluded.role";
    let changed = tx.execute(sql, &[&place.subject_id, &place.project_id, &place.pattern, &role, &at]).await? > 0;
    if changed {
        epoch::bump(tx).await?;
    }
    Ok(changed)
}

/// The role held there.
///
/// # Errors
/// Those of the database.
pub async fn role(tx: &mut Tx<'_>, place: Place<'_>) -> Result<Option<String>> {
    let sql = "SELECT role FROM grants WHERE subject_id = ?1 AND project_id = ?2 AND pattern = ?3";
    let row = tx.query_opt(sql, &[&place.subject_id, &place.project_id, &place.pattern]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Takes the role held there, and gives its name; `None` if there was none. Part of it is a new epoch.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, place: Place<'_>) -> Result<Option<String>> {
    let sql = "DELETE FROM grants WHERE subject_id = ?1 AND project_id = ?2 AND pattern = ?3 RETURNING role";
    let Some(row) = tx.query_opt(sql, &[&place.subject_id, &place.project_id, &place.pattern]).await? else {
        return Ok(None);
    };
    epoch::bump(tx).await?;
    row.get(0).map(Some)
}

/// Up to `limit` grants on a project after the one of `after` (name of the holder, its kind, pattern), in that order.
///
/// # Errors
/// Those of the database.
pub async fn of_project(
    tx: &mut Tx<'_>,
    project: &ProjectName,
    after: (&str, &str, &str),
    limit: i64,
) -> Result<Vec<Grant>> {
    let sql = "SELECT s.kind, s.name, p.name, g.pattern, g.role, g.created_at
               FROM grants g JOIN subjects s ON s.id = g.subject_id JOIN projects p ON p.id = g.project_id
               WHERE p.name = ?1 AND (s.name > ?2 OR (s.name = ?2 AND (s.kind > ?3 OR (s.kind = ?3 AND g.pattern > ?4))))
               ORDER BY s.name, s.kind, g.pattern LIMIT ?5";
    tx.query(sql, &[project, &after.0, &after.1, &after.2, &limit]).await?.iter().map(grant).collect()
}

/// Up to `limit` grants that a subject holds itself, after the one of `after` (project, pattern), in that order.
///
/// # Errors
/// Those of the database.
pub async fn of_subject(tx: &mut Tx<'_>, subject: i64, after: (&str, &str), limit: i64) -> Result<Vec<Grant>> {
    let sql = "SELECT s.kind, s.name, p.name, g.pattern, g.role, g.created_at
               FROM grants g JOIN subjects s ON s.id = g.subject_id JOIN projects p ON p.id = g.project_id
               WHERE g.subject_id = ?1 AND (p.name > ?2 OR (p.name = ?2 AND g.pattern > ?3))
               ORDER BY p.name, g.pattern LIMIT ?4";
    tx.query(sql, &[&subject, &after.0, &after.1, &limit]).await?.iter().map(grant).collect()
}

fn grant(row: &Row) -> Result<Grant> {
    Ok(Grant {
        kind: row.get(0)?,
        subject: row.get(1)?,
        project: row.get(2)?,
        pattern: row.get(3)?,
        role: row.get(4)?,
        created_at: row.get(5)?,
    })
}
