//! Who has which role in a project.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_auth::{GrantInfo, Grantee, Pattern, Role};
use wharf_types::{SubjectName, Timestamp};

use super::answer::Done;
use super::body::{Json, Nothing};
use super::endpoint::{Ask, Parameter};
use super::page::{List, Page};
use super::problem::Problem;

/// What names a grant.
pub(super) const WHICH: [Parameter; 3] = [
    ("kind", "`user`, `group` or `robot`."),
    ("name", "The name of the one who holds it."),
    ("pattern", "The repositories it is for; `**` if not said."),
];

/// A role that somebody holds in a project.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Grant {
    /// `user`, `group` or `robot`.
    kind: &'static str,
    /// Who holds it.
    name: String,
    /// The role.
    role: String,
    /// On which repositories, the project's name left out; `**` is all of them.
    pattern: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<GrantInfo> for Grant {
    fn from(grant: GrantInfo) -> Self {
        let (kind, name) = match &grant.grantee {
            Grantee::User(name) => ("user", name),
            Grantee::Group(name) => ("group", name),
            Grantee::Robot(name) => ("robot", name),
        };
        Self { kind, name: name.to_string(), role: grant.role, pattern: grant.pattern, created_at: grant.created_at }
    }
}

/// A role to be held in a project, instead of the one held for the same repositories before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGrant {
    /// `user`, `group` or `robot`.
    #[schema(value_type = String)]
    kind: GranteeKind,
    /// Who is to hold it.
    #[schema(value_type = String)]
    name: SubjectName,
    /// `viewer`, `puller`, `pusher`, `maintainer` or `owner`.
    #[schema(value_type = String)]
    role: Role,
    /// On which repositories, the project's name left out; without, on all.
    #[serde(default = "Pattern::all")]
    #[schema(value_type = String)]
    pattern: Pattern,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum GranteeKind {
    User,
    Group,
    Robot,
}

impl GranteeKind {
    fn of(self, name: SubjectName) -> Grantee {
        match self {
            Self::User => Grantee::User(name),
            Self::Group => Grantee::Group(name),
            Self::Robot => Grantee::Robot(name),
        }
    }
}

impl std::str::FromStr for GranteeKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "user" => Ok(Self::User),
            "group" => Ok(Self::Group),
            "robot" => Ok(Self::Robot),
            _ => Err("expected user, group or robot"),
        }
    }
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Grant>>, Problem> {
    let page = Page::of(&ask)?;
    Ok(Json(List::of(ask.core.auth().grants_on(ask.project()?, &page.after, page.limit).await?)))
}

pub(super) async fn put(ask: Ask<'_>, Json(new): Json<NewGrant>) -> Result<Done, Problem> {
    let grantee = new.kind.of(new.name);
    let what = (ask.project()?, &new.pattern, new.role);
    ask.core.auth().grant(ask.permit.identity(), &ask.context.origin(), &grantee, what).await?;
    Ok(Done)
}

pub(super) async fn remove(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    let kind: Option<GranteeKind> = ask.parameter("kind")?;
    let name: Option<SubjectName> = ask.parameter("name")?;
    let (Some(kind), Some(name)) = (kind, name) else {
        return Err(Problem::invalid("kind and name must say whose grant it is"));
    };
    let pattern = ask.parameter("pattern")?.unwrap_or_else(Pattern::all);
    let what = (ask.project()?, &pattern);
    ask.core.auth().revoke_grant(ask.permit.identity(), &ask.context.origin(), &kind.of(name), what).await?;
    Ok(Done)
}
