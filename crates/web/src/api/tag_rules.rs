//! Rules that keep tags where they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_auth::Pattern;
use wharf_core::TagPattern;
use wharf_types::{SubjectName, Timestamp};

use super::answer::{Created, Done};
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::page::List;
use super::problem::Problem;

/// A rule: once there, a tag that it covers neither moves nor goes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TagRule {
    /// Its name in the project.
    name: String,
    /// In which repositories, the project's name left out; `**` is all of them.
    repositories: String,
    /// Which tags.
    pattern: String,
    /// Which of those it does not cover.
    exclusions: Vec<String>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<wharf_core::TagRule> for TagRule {
    fn from(rule: wharf_core::TagRule) -> Self {
        Self {
            name: rule.name.to_string(),
            repositories: rule.repositories.to_string(),
            pattern: rule.pattern.to_string(),
            exclusions: rule.exclusions.iter().map(ToString::to_string).collect(),
            created_at: rule.created_at,
        }
    }
}

/// A rule to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTagRule {
    /// Its name: refusals tell it.
    #[schema(value_type = String)]
    name: SubjectName,
    /// In which repositories, the project's name left out; without, in all.
    #[serde(default = "Pattern::all")]
    #[schema(value_type = String)]
    repositories: Pattern,
    /// Which tags: `*` any characters, `?` one, `[0-9]` one of a class, `{a,b}` one of several.
    #[schema(value_type = String)]
    pattern: TagPattern,
    /// Which of those it does not cover; without, `sha256-*`: clients keep lists of signatures under such tags, which grow.
    #[serde(default = "signatures")]
    #[schema(value_type = Vec<String>)]
    exclusions: Vec<TagPattern>,
}

fn signatures() -> Vec<TagPattern> {
    "sha256-*".parse().into_iter().collect()
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<TagRule>>, Problem> {
    Ok(Json(List::whole(ask.core.tag_rules(ask.project()?).await?)))
}

pub(super) async fn add(ask: Ask<'_>, Json(new): Json<NewTagRule>) -> Result<Created<TagRule>, Problem> {
    let project = ask.project()?;
    let covers = (new.repositories, new.pattern, new.exclusions);
    let rule = ask.core.add_tag_rule(project, new.name, covers, &ask.actor()).await?;
    Ok(Created(format!("/api/v1/projects/{project}/tag-rules/{}", rule.name), rule.into()))
}

pub(super) async fn remove(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    ask.core.remove_tag_rule(ask.project()?, ask.subject("rule")?, &ask.actor()).await?;
    Ok(Done)
}
