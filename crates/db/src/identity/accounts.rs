//! What authorization reads: everything about one user or robot.

use wharf_types::{ProjectName, SubjectName, Timestamp};

use super::subjects::Kind;
use crate::{Error, Result, Row, Tx};

/// A user or robot as authorization sees it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Surrogate key.
    pub id: i64,
    /// User or robot.
    pub kind: Kind,
    /// Its name.
    pub name: SubjectName,
    /// The project a robot belongs to.
    pub project: Option<ProjectName>,
    /// The hash of its password.
    pub password: Option<String>,
    /// What sessions are bound to.
    pub generation: i64,
    /// Whether it may not sign in.
    pub disabled: bool,
    /// Names of its own server roles and of those of its groups.
    pub server_roles: Vec<String>,
    /// Its own grants and those of its groups.
    pub grants: Vec<AccountGrant>,
    /// Its tokens, expired ones too.
    pub tokens: Vec<AccountToken>,
}

/// A grant an account acts by.
#[derive(Debug, Clone)]
pub struct AccountGrant {
    /// On this project,
    pub project: ProjectName,
    /// where this pattern matches,
    pub pattern: String,
    /// this role.
    pub role: String,
}

/// A token an account signs in with.
#[derive(Debug, Clone)]
pub struct AccountToken {
    /// Surrogate key.
    pub id: i64,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// The part that may be shown.
    pub hint: String,
    /// Limits as JSON.
    pub limits: Option<String>,
    /// From when on it is no good.
    pub expires_at: Option<Timestamp>,
}

/// The id of the user or robot that signs in with this name.
///
/// # Errors
/// Those of the database.
pub async fn by_login(tx: &mut Tx<'_>, name: &SubjectName) -> Result<Option<i64>> {
    let sql = "SELECT id FROM subjects WHERE kind <> 'group' AND lower(name) = lower(?1) AND name = ?1";
    tx.query_opt(sql, &[name]).await?.map(|row| row.get(0)).transpose()
}

/// Everything about a user or robot. Several statements: to be called in a snapshot.
///
/// # Errors
/// Those of the database.
pub async fn load(tx: &mut Tx<'_>, id: i64) -> Result<Option<Account>> {
    let sql = "SELECT s.kind, s.name, p.name, s.password, s.generation, CAST(CASE WHEN s.disabled_at IS NULL THEN 0 ELSE 1 END AS BIGINT)
               FROM subjects s LEFT JOIN projects p ON p.id = s.project_id WHERE s.id = ?1 AND s.kind <> 'group'";
    let Some(row) = tx.query_opt(sql, &[&id]).await? else { return Ok(None) };
    Ok(Some(Account {
        id,
        kind: if row.get::<String>(0)? == Kind::Robot.as_str() { Kind::Robot } else { Kind::User },
        name: row.get(1)?,
        project: row.get(2)?,
        password: row.get(3)?,
        generation: row.get(4)?,
        disabled: row.get(5)?,
        server_roles: server_roles(tx, id).await?,
        grants: grants(tx, id).await?,
        tokens: tokens(tx, id).await?,
    }))
}

async fn server_roles(tx: &mut Tx<'_>, id: i64) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT role FROM server_roles
               WHERE subject_id = ?1 OR subject_id IN (SELECT group_id FROM members WHERE user_id = ?1)";
    tx.query(sql, &[&id]).await?.iter().map(|row| row.get(0)).collect()
}

async fn grants(tx: &mut Tx<'_>, id: i64) -> Result<Vec<AccountGrant>> {
    let sql = "SELECT DISTINCT p.name, g.pattern, g.role FROM grants g JOIN projects p ON p.id = g.project_id
               WHERE g.subject_id = ?1 OR g.subject_id IN (SELECT group_id FROM members WHERE user_id = ?1)";
    let grant = |row: &Row| Ok(AccountGrant { project: row.get(0)?, pattern: row.get(1)?, role: row.get(2)? });
    tx.query(sql, &[&id]).await?.iter().map(grant).collect()
}

async fn tokens(tx: &mut Tx<'_>, id: i64) -> Result<Vec<AccountToken>> {
    let sql = "SELECT id, hash, hint, limits, expires_at FROM tokens WHERE subject_id = ?1";
    let token = |row: &Row| {
        Ok::<_, Error>(AccountToken {
            id: row.get(0)?,
            hash: row.get(1)?,
            hint: row.get(2)?,
            limits: row.get(3)?,
            expires_at: row.get(4)?,
        })
    };
    tx.query(sql, &[&id]).await?.iter().map(token).collect()
}

/// Names of all public projects.
///
/// # Errors
/// Those of the database.
pub async fn public_projects(tx: &mut Tx<'_>) -> Result<Vec<ProjectName>> {
    tx.query("SELECT name FROM projects WHERE public = 1", &[]).await?.iter().map(|row| row.get(0)).collect()
}
