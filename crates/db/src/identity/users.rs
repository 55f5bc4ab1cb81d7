//! Users: what only people have, a password and server-wide duties.

use wharf_types::SubjectName;

use crate::{Result, Row, Tx};

/// Stores the hash of a new password and ends the sessions of the old one. False if `generation` is there already: then this is
/// the second run of a transaction.
///
/// # Errors
/// Those of the database.
pub async fn set_password(tx: &mut Tx<'_>, id: i64, hash: &str, generation: i64) -> Result<bool> {
    let sql = "UPDATE subjects SET password = ?2, generation = ?3 WHERE id = ?1 AND generation <> ?3";
    Ok(tx.execute(sql, &[&id, &hash, &generation]).await? > 0)
}

/// Ends all sessions.
///
/// # Errors
/// Those of the database.
pub async fn end_sessions(tx: &mut Tx<'_>, id: i64, generation: i64) -> Result<bool> {
    let sql = "UPDATE subjects SET generation = ?2 WHERE id = ?1 AND generation <> ?2";
    Ok(tx.execute(sql, &[&id, &generation]).await? > 0)
}

/// Stores another hash of the same password, unless the password was changed meanwhile. Sessions go on, and copies of the old
/// hash stay right, so this is no new epoch.
///
/// # Errors
/// Those of the database.
pub async fn rehash(tx: &mut Tx<'_>, id: i64, old: &str, new: &str) -> Result<()> {
    tx.execute("UPDATE subjects SET password = ?3 WHERE id = ?1 AND password = ?2", &[&id, &old, &new]).await?;
    Ok(())
}

/// Whether some user who may sign in holds this server role, for itself or through a group.
///
/// # Errors
/// Those of the database.
pub async fn anybody_has(tx: &mut Tx<'_>, role: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM server_roles r JOIN subjects u ON u.id = r.subject_id
               WHERE r.role = ?1 AND u.kind = 'user' AND u.disabled_at IS NULL
               UNION ALL
               SELECT 1 FROM server_roles r JOIN members m ON m.group_id = r.subject_id JOIN subjects u ON u.id = m.user_id
               WHERE r.role = ?1 AND u.disabled_at IS NULL
               LIMIT 1";
    Ok(tx.query_opt(sql, &[&role]).await?.is_some())
}

/// Names of the groups a user is in.
///
/// # Errors
/// Those of the database.
pub async fn groups(tx: &mut Tx<'_>, id: i64) -> Result<Vec<String>> {
    let sql = "SELECT g.name FROM members m JOIN subjects g ON g.id = m.group_id WHERE m.user_id = ?1 ORDER BY g.name";
    tx.query(sql, &[&id]).await?.iter().map(|row| row.get(0)).collect()
}

/// The server roles a subject holds itself.
///
/// # Errors
/// Those of the database.
pub async fn server_roles(tx: &mut Tx<'_>, id: i64) -> Result<Vec<String>> {
    let sql = "SELECT role FROM server_roles WHERE subject_id = ?1 ORDER BY role";
    tx.query(sql, &[&id]).await?.iter().map(|row| row.get(0)).collect()
}

/// Gives a server role. False if the subject has it already.
///
/// # Errors
/// Those of the database.
pub async fn give_server_role(tx: &mut Tx<'_>, id: i64, role: &str) -> Result<bool> {
    let sql = "INSERT INTO server_roles (subject_id, role) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, &[&id, &role]).await? > 0)
}

/// Takes a server role. False if the subject does not have it.
///
/// # Errors
/// Those of the database.
pub async fn take_server_role(tx: &mut Tx<'_>, id: i64, role: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM server_roles WHERE subject_id = ?1 AND role = ?2", &[&id, &role]).await? > 0)
}

/// The server roles of users with names after `after` and up to `last`, each with the id of its user.
///
/// # Errors
/// Those of the database.
pub async fn server_roles_between(tx: &mut Tx<'_>, after: &str, last: &SubjectName) -> Result<Vec<(i64, String)>> {
    let sql = "SELECT u.id, r.role FROM subjects u JOIN server_roles r ON r.subject_id = u.id
               WHERE u.kind = 'user' AND u.name > ?1 AND u.name <= ?2 ORDER BY u.name, r.role";
    tx.query(sql, &[&after, last]).await?.iter().map(pair).collect()
}

/// The groups of users with names after `after` and up to `last`, each with the id of its user.
///
/// # Errors
/// Those of the database.
pub async fn groups_between(tx: &mut Tx<'_>, after: &str, last: &SubjectName) -> Result<Vec<(i64, String)>> {
    let sql =
        "SELECT u.id, g.name FROM subjects u JOIN members m ON m.user_id = u.id JOIN subjects g ON g.id = m.group_id
               WHERE u.kind = 'user' AND u.name > ?1 AND u.name <= ?2 ORDER BY u.name, g.name";
    tx.query(sql, &[&after, last]).await?.iter().map(pair).collect()
}

fn pair(row: &Row) -> Result<(i64, String)> {
    Ok((row.get(0)?, row.get(1)?))
}
