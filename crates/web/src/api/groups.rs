//! Groups and who is in them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_types::Timestamp;

use super::answer::{Created, Done};
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Group {
    /// The name. Groups and users may have the same.
    name: String,
    /// For people.
    description: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<wharf_auth::Group> for Group {
    fn from(group: wharf_auth::Group) -> Self {
        Self { name: group.name.to_string(), description: group.description, created_at: group.created_at }
    }
}

/// A group to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGroup {
    /// The name.
    name: String,
    /// For people.
    #[serde(default)]
    description: String,
}

/// A user in a group.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Member {
    /// The user's name.
    name: String,
}

impl From<String> for Member {
    fn from(name: String) -> Self {
        Self { name }
    }
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Group>>, Problem> {
    let page = Page::of(&ask)?;
    Ok(Json(List::of(ask.core.auth().groups(&page.after, page.limit).await?)))
}

pub(super) async fn create(ask: Ask<'_>, Json(new): Json<NewGroup>) -> Result<Created<Group>, Problem> {
    let (by, origin) = (ask.permit.identity(), ask.context.origin());
    let made = ask.core.auth().create_group(by, &origin, &new.name, &new.description).await?;
    Ok(Created(format!("/api/v1/groups/{}", made.name), made.into()))
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Group>, Problem> {
    Ok(Json(ask.core.auth().group(ask.subject("group")?).await?.into()))
}

pub(super) async fn delete(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    let group = ask.subject("group")?;
    ask.core.auth().delete_group(ask.permit.identity(), &ask.context.origin(), group).await?;
    Ok(Done)
}

pub(super) async fn members(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Member>>, Problem> {
    let page = Page::of(&ask)?;
    let found = ask.core.auth().group_members(ask.subject("group")?, &page.after, page.limit).await?;
    Ok(Json(List::of(found)))
}

pub(super) async fn add_member(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    set_member(&ask, true).await
}

pub(super) async fn remove_member(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    set_member(&ask, false).await
}

async fn set_member(ask: &Ask<'_>, member: bool) -> Result<Done, Problem> {
    let (group, user) = (ask.subject("group")?, ask.subject("member")?);
    ask.core.auth().set_member(ask.permit.identity(), &ask.context.origin(), group, user, member).await?;
    Ok(Done)
}
