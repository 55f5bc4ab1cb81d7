//! Changes, in the transaction that makes them.

use wharf_types::{Digest, Timestamp};

use crate::{Result, Tx};

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who, by name.
    pub actor: String,
    /// With which credential (`password`, `token wft_ab12…`); never a secret.
    pub credential: String,
    /// What was done: the operation's name.
    pub action: String,
    /// The project concerned.
    pub project: Option<String>,
    /// The repository concerned, by its canonical name.
    pub repository: Option<String>,
    /// What inside it: tag, user, robot, file.
    pub subject: Option<String>,
    /// Which content.
    pub digest: Option<Digest>,
    /// From which address.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// Anything else worth reading.
    pub detail: Option<String>,
}

/// Writes a line.
///
/// # Errors
/// Those of the database.
pub async fn append(tx: &mut Tx<'_>, entry: &Entry) -> Result<()> {
    tx.execute(
        "INSERT INTO audit (at, actor, credential, action, project, repository, subject, digest, address, request_id, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        &[
            &entry.at,
            &entry.actor,
            &entry.credential,
            &entry.action,
            &entry.project,
            &entry.repository,
            &entry.subject,
            &entry.digest,
            &entry.address,
            &entry.request_id,
            &entry.detail,
        ],
    )
    .await?;
    Ok(())
}

/// Writes a line for each tag that a manifest has: `entry` with the tag as its subject.
///
/// # Errors
/// Those of the database.
pub async fn append_for_tags(tx: &mut Tx<'_>, entry: &Entry, repository: i64, digest: &Digest) -> Result<()> {
    tx.execute(
        "INSERT INTO audit (at, actor, credential, action, project, repository, subject, digest, address, request_id, detail)
         SELECT CAST(?1 AS BIGINT), CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT), CAST(?5 AS TEXT), CAST(?6 AS TEXT),
           t.name, t.digest, CAST(?7 AS TEXT), CAST(?8 AS TEXT), CAST(?9 AS TEXT)
         FROM tags t WHERE t.repository_id = ?10 AND t.digest = ?11 ORDER BY t.name",
        &[
            &entry.at,
            &entry.actor,
            &entry.credential,
            &entry.action,
            &entry.project,
            &entry.repository,
            &entry.address,
            &entry.request_id,
            &entry.detail,
            &repository,
            digest,
        ],
    )
    .await?;
    Ok(())
}

/// Removes up to `limit` lines older than `before`, the oldest first, and says how many.
///
/// # Errors
/// Those of the database.
pub async fn trim(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> Result<u64> {
    tx.execute(
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 ORDER BY at, id LIMIT ?2)",
        &[&before, &limit],
    )
    .await
}
