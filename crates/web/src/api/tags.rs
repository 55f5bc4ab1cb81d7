//! Tags, their history, and the way back in it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_auth::{Access, Verb};
use wharf_types::{Digest, Reference, Timestamp};

use super::answer::Done;
use super::bin::Restored;
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// A tag.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tag {
    /// The tag.
    name: String,
    /// What it points at.
    #[schema(value_type = String)]
    digest: Digest,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<wharf_core::Tag> for Tag {
    fn from(tag: wharf_core::Tag) -> Self {
        Self { name: tag.name.to_string(), digest: tag.digest, updated_at: tag.updated_at }
    }
}

/// A move of a tag.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TagMove {
    /// Ever growing.
    id: i64,
    /// Where it pointed before; null when it was new.
    #[schema(value_type = Option<String>)]
    old: Option<Digest>,
    /// Where it pointed then; null when it was removed.
    #[schema(value_type = Option<String>)]
    new: Option<Digest>,
    /// By which act: `push`, `delete`, `rollback` or `restore`.
    action: &'static str,
    /// Who moved it.
    actor: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<wharf_core::TagMove> for TagMove {
    fn from(moved: wharf_core::TagMove) -> Self {
        let wharf_core::TagMove { id, old, new, act, actor, at } = moved;
        Self { id, old, new, action: act.as_str(), actor, at }
    }
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Tag>>, Problem> {
    let page = Page::of(&ask)?;
    let found = ask.core.tags(&ask.repository()?, &page.after, page.wanted()).await?;
    Ok(Json(page.list(found, |tag| tag.name.to_string(), Tag::from)))
}

pub(super) async fn history(ask: Ask<'_>, _: Nothing) -> Result<Json<List<TagMove>>, Problem> {
    let page = Page::of(&ask)?;
    let before = page.after_number()?;
    let found = ask.core.tag_history(&ask.repository()?, ask.tag()?, before, page.wanted()).await?;
    Ok(Json(page.list(found, |moved| moved.id.to_string(), TagMove::from)))
}

/// Where a tag is to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rollback {
    /// A manifest of the repository or of its bin; without, the one before the tag's last move.
    #[schema(value_type = Option<String>)]
    to: Option<Digest>,
}

/// What a rollback did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RolledBack {
    /// The tag.
    tag: String,
    /// Where it pointed; null if it was not there.
    #[schema(value_type = Option<String>)]
    from: Option<Digest>,
    /// Where it points.
    #[schema(value_type = String)]
    to: Digest,
    /// What had to come out of the bin for it: nothing, or that manifest.
    restored: Vec<Restored>,
}

/// Whoever pushes moves tags; bringing a manifest back needs what bringing it back by itself does.
pub(super) async fn rollback(ask: Ask<'_>, Json(how): Json<Rollback>) -> Result<Json<RolledBack>, Problem> {
    let target = ask.repository()?;
    let access = Access::Repository { format: target.format, name: &target.name, verb: Verb::Delete };
    let may_restore = ask.core.auth().may(ask.permit.identity(), &access).await?;
    let done = ask.core.roll_back_tag(&target, ask.tag()?, how.to, may_restore, &ask.actor()).await?;
    let wharf_core::RolledBack { tag, from, to, restored } = done;
    Ok(Json(RolledBack {
        tag: tag.to_string(),
        from,
        to,
        restored: restored.into_iter().map(Restored::from).collect(),
    }))
}

pub(super) async fn delete(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    let tag = Reference::Tag(ask.tag()?.clone());
    ask.core.delete_manifest(&ask.repository()?, &tag, &ask.actor()).await?;
    Ok(Done)
}
