//! Groups of users.

use crate::{Result, Tx};

/// Adds a user to a group. False if it is in it already.
///
/// # Errors
/// Those of the database.
pub async fn add(tx: &mut Tx<'_>, group: i64, user: i64) -> Result<bool> {
    let sql = "INSERT INTO members (group_id, user_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, &[&group, &user]).await? > 0)
}

/// Removes a user from a group. False if it is not in it.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, group: i64, user: i64) -> Result<bool> {
    Ok(tx.execute("DELETE FROM members WHERE group_id = ?1 AND user_id = ?2", &[&group, &user]).await? > 0)
}

/// Up to `limit` names of a group's users after `after`, by name.
///
/// # Errors
/// Those of the database.
pub async fn members(tx: &mut Tx<'_>, group: i64, after: &str, limit: i64) -> Result<Vec<String>> {
    let sql = "SELECT u.name FROM members m JOIN subjects u ON u.id = m.user_id
               WHERE m.group_id = ?1 AND u.name > ?2 ORDER BY u.name LIMIT ?3";
    tx.query(sql, &[&group, &after, &limit]).await?.iter().map(|row| row.get(0)).collect()
}
