//! Changes, in the transaction that makes them.

use wharf_types::{Digest, Timestamp};

use crate::{Result, Row, Tx};

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

/// A line with the number it pages by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Ever growing.
    pub id: i64,
    /// The line.
    pub entry: Entry,
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

/// Which lines are asked for; every part that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of this actor.
    pub actor: Option<String>,
    /// About this project.
    pub project: Option<String>,
    /// About this repository, by its canonical name.
    pub repository: Option<String>,
    /// About this content.
    pub digest: Option<Digest>,
    /// Not older than this.
    pub since: Option<Timestamp>,
}

/// Newest first, up to `limit` lines older than `before`.
///
/// # Errors
/// Those of the database.
pub async fn page(tx: &mut Tx<'_>, filter: &Filter, before: Option<i64>, limit: i64) -> Result<Vec<Line>> {
    let rows = tx
        .query(
            "SELECT id, at, actor, credential, action, project, repository, subject, digest, address, request_id, detail
             FROM audit WHERE id < ?1 AND (actor = ?3 OR ?3 IS NULL) AND (project = ?4 OR ?4 IS NULL)
               AND (repository = ?5 OR ?5 IS NULL) AND (digest = ?6 OR ?6 IS NULL)
               AND at >= ?7
             ORDER BY id DESC LIMIT ?2",
            &[
                &before.unwrap_or(i64::MAX),
                &limit,
                &filter.actor,
                &filter.project,
                &filter.repository,
                &filter.digest,
                &filter.since.unwrap_or_default(),
            ],
        )
        .await?;
    rows.iter().map(line).collect()
}

fn line(row: &Row) -> Result<Line> {
    Ok(Line {
        id: row.get(0)?,
        entry: Entry {
            at: row.get(1)?,
            actor: row.get(2)?,
            credential: row.get(3)?,
            action: row.get(4)?,
            project: row.get(5)?,
            repository: row.get(6)?,
            subject: row.get(7)?,
            digest: row.get(8)?,
            address: row.get(9)?,
            request_id: row.get(10)?,
            detail: row.get(11)?,
        },
    })
}
