//! Users.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_auth::{Grantee, ServerRole};
use wharf_types::Timestamp;

use super::answer::{Created, Done};
use super::body::{Json, Nothing, Text};
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    /// The name.
    name: String,
    /// For people.
    description: String,
    /// Whether it can sign in by password.
    has_password: bool,
    /// The server roles it holds itself.
    server_roles: Vec<String>,
    /// The groups it is in.
    groups: Vec<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Since when it may not sign in.
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
    /// When it last signed in, to a few seconds.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<wharf_auth::User> for User {
    fn from(user: wharf_auth::User) -> Self {
        Self {
            name: user.name.to_string(),
            description: user.description,
            has_password: user.has_password,
            server_roles: user.server_roles,
            groups: user.groups,
            created_at: user.created_at,
            disabled_at: user.disabled_at,
            last_used_at: user.last_used_at,
        }
    }
}

/// A user to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// The name.
    name: String,
    /// The password; without one the user does not sign in by password.
    password: Option<String>,
    /// For people.
    #[serde(default)]
    description: String,
    /// Server roles: `administrator`, `auditor`, `creator`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    server_roles: Vec<ServerRole>,
}

/// What may change about a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChange {
    /// Whether the user is locked out.
    disabled: bool,
}

/// A password to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The password.
    password: String,
}

/// The server roles to be held, and no others.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerRoles {
    /// `administrator`, `auditor`, `creator`.
    #[schema(value_type = Vec<String>)]
    server_roles: Vec<ServerRole>,
}

/// What became of the lines of an htpasswd file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Imported {
    /// Users that were made.
    created: Vec<String>,
    /// Users that were there already; nothing about them was changed.
    existing: Vec<String>,
    /// Lines that could not be used.
    refused: Vec<RefusedLine>,
}

/// A line that could not be used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedLine {
    /// Its number, from 1.
    line: usize,
    /// The name on it.
    name: String,
    /// What is wrong.
    reason: String,
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<User>>, Problem> {
    let page = Page::of(&ask)?;
    Ok(Json(List::of(ask.core.auth().users(&page.after, page.limit).await?)))
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<User>, Problem> {
    Ok(Json(ask.core.auth().user(ask.subject("user")?).await?.into()))
}

pub(super) async fn create(ask: Ask<'_>, Json(new): Json<NewUser>) -> Result<Created<User>, Problem> {
    let NewUser { name, password, description, server_roles } = new;
    let new = wharf_auth::NewUser { name, password, description, server_roles };
    let made = ask.core.auth().create_user(ask.permit.identity(), &ask.context.origin(), new).await?;
    Ok(Created(format!("/api/v1/users/{}", made.name), made.into()))
}

pub(super) async fn update(ask: Ask<'_>, Json(change): Json<UserChange>) -> Result<Json<User>, Problem> {
    let (auth, name) = (ask.core.auth(), ask.subject("user")?);
    auth.set_user_disabled(ask.permit.identity(), &ask.context.origin(), name, change.disabled).await?;
    Ok(Json(auth.user(name).await?.into()))
}

pub(super) async fn delete(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    let name = ask.subject("user")?;
    ask.core.auth().delete_user(ask.permit.identity(), &ask.context.origin(), name).await?;
    Ok(Done)
}

pub(super) async fn set_password(ask: Ask<'_>, Json(new): Json<NewPassword>) -> Result<Done, Problem> {
    let name = ask.subject("user")?;
    ask.core.auth().set_password(ask.permit.identity(), &ask.context.origin(), name, &new.password).await?;
    Ok(Done)
}

pub(super) async fn set_server_roles(ask: Ask<'_>, Json(wanted): Json<ServerRoles>) -> Result<Json<User>, Problem> {
    let (auth, name, origin) = (ask.core.auth(), ask.subject("user")?, ask.context.origin());
    let (given, taken): (Vec<_>, Vec<_>) =
        ServerRole::ALL.into_iter().partition(|role| wanted.server_roles.contains(role));
    // Given first: if taking one is refused, nobody has less than before.
    for (roles, held) in [(given, true), (taken, false)] {
        for role in roles {
            let user = Grantee::User(name.clone());
            auth.set_server_role(ask.permit.identity(), &origin, &user, role, held).await?;
        }
    }
    Ok(Json(auth.user(name).await?.into()))
}

pub(super) async fn import(ask: Ask<'_>, Text(text): Text) -> Result<Json<Imported>, Problem> {
    let imported = ask.core.auth().import_htpasswd(ask.permit.identity(), &ask.context.origin(), &text).await?;
    let names = |names: Vec<wharf_types::SubjectName>| names.iter().map(ToString::to_string).collect();
    let refused = imported.refused.into_iter();
    Ok(Json(Imported {
        created: names(imported.created),
        existing: names(imported.existing),
        refused: refused.map(|line| RefusedLine { line: line.line, name: line.name, reason: line.reason }).collect(),
    }))
}
