//! Robots: programs that act for a project or for the server.

mod change;

use std::time::Duration;

use serde::Serialize;
use wharf_db::catalog::audit;
use wharf_db::identity::robots as rows;
use wharf_db::identity::subjects::Kind;
use wharf_types::{ProjectName, SubjectName, Timestamp};

use super::users::{delete, set_disabled};
use super::{IdentityError, Page, Target, name_of, one_more, page_limit};
use crate::{Auth, Identity, Origin, Pattern, Role, Secret, ServerRole};
use change::{Create, Rotate, create_robot, find, rights, robot, rotate, shown};

/// What server-wide robots have instead of a project before the `+`.
const SERVER: &str = "server";

/// A robot as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Robot {
    /// The name it signs in with: `<project>+<name>`, or `server+<name>`.
    pub name: SubjectName,
    /// The project it belongs to; none if it is server-wide.
    pub project: Option<ProjectName>,
    /// For people.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When it last signed in, to a few seconds.
    pub last_used_at: Option<Timestamp>,
    /// Its secrets: one, or two while the old one is still good. Only filled in for a single robot.
    pub secrets: Vec<RobotSecret>,
}

/// A robot's secret as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RobotSecret {
    /// How it begins.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no good.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to a few seconds.
    pub last_used_at: Option<Timestamp>,
}

/// A robot to be made.
#[derive(Debug, Clone)]
pub struct NewRobot {
    /// The project it belongs to; none for a server-wide robot.
    pub project: Option<ProjectName>,
    /// Its name after the `+`.
    pub name: String,
    /// For people.
    pub description: String,
    /// What it may do. A robot of a project holds grants in that project only.
    pub grants: Vec<(ProjectName, Pattern, Role)>,
    /// What it may do on the server. For server-wide robots only.
    pub server_roles: Vec<ServerRole>,
    /// From when on its first secret is no good.
    pub expires_at: Option<Timestamp>,
}

/// The name that a robot signs in with.
fn full_name(project: Option<&ProjectName>, name: &str) -> Result<SubjectName, IdentityError> {
    if name.is_empty() || name.contains(['+', '@']) {
        return Err(IdentityError::Invalid(format!(
            "invalid name of a robot {name:?}: letters, digits, '.', '_' and '-'"
        )));
    }
    name_of(&format!("{}+{name}", project.map_or(SERVER, ProjectName::as_str)))
}

impl Auth {
    /// Makes a robot with its first secret, which is shown this once.
    ///
    /// # Errors
    /// [`IdentityError::Taken`]; [`IdentityError::Invalid`] for grants outside its project.
    pub async fn create_robot(
        &self,
        by: &Identity,
        origin: &Origin,
        new: NewRobot,
    ) -> Result<(Robot, Secret), IdentityError> {
        let name = full_name(new.project.as_ref(), &new.name)?;
        if new.project.is_some() && !new.server_roles.is_empty() {
            return Err(IdentityError::Invalid("a robot of a project holds no server roles".into()));
        }
        if let Some(project) = &new.project
            && new.grants.iter().any(|(on, _, _)| on != project)
        {
            return Err(IdentityError::Invalid(format!("a robot of {project} holds grants in that project only")));
        }
        self.check_end(new.expires_at)?;
        let secret = Secret::robot();
        let mut entry = self.entry(by, origin, "robot.create", &name);
        entry.project = new.project.as_ref().map(ToString::to_string);
        entry.detail = Some(rights(&new));
        let (hash, hint) = (secret.hash(), secret.hint().to_owned());
        let args = Create { new, name, generation: rand::random(), hash, hint, entry };
        let robot = self.change(args, |tx, args| Box::pin(create_robot(tx, args))).await?;
        Ok((robot, secret))
    }

