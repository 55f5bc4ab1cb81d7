//! Projects.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_types::{ProjectName, Timestamp};

use super::answer::{Created, Done};
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// A project: the first part of a repository's name, and the unit of membership.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Project {
    /// Its name.
    name: String,
    /// Whether everyone may see it and pull from it.
    public: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<wharf_core::Project> for Project {
    fn from(project: wharf_core::Project) -> Self {
        Self { name: project.name.to_string(), public: project.public, created_at: project.created_at }
    }
}

/// A project to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProject {
    /// Its name.
    #[schema(value_type = String)]
    name: ProjectName,
    /// Whether everyone may see it and pull from it.
    #[serde(default)]
    public: bool,
}

/// What may change about a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectChange {
    /// Whether everyone may see it and pull from it.
    public: bool,
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Project>>, Problem> {
    let page = Page::of(&ask)?;
    let found = ask.core.projects(ask.permit.identity(), &page.after, page.wanted()).await?;
    Ok(Json(page.list(found, |project| project.name.to_string(), Project::from)))
}

pub(super) async fn create(ask: Ask<'_>, Json(new): Json<NewProject>) -> Result<Created<Project>, Problem> {
    let made = ask.core.create_project(&new.name, new.public, &ask.actor()).await?;
    Ok(Created(format!("/api/v1/projects/{}", made.name), made.into()))
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Project>, Problem> {
    Ok(Json(ask.core.project(ask.project()?).await?.into()))
}

pub(super) async fn update(ask: Ask<'_>, Json(change): Json<ProjectChange>) -> Result<Json<Project>, Problem> {
    Ok(Json(ask.core.set_project_public(ask.project()?, change.public, &ask.actor()).await?.into()))
}

pub(super) async fn delete(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    ask.core.delete_project(ask.project()?, &ask.actor()).await?;
    Ok(Done)
}
