//! What users, robots and groups have in common: they have a name and can hold grants.

use wharf_types::{ProjectName, SubjectName, Timestamp};

use crate::{Result, Row, Tx};

/// What a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person.
    User,
    /// A program.
    Robot,
    /// Several users.
    Group,
}

impl Kind {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Robot => "robot",
            Self::Group => "group",
        }
    }
}

/// A subject's row, without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Surrogate key.
    pub id: i64,
    /// Its name, unique among users and robots, or among groups.
    pub name: SubjectName,
    /// The project a robot belongs to.
    pub project: Option<ProjectName>,
    /// For people.
    pub description: String,
    /// Whether it has a password.
    pub has_password: bool,
    /// What sessions are bound to.
    pub generation: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When it last signed in, to a few seconds.
    pub last_used_at: Option<Timestamp>,
}

/// A subject to be made.
#[derive(Debug, Clone)]
pub struct NewSubject<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: &'a SubjectName,
    /// The project a robot belongs to.
    pub project_id: Option<i64>,
    /// For people.
    pub description: &'a str,
    /// The hash of its password.
    pub password: Option<&'a str>,
    /// Random. A second run of the same transaction recognises its own row by it.
    pub generation: i64,
    /// Now.
    pub at: Timestamp,
}

/// Makes a subject; `None` if there is another one with that name.
///
/// # Errors
/// Those of the database.
pub async fn create(tx: &mut Tx<'_>, new: &NewSubject<'_>) -> Result<Option<i64>> {
    let sql = "INSERT INTO subjects (kind, name, project_id, description, password, generation, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING RETURNING id";
    let kind = new.kind.as_str();
    let row = tx
        .query_opt(sql, &[&kind, new.name, &new.project_id, &new.description, &new.password, &new.generation, &new.at])
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// The subject of this kind and name.
///
/// # Errors
/// Those of the database.
pub async fn find(tx: &mut Tx<'_>, kind: Kind, name: &SubjectName) -> Result<Option<Subject>> {
    let sql = "SELECT s.id, s.name, p.name, s.description, CAST(CASE WHEN s.password IS NULL THEN 0 ELSE 1 END AS BIGINT), s.generation,
                      s.created_at, s.disabled_at, s.last_used_at
               FROM subjects s LEFT JOIN projects p ON p.id = s.project_id WHERE s.kind = ?1 AND s.name = ?2";
    tx.query_opt(sql, &[&kind.as_str(), name]).await?.as_ref().map(subject).transpose()
}

/// Up to `limit` subjects of a kind with names after `after`, by name.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, kind: Kind, after: &str, limit: i64) -> Result<Vec<Subject>> {
    let sql = "SELECT s.id, s.name, p.name, s.description, CAST(CASE WHEN s.password IS NULL THEN 0 ELSE 1 END AS BIGINT), s.generation,
                      s.created_at, s.disabled_at, s.last_used_at
               FROM subjects s LEFT JOIN projects p ON p.id = s.project_id
               WHERE s.kind = ?1 AND s.name > ?2 ORDER BY s.name LIMIT ?3";
    tx.query(sql, &[&kind.as_str(), &after, &limit]).await?.iter().map(subject).collect()
}

/// Locks a subject out since `at`, or lets it in again.
///
/// # Errors
/// Those of the database.
pub async fn set_disabled(tx: &mut Tx<'_>, id: i64, at: Option<Timestamp>) -> Result<()> {
    tx.execute("UPDATE subjects SET disabled_at = ?2 WHERE id = ?1", &[&id, &at]).await?;
    Ok(())
}

/// Removes a subject with its tokens, memberships, roles and grants.
///
/// # Errors
/// Those of the database.
pub async fn delete(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    tx.execute("DELETE FROM subjects WHERE id = ?1", &[&id]).await?;
    Ok(())
}

/// Notes when a subject was last seen.
///
/// # Errors
/// Those of the database.
pub async fn used(tx: &mut Tx<'_>, id: i64, at: Timestamp) -> Result<()> {
    let sql = "UPDATE subjects SET last_used_at = ?2 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)";
    tx.execute(sql, &[&id, &at]).await?;
    Ok(())
}

pub(crate) fn subject(row: &Row) -> Result<Subject> {
    Ok(Subject {
        id: row.get(0)?,
        name: row.get(1)?,
        project: row.get(2)?,
        description: row.get(3)?,
        has_password: row.get(4)?,
        generation: row.get(5)?,
        created_at: row.get(6)?,
        disabled_at: row.get(7)?,
        last_used_at: row.get(8)?,
    })
}
