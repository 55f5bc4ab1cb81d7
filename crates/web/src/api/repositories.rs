//! Repositories.

use serde::Serialize;
use utoipa::ToSchema;
use wharf_core::Error;
use wharf_types::{FormatName, ProjectName, Timestamp};

use super::answer::DoneOr;
use super::body::{Json, Nothing};
use super::call::format_named;
use super::endpoint::{Ask, Parameter};
use super::page::{AFTER, LIMIT, List, Page};
use super::problem::Problem;

/// What narrows the list.
pub(super) const FILTER: [Parameter; 4] =
    [LIMIT, AFTER, ("format", "Only of this format."), ("project", "Only of this project.")];

/// What a deletion may be told.
pub(super) const FORCE: [Parameter; 1] =
    [("force", "`true`: delete it although a rule of the project keeps one of its tags.")];

/// A repository.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Repository {
    /// Its format.
    format: String,
    /// Its name. One of a single segment is in the project `default`.
    name: String,
    /// Its project.
    project: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<wharf_core::Repository> for Repository {
    fn from(repository: wharf_core::Repository) -> Self {
        let wharf_core::Repository { format, name, created_at } = repository;
        Self { format, name: name.canonical().to_owned(), project: name.project().to_string(), created_at }
    }
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Repository>>, Problem> {
    let page = Page::of(&ask)?;
    let project: Option<ProjectName> = ask.parameter("project")?;
    // One format after the other, each by name: that is the order in which `after` counts.
    let (last_format, last_name) = page.after.split_once('/').unwrap_or_default();
    let mut found = Vec::new();
    for format in asked_formats(&ask)?.into_iter().filter(|format| format.as_str() >= last_format) {
        let after = if format.as_str() == last_format { last_name } else { "" };
        let wanted = page.wanted() - found.len();
        let more = ask.core.repositories(ask.permit.identity(), format, project.as_ref(), false, after, wanted).await;
        match more {
            // Whether a project that one may not see is there is not told by a list of nothing either.
            Err(wharf_core::Error::ProjectUnknown(_)) => {}
            more => found.extend(more?),
        }
        if found.len() == page.wanted() {
            break;
        }
    }
    Ok(Json(page.list(found, key, Repository::from)))
}

fn asked_formats(ask: &Ask<'_>) -> Result<Vec<FormatName>, Problem> {
    let mut formats = match ask.parameter::<String>("format")? {
        Some(text) => vec![format_named(&text, ask.formats)?],
        None => ask.formats.to_vec(),
    };
    formats.sort_unstable_by_key(|format| format.as_str());
    Ok(formats)
}

fn key(repository: &wharf_core::Repository) -> String {
    format!("{}/{}", repository.format, repository.name.canonical())
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Repository>, Problem> {
    Ok(Json(ask.core.repository(&ask.repository()?).await?.into()))
}

/// What is left of a deleted repository.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deleted {
    /// Repositories of OCI artifacts that have its packages too, and stay: a hundred at most.
    staying: Vec<String>,
}

pub(super) async fn delete(ask: Ask<'_>, _: Nothing) -> Result<DoneOr<Deleted>, Problem> {
    let force = ask.parameter::<bool>("force")?.unwrap_or(false);
    let deleted = ask.core.delete_repository(&ask.repository()?, force, &ask.actor()).await;
    let staying = deleted.map_err(|error| match error {
        Error::Rule(_) => Problem::from(error).hint("an owner may say `force` to delete the repository all the same"),
        other => other.into(),
    })?;
    let staying: Vec<String> = staying.iter().map(|name| name.canonical().to_owned()).collect();
    Ok(DoneOr((!staying.is_empty()).then_some(Deleted { staying })))
}
