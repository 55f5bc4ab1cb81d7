//! What formats were told about repositories and channels.

use crate::{Result, Tx};

/// The settings of a channel, or of the repository where it is empty.
///
/// # Errors
/// Those of the database.
pub async fn get(tx: &mut Tx<'_>, repository: i64, channel: &str) -> Result<Option<String>> {
    let sql = "SELECT content FROM repository_settings WHERE repository_id = ?1 AND channel = ?2";
    tx.query_opt(sql, &[&repository, &channel]).await?.map(|row| row.get(0)).transpose()
}

/// Writes them anew.
///
/// # Errors
/// Those of the database.
pub async fn put(tx: &mut Tx<'_>, repository: i64, channel: &str, content: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO repository_settings (repository_id, channel, content) VALUES (?1, ?2, ?3)
         ON CONFLICT (repository_id, channel) DO UPDATE SET content = excluded.content",
        &[&repository, &channel, &content],
    )
    .await?;
    Ok(())
}

/// Forgets them. False if there were none.
///
/// # Errors
/// Those of the database.
pub async fn remove(tx: &mut Tx<'_>, repository: i64, channel: &str) -> Result<bool> {
    let sql = "DELETE FROM repository_settings WHERE repository_id = ?1 AND channel = ?2";
    Ok(tx.execute(sql, &[&repository, &channel]).await? > 0)
}
