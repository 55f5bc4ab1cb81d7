//! Who did what.

use serde::Serialize;
use utoipa::ToSchema;
use wharf_core::{AuditFilter, AuditLine};
use wharf_types::{Digest, Timestamp};

use super::body::{Json, Nothing};
use super::endpoint::{Ask, Parameter};
use super::page::{AFTER, LIMIT, List, Page};
use super::problem::Problem;

const ACTOR: Parameter = ("actor", "Only what this user or robot did.");
const REPOSITORY: Parameter = ("repository", "Only about this repository.");
const DIGEST: Parameter = ("digest", "Only about this content.");
/// What narrows the log of everything.
pub(super) const EVERYTHING: [Parameter; 6] =
    [LIMIT, AFTER, ACTOR, ("project", "Only about this project."), REPOSITORY, DIGEST];
/// What narrows the log of a project.
pub(super) const PROJECT: [Parameter; 5] = [LIMIT, AFTER, ACTOR, REPOSITORY, DIGEST];

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entry {
    /// Ever growing.
    id: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who.
    actor: String,
    /// By which credential.
    credential: String,
    /// What was done.
    action: String,
    /// The project concerned.
    project: Option<String>,
    /// The repository concerned.
    repository: Option<String>,
    /// What inside it, or who.
    subject: Option<String>,
    /// Which content.
    #[schema(value_type = Option<String>)]
    digest: Option<Digest>,
    /// From where.
    address: Option<String>,
    /// In which request.
    request_id: Option<String>,
    /// Anything else.
    detail: Option<String>,
}

impl From<AuditLine> for Entry {
    fn from(line: AuditLine) -> Self {
        let AuditLine {
            id,
            at,
            actor,
            credential,
            action,
            project,
            repository,
            subject,
            digest,
            address,
            request_id,
            detail,
            ..
        } = line;
        Self { id, at, actor, credential, action, project, repository, subject, digest, address, request_id, detail }
    }
}

pub(super) async fn everything(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Entry>>, Problem> {
    page(&ask, AuditFilter { project: ask.parameter("project")?, ..asked(&ask)? }).await
}

/// Lines about the project of the path and no other, whatever the parameters say: all of them must hold.
pub(super) async fn of_project(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Entry>>, Problem> {
    page(&ask, AuditFilter { project: Some(ask.project()?.clone()), ..asked(&ask)? }).await
}

fn asked(ask: &Ask<'_>) -> Result<AuditFilter, Problem> {
    Ok(AuditFilter {
        actor: ask.parameter("actor")?,
        project: None,
        repository: ask.parameter("repository")?,
        digest: ask.parameter("digest")?,
    })
}

async fn page(ask: &Ask<'_>, filter: AuditFilter) -> Result<Json<List<Entry>>, Problem> {
    let page = Page::of(ask)?;
    let found = ask.core.audit(&filter, page.after_number()?, page.wanted()).await?;
    Ok(Json(page.list(found, |line| line.id.to_string(), Entry::from)))
}
