//! What happens to robots inside a transaction.

use wharf_db::Tx;
use wharf_db::catalog::audit;
use wharf_db::identity::grants::{self as grant_rows, Place};
use wharf_db::identity::subjects::{self, Kind, NewSubject};
use wharf_db::identity::{tokens as token_rows, users};
use wharf_types::{ProjectName, SubjectName, Timestamp};

use super::{NewRobot, Robot, RobotSecret};
use crate::admin::{IdentityError, Target, create, find_project, tokens};

/// How the rows of robots' secrets are called.
const SECRET_NAME: &str = "secret";

pub(super) struct Create {
    pub(super) new: NewRobot,
    pub(super) name: SubjectName,
    pub(super) generation: i64,
    pub(super) hash: [u8; 32],
    pub(super) hint: String,
    pub(super) entry: audit::Entry,
}

pub(super) struct Rotate {
    pub(super) target: Target,
    pub(super) project: Option<ProjectName>,
    pub(super) hash: [u8; 32],
    pub(super) hint: String,
    pub(super) old_until: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
}

/// A robot of this project. The name alone does not say: a project may be called `server`.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    project: Option<&ProjectName>,
    name: &SubjectName,
) -> Result<subjects::Subject, IdentityError> {
    let found = subjects::find(tx, Kind::Robot, name).await?.filter(|robot| robot.project.as_ref() == project);
    found.ok_or_else(|| IdentityError::NoSuch { what: "robot", name: name.to_string() })
}

pub(super) async fn robot(
    tx: &mut Tx<'_>,
    project: Option<&ProjectName>,
    name: &SubjectName,
) -> Result<Robot, IdentityError> {
    let row = find(tx, project, name).await?;
    let secret = |row: token_rows::Token| RobotSecret {
        hint: row.hint,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    };
    let secrets = token_rows::of_subject(tx, row.id).await?.into_iter().map(secret).collect();
    Ok(shown(row, secrets))
}

pub(super) async fn create_robot(tx: &mut Tx<'_>, args: &Create) -> Result<Robot, IdentityError> {
    let project = match &args.new.project {
        Some(project) => Some(find_project(tx, project).await?.id),
        None => None,
    };
    let new = NewSubject {
        kind: Kind::Robot,
        name: &args.name,
        project_id: project,
        description: &args.new.description,
        password: None,
        generation: args.generation,
        at: args.entry.at,
    };
    let id = create(tx, &new).await?;
    for (project, pattern, role) in &args.new.grants {
        let project = find_project(tx, project).await?.id;
        let place = Place { subject_id: id, project_id: project, pattern: pattern.as_str() };
        grant_rows::put(tx, place, role.as_str(), args.entry.at).await?;
    }
    for role in &args.new.server_roles {
        users::give_server_role(tx, id, role.as_str()).await?;
    }
    let (hash, hint) = (args.hash, args.hint.clone());
    add_secret(tx, id, (hash, hint), args.new.expires_at, args.entry.clone()).await?;
    robot(tx, args.new.project.as_ref(), &args.name).await
}

pub(super) async fn rotate(tx: &mut Tx<'_>, args: &Rotate) -> Result<(), IdentityError> {
    let robot = find(tx, args.project.as_ref(), &args.target.name).await?;
    token_rows::expire_all(tx, robot.id, &args.hash, args.old_until).await?;
    add_secret(tx, robot.id, (args.hash, args.hint.clone()), args.expires_at, args.target.entry.clone()).await
}

async fn add_secret(
    tx: &mut Tx<'_>,
    subject: i64,
    (hash, hint): ([u8; 32], String),
    expires_at: Option<Timestamp>,
    entry: audit::Entry,
) -> Result<(), IdentityError> {
    let name = SECRET_NAME.to_owned();
    let args = tokens::Create { subject, name, hash, hint, limits: None, expires_at, entry };
    tokens::create(tx, &args).await.map(drop)
}

pub(super) fn rights(new: &NewRobot) -> String {
    let grants = new.grants.iter().map(|(project, pattern, role)| format!("{role} on {project}/{pattern}"));
    let roles = new.server_roles.iter().map(ToString::to_string);
    grants.chain(roles).collect::<Vec<_>>().join(", ")
}

pub(super) fn shown(row: subjects::Subject, secrets: Vec<RobotSecret>) -> Robot {
    Robot {
        name: row.name,
        project: row.project,
        description: row.description,
        created_at: row.created_at,
        disabled_at: row.disabled_at,
        last_used_at: row.last_used_at,
        secrets,
    }
}