    /// Robots of a project, or server-wide ones, by name after `after`. Without their secrets.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn robots(
        &self,
        project: Option<&ProjectName>,
        after: &str,
        limit: usize,
    ) -> Result<Page<Robot>, IdentityError> {
        let limit = page_limit(limit);
        let args = (project.cloned(), after.to_owned(), one_more(limit));
        let found = self.0.db.read(&args, |tx, (project, after, limit)| {
            Box::pin(async move {
                match project {
                    Some(project) => rows::of_project(tx, project, after, *limit).await,
                    None => rows::of_server(tx, after, *limit).await,
                }
            })
        });
        let page = Page::of(found.await?, limit, |robot| robot.name.to_string());
        Ok(page.map(|row| shown(row, Vec::new())))
    }

    /// One robot of a project, or server-wide one, by its name after the `+`.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn robot(&self, project: Option<&ProjectName>, name: &str) -> Result<Robot, IdentityError> {
        let args = (project.cloned(), full_name(project, name)?);
        self.0.db.snapshot(&args, |tx, (project, name)| Box::pin(robot(tx, project.as_ref(), name))).await
    }

    /// Gives a robot a new secret, which is shown this once. The old one stays good for `overlap`, so that whoever uses it has
    /// the time to change over.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`]; [`IdentityError::Invalid`] for an end in the past.
    pub async fn rotate_robot(
        &self,
        by: &Identity,
        origin: &Origin,
        (project, name): (Option<&ProjectName>, &str),
        overlap: Duration,
        expires_at: Option<Timestamp>,
    ) -> Result<Secret, IdentityError> {
        self.check_end(expires_at)?;
        let secret = Secret::robot();
        let mut target = self.robot_target(by, origin, "robot.rotate", project, name)?;
        target.entry.detail = Some(format!("{} old one good for {} s", secret.hint(), overlap.as_secs()));
        let old_until = target.entry.at.after(overlap);
        let (hash, hint) = (secret.hash(), secret.hint().to_owned());
        let args = Rotate { target, project: project.cloned(), hash, hint, old_until, expires_at };
        self.change(args, |tx, args| Box::pin(rotate(tx, args))).await?;
        Ok(secret)
    }

    /// Locks a robot out, or lets it in again.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn set_robot_disabled(
        &self,
        by: &Identity,
        origin: &Origin,
        (project, name): (Option<&ProjectName>, &str),
        disabled: bool,
    ) -> Result<(), IdentityError> {
        let action = if disabled { "robot.disable" } else { "robot.enable" };
        let args = (self.robot_target(by, origin, action, project, name)?, project.cloned(), disabled);
        self.change(args, |tx, (target, project, disabled)| {
            Box::pin(async move {
                find(tx, project.as_ref(), &target.name).await?;
                set_disabled(tx, target, *disabled).await
            })
        })
        .await
    }

    /// Deletes a robot with its secrets and grants.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn delete_robot(
        &self,
        by: &Identity,
        origin: &Origin,
        (project, name): (Option<&ProjectName>, &str),
    ) -> Result<(), IdentityError> {
        let args = (self.robot_target(by, origin, "robot.delete", project, name)?, project.cloned());
        self.change(args, |tx, (target, project)| {
            Box::pin(async move {
                find(tx, project.as_ref(), &target.name).await?;
                delete(tx, target).await
            })
        })
        .await
    }

    fn check_end(&self, end: Option<Timestamp>) -> Result<(), IdentityError> {
        match end {
            Some(end) if end <= self.0.clock.now() => {
                Err(IdentityError::Invalid("the secret would have expired already".into()))
            }
            _ => Ok(()),
        }
    }

    fn robot_target(
        &self,
        by: &Identity,
        origin: &Origin,
        action: &str,
        project: Option<&ProjectName>,
        name: &str,
    ) -> Result<Target, IdentityError> {
        let name = full_name(project, name)?;
        let entry = audit::Entry { project: project.map(ToString::to_string), ..self.entry(by, origin, action, &name) };
        Ok(Target { kind: Kind::Robot, name, entry })
    }
}
