//! Robots: accounts of programs, in a project or for the whole server. A path with a project means a robot of that project and
//! no other.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_auth::{Pattern, Role, ServerRole};
use wharf_types::{ProjectName, Timestamp};

use super::answer::{Created, Done};
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::page::{List, Page};
use super::problem::Problem;

/// The longest time that an old secret stays good beside the new one.
const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 3600);

/// A robot.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Robot {
    /// The name it signs in with: `<project>+<name>`, or `server+<name>`.
    name: String,
    /// The project it belongs to; null if it is server-wide.
    project: Option<String>,
    /// For people.
    description: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Since when it may not sign in.
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
    /// When it last signed in, to a few seconds.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// Its secrets: one, or two while the old one is still good. Empty in lists.
    secrets: Vec<RobotSecret>,
}

/// A robot's secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RobotSecret {
    /// How it begins.
    hint: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it is no good.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was last used, to a few seconds.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<wharf_auth::Robot> for Robot {
    fn from(robot: wharf_auth::Robot) -> Self {
        let secret = |secret: wharf_auth::RobotSecret| {
            let wharf_auth::RobotSecret { hint, created_at, expires_at, last_used_at } = secret;
            RobotSecret { hint, created_at, expires_at, last_used_at }
        };
        Self {
            name: robot.name.to_string(),
            project: robot.project.map(|project| project.to_string()),
            description: robot.description,
            created_at: robot.created_at,
            disabled_at: robot.disabled_at,
            last_used_at: robot.last_used_at,
            secrets: robot.secrets.into_iter().map(secret).collect(),
        }
    }
}

/// A robot of a project to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProjectRobot {
    /// Its name after the `+`.
    name: String,
    /// For people.
    #[serde(default)]
    description: String,
    /// What it may do in the project.
    grants: Vec<RobotGrant>,
    /// From when on its first secret is no good; without, it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A role in a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RobotGrant {
    /// `viewer`, `puller`, `pusher`, `maintainer` or `owner`.
    #[schema(value_type = String)]
    role: Role,
    /// On which repositories of the project; without, on all.
    #[serde(default = "Pattern::all")]
    #[schema(value_type = String)]
    pattern: Pattern,
}

/// A server-wide robot to be made. Roles in projects are granted to it like to anybody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewServerRobot {
    /// Its name after the `+`.
    name: String,
    /// For people.
    #[serde(default)]
    description: String,
    /// Server roles: `administrator`, `auditor`, `creator`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    server_roles: Vec<ServerRole>,
    /// From when on its first secret is no good; without, it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A robot that was made, with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeRobot {
    /// The robot.
    robot: Robot,
    /// Its secret: a password for registries beside the robot's name, or a bearer token.
    secret: String,
}

/// How a secret is replaced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// How many seconds the old secret stays good, for whoever still uses it: at most 30 days.
    #[serde(default)]
    overlap_seconds: u64,
    /// From when on the new secret is no good; without, it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// What may change about a robot.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RobotChange {
    /// Whether the robot is locked out.
    disabled: bool,
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Robot>>, Problem> {
    let page = Page::of(&ask)?;
    Ok(Json(List::of(ask.core.auth().robots(ask.project().ok(), &page.after, page.limit).await?)))
}

pub(super) async fn create_in_project(
    ask: Ask<'_>,
    Json(new): Json<NewProjectRobot>,
) -> Result<Created<MadeRobot>, Problem> {
    let project = ask.project()?.clone();
    let grants = new.grants.into_iter().map(|grant| (project.clone(), grant.pattern, grant.role)).collect();
    let NewProjectRobot { name, description, expires_at, .. } = new;
    let (project, server_roles) = (Some(project), Vec::new());
    create(&ask, wharf_auth::NewRobot { project, name, description, grants, server_roles, expires_at }).await
}

pub(super) async fn create_on_server(
    ask: Ask<'_>,
    Json(new): Json<NewServerRobot>,
) -> Result<Created<MadeRobot>, Problem> {
    let NewServerRobot { name, description, server_roles, expires_at } = new;
    let grants = Vec::new();
    create(&ask, wharf_auth::NewRobot { project: None, name, description, grants, server_roles, expires_at }).await
}

async fn create(ask: &Ask<'_>, new: wharf_auth::NewRobot) -> Result<Created<MadeRobot>, Problem> {
    let path = path(new.project.as_ref(), &new.name);
    let (robot, secret) = ask.core.auth().create_robot(ask.permit.identity(), &ask.context.origin(), new).await?;
    Ok(Created(path, MadeRobot { robot: robot.into(), secret: secret.reveal().to_owned() }))
}

pub(super) async fn show(ask: Ask<'_>, _: Nothing) -> Result<Json<Robot>, Problem> {
    Ok(Json(ask.core.auth().robot(ask.project().ok(), ask.subject("robot")?.as_str()).await?.into()))
}

pub(super) async fn rotate(ask: Ask<'_>, Json(rotation): Json<Rotation>) -> Result<Json<MadeRobot>, Problem> {
    let (auth, of) = (ask.core.auth(), which(&ask)?);
    let overlap = Duration::from_secs(rotation.overlap_seconds);
    if overlap > LONGEST_OVERLAP {
        return Err(Problem::invalid(format!("overlap_seconds: at most {}", LONGEST_OVERLAP.as_secs())));
    }
    let (by, origin) = (ask.permit.identity(), ask.context.origin());
    let secret = auth.rotate_robot(by, &origin, of, overlap, rotation.expires_at).await?;
    let robot = auth.robot(of.0, of.1).await?.into();
    Ok(Json(MadeRobot { robot, secret: secret.reveal().to_owned() }))
}

pub(super) async fn update(ask: Ask<'_>, Json(change): Json<RobotChange>) -> Result<Json<Robot>, Problem> {
    let (auth, of) = (ask.core.auth(), which(&ask)?);
    auth.set_robot_disabled(ask.permit.identity(), &ask.context.origin(), of, change.disabled).await?;
    Ok(Json(auth.robot(of.0, of.1).await?.into()))
}

pub(super) async fn delete(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    ask.core.auth().delete_robot(ask.permit.identity(), &ask.context.origin(), which(&ask)?).await?;
    Ok(Done)
}

/// The robot of the path: of its project if it names one, server-wide if not.
fn which<'a>(ask: &'a Ask<'_>) -> Result<(Option<&'a ProjectName>, &'a str), Problem> {
    Ok((ask.project().ok(), ask.subject("robot")?.as_str()))
}

fn path(project: Option<&ProjectName>, name: &str) -> String {
    match project {
        Some(project) => format!("/api/v1/projects/{project}/robots/{name}"),
        None => format!("/api/v1/robots/{name}"),
    }
}
