//! Tags and their history.

use serde::Serialize;
use utoipa::ToSchema;
use wharf_types::{Digest, Reference, Timestamp};

use super::answer::Done;
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
    /// Where it pointed before; null when it was new.
    #[schema(value_type = Option<String>)]
    old: Option<Digest>,
    /// Where it pointed then; null when it was removed.
    #[schema(value_type = Option<String>)]
    new: Option<Digest>,
    /// Who moved it.
    actor: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<wharf_core::TagMove> for TagMove {
    fn from(moved: wharf_core::TagMove) -> Self {
        let wharf_core::TagMove { old, new, actor, at } = moved;
        Self { old, new, actor, at }
    }
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Tag>>, Problem> {
    let page = Page::of(&ask)?;
    let found = ask.core.tags(&ask.repository()?, &page.after, page.wanted()).await?;
    Ok(Json(page.list(found, |tag| tag.name.to_string(), Tag::from)))
}

/// The history is as long as its retention, and shown from its end: one page.
pub(super) async fn history(ask: Ask<'_>, _: Nothing) -> Result<Json<List<TagMove>>, Problem> {
    let page = Page::of(&ask)?;
    Ok(Json(List::whole(ask.core.tag_history(&ask.repository()?, ask.tag()?, page.limit).await?)))
}

pub(super) async fn delete(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    let tag = Reference::Tag(ask.tag()?.clone());
    ask.core.delete_manifest(&ask.repository()?, &tag, &ask.actor()).await?;
    Ok(Done)
}
