//! Rules that keep tags of a project where they are.

use wharf_types::{SubjectName, Timestamp};

use crate::{Result, Row, Tx};

/// A rule's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRule {
    /// Its name in the project.
    pub name: SubjectName,
    /// A pattern over the repositories of the project, its name left out.
    pub repositories: String,
    /// A pattern over tags.
    pub pattern: String,
    /// A JSON list of patterns: tags that the rule does not cover all the same.
    pub exclusions: String,
    /// Since when.
    pub created_at: Timestamp,
}

fn rule(row: &Row) -> Result<TagRule> {
    Ok(TagRule {
        name: row.get(0)?,
        repositories: row.get(1)?,
        pattern: row.get(2)?,
        exclusions: row.get(3)?,
        created_at: row.get(4)?,
    })
}

/// The rules of a project by name. How many there may be is the caller's to limit.
///
/// # Errors
/// Those of the database.
pub async fn of_project(tx: &mut Tx<'_>, project: i64) -> Result<Vec<TagRule>> {
    let sql =
        "SELECT name, repositories, pattern, exclusions, created_at FROM tag_rules WHERE project_id = ?1 ORDER BY name";
    tx.query(sql, &[&project]).await?.iter().map(rule).collect()
}

/// Adds a rule. False if there is one of this name. The tags of the project are read first: so, on PostgreSQL, a move that began
/// before and has not seen the rule conflicts with it, and one of the two runs again. Moves pay nothing for this.
///
/// # Errors
/// Those of the database.
pub async fn add(tx: &mut Tx<'_>, project: i64, rule: &TagRule) -> Result<bool> {
    let moved = "SELECT max(t.updated_at) FROM repositories r JOIN tags t ON t.repository_id = r.id
                 WHERE r.project_id = ?1 AND r.deleted_at IS NULL";
    tx.query_opt(moved, &[&project]).await?;
    let added = tx
        .execute(
            "INSERT INTO tag_rules (project_id, name, repositories, pattern, exclusions, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (project_id, name) DO NOTHING",
            &[&project, &rule.name, &rule.repositories, &rule.pattern, &rule.exclusions, &rule.created_at],
        )
        .await?;
    Ok(added > 0)
}

/// Removes a rule. False if it was not there.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, project: i64, name: &SubjectName) -> Result<bool> {
    let sql = "DELETE FROM tag_rules WHERE project_id = ?1 AND name = ?2";
    Ok(tx.execute(sql, &[&project, name]).await? > 0)
}
