//! The audit log, read.

use wharf_db::catalog::{audit, projects};
use wharf_types::{Digest, ProjectName, RepoName, Timestamp};

use crate::{Core, Error, Result};

/// One line: who did what, when, from where and with which credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Pages by this, newest first.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// With which credential.
    pub credential: String,
    /// The operation.
    pub action: String,
    /// The project concerned.
    pub project: Option<String>,
    /// The repository concerned.
    pub repository: Option<String>,
    /// What inside it.
    pub subject: Option<String>,
    /// Which content.
    pub digest: Option<Digest>,
    /// From where.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// Anything else.
    pub detail: Option<String>,
}

impl From<audit::Line> for AuditLine {
    fn from(line: audit::Line) -> Self {
        let audit::Line { id, entry } = line;
        Self {
            id,
            at: entry.at,
            actor: entry.actor,
            credential: entry.credential,
            action: entry.action,
            project: entry.project,
            repository: entry.repository,
            subject: entry.subject,
            digest: entry.digest,
            address: entry.address,
            request_id: entry.request_id,
            detail: entry.detail,
        }
    }
}

/// Which lines are asked for; every part that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Of this actor.
    pub actor: Option<String>,
    /// About this project or anything in it.
    pub project: Option<ProjectName>,
    /// About this repository.
    pub repository: Option<RepoName>,
    /// About this content.
    pub digest: Option<Digest>,
}

impl AuditFilter {
    fn to_row(&self) -> audit::Filter {
        audit::Filter {
            actor: self.actor.clone(),
            project: self.project.as_ref().map(ToString::to_string),
            repository: self.repository.as_ref().map(|name| name.canonical().to_owned()),
            digest: self.digest,
            since: None,
        }
    }
}

impl Core {
    /// Up to `limit` lines older than the line `before`, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn audit(&self, filter: &AuditFilter, before: Option<i64>, limit: usize) -> Result<Vec<AuditLine>> {
        let mut row = filter.to_row();
        // What an earlier project of the same name did is nobody's business who belongs to this one.
        if let Some(name) = &filter.project {
            let project = self.inner.db.read(name, |tx, name| Box::pin(projects::find(tx, name))).await;
            row.since = project.map_err(Error::from)?.map(|project| project.created_at);
        }
        let args = (row, before, i64::try_from(limit).unwrap_or(i64::MAX));
        let lines = self
            .inner
            .db
            .read(&args, |tx, (filter, before, limit)| Box::pin(audit::page(tx, filter, *before, *limit)))
            .await
            .map_err(Error::from)?;
        Ok(lines.into_iter().map(AuditLine::from).collect())
    }
}
