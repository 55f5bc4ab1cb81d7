//! Grants on projects, and roles on the server.

use serde::Serialize;
use wharf_db::Tx;
use wharf_db::catalog::audit;
use wharf_db::identity::grants::{self as rows, Place};
use wharf_db::identity::subjects;
use wharf_db::identity::users;
use wharf_types::{ProjectName, Timestamp};

use super::grantee::Grantee;
use super::{
    IdentityError, Page, Target, administrated, find, find_project, one_more, page_limit, record, still_administrated,
};
use crate::{Auth, Identity, Origin, Pattern, Role, ServerRole};

/// A grant as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantInfo {
    /// Who holds it.
    pub grantee: Grantee,
    /// The project.
    pub project: ProjectName,
    /// Where in it; `**` is all of it.
    pub pattern: String,
    /// The role.
    pub role: String,
    /// Since when.
    pub created_at: Timestamp,
}

struct Change {
    target: Target,
    project: ProjectName,
    pattern: String,
    role: Option<Role>,
}

impl Auth {
    /// Gives a role on the repositories of a project that match `pattern`, instead of the one held there before.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`]; [`IdentityError::Invalid`] for the robot of another project.
    pub async fn grant(
        &self,
        by: &Identity,
        origin: &Origin,
        grantee: &Grantee,
        (project, pattern, role): (&ProjectName, &Pattern, Role),
    ) -> Result<(), IdentityError> {
        let args = self.grant_change(by, origin, "grant.give", grantee, (project, pattern, Some(role)));
        self.change(args, |tx, args| Box::pin(grant(tx, args))).await
    }

    /// Takes the role that is held for exactly this pattern.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn revoke_grant(
        &self,
        by: &Identity,
        origin: &Origin,
        grantee: &Grantee,
        (project, pattern): (&ProjectName, &Pattern),
    ) -> Result<(), IdentityError> {
        let args = self.grant_change(by, origin, "grant.take", grantee, (project, pattern, None));
        self.change(args, |tx, args| Box::pin(revoke(tx, args))).await
    }

    /// Grants on a project, by name of their holder. `after` is what the page before gave as `next`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn grants_on(
        &self,
        project: &ProjectName,
        after: &str,
        limit: usize,
    ) -> Result<Page<GrantInfo>, IdentityError> {
        let limit = page_limit(limit);
        let args = (project.clone(), after.to_owned(), one_more(limit));
        let found = self.0.db.read(&args, |tx, (project, after, limit)| {
            Box::pin(async move {
                // The pattern may hold any character but a space.
                let mut parts = after.splitn(3, ' ').chain(std::iter::repeat(""));
                let mut part = || parts.next().unwrap_or_default();
                rows::of_project(tx, project, (part(), part(), part()), *limit).await
            })
        });
        let key = |grant: &rows::Grant| format!("{} {} {}", grant.subject, grant.kind, grant.pattern);
        Ok(Page::of(found.await?, limit, key).map(shown))
    }

    /// Grants that a user, group or robot holds itself, by project. `after` is what the page before gave as `next`.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn grants_of(
        &self,
        grantee: &Grantee,
        after: &str,
        limit: usize,
    ) -> Result<Page<GrantInfo>, IdentityError> {
        let limit = page_limit(limit);
        let args = (grantee.clone(), after.to_owned(), one_more(limit));
        let found = self.0.db.snapshot(&args, |tx, (grantee, after, limit)| {
            Box::pin(async move {
                let subject = find(tx, grantee.kind(), grantee.name()).await?;
                let after = after.split_once(' ').unwrap_or((after, ""));
                Ok::<_, IdentityError>(rows::of_subject(tx, subject.id, after, *limit).await?)
            })
        });
        Ok(Page::of(found.await?, limit, |grant| format!("{} {}", grant.project, grant.pattern)).map(shown))
    }

    /// Gives or takes a role on the server.
    ///
    /// # Errors
    /// [`IdentityError::LastAdministrator`]; [`IdentityError::Invalid`] for a robot of a project.
    pub async fn set_server_role(
        &self,
        by: &Identity,
        origin: &Origin,
        grantee: &Grantee,
        role: ServerRole,
        held: bool,
    ) -> Result<(), IdentityError> {
        let action = if held { "server-role.give" } else { "server-role.take" };
        let mut target = self.grant_target(by, origin, action, grantee);
        target.entry.detail = Some(role.to_string());
        self.change((target, role, held), |tx, (target, role, held)| {
            Box::pin(set_server_role(tx, target, *role, *held))
        })
        .await
    }

    fn grant_target(&self, by: &Identity, origin: &Origin, action: &str, grantee: &Grantee) -> Target {
        Target { kind: grantee.kind(), name: grantee.name().clone(), entry: self.entry(by, origin, action, grantee) }
    }

    fn grant_change(
        &self,
        by: &Identity,
        origin: &Origin,
        action: &str,
        grantee: &Grantee,
        (project, pattern, role): (&ProjectName, &Pattern, Option<Role>),
    ) -> Change {
        let mut target = self.grant_target(by, origin, action, grantee);
        target.entry.project = Some(project.to_string());
        target.entry.detail = Some(match role {
            Some(role) => format!("{role} on {pattern}"),
            None => pattern.to_string(),
        });
        Change { target, project: project.clone(), pattern: pattern.to_string(), role }
    }
}

impl Change {
    async fn place(&self, tx: &mut Tx<'_>) -> Result<(subjects::Subject, Place<'_>), IdentityError> {
        let subject = self.target.find(tx).await?;
        let project = find_project(tx, &self.project).await?;
        let place = Place { subject_id: subject.id, project_id: project.id, pattern: &self.pattern };
        Ok((subject, place))
    }
}

async fn grant(tx: &mut Tx<'_>, change: &Change) -> Result<(), IdentityError> {
    let (subject, place) = change.place(tx).await?;
    if subject.project.as_ref().is_some_and(|own| *own != change.project) {
        let reason = format!("{} holds grants in its own project only", change.target.name);
        return Err(IdentityError::Invalid(reason));
    }
    let Some(role) = change.role else { return Ok(()) };
    if rows::put(tx, place, role.as_str(), change.target.entry.at).await? {
        audit::append(tx, &change.target.entry).await?;
    }
    Ok(())
}

async fn revoke(tx: &mut Tx<'_>, change: &Change) -> Result<(), IdentityError> {
    let (_, place) = change.place(tx).await?;
    let Some(role) = rows::remove(tx, place).await? else {
        let name = format!("{} on {}/{}", change.target.name, change.project, change.pattern);
        return Err(IdentityError::NoSuch { what: "grant", name });
    };
    let detail = Some(format!("{role} on {}", change.pattern));
    Ok(audit::append(tx, &audit::Entry { detail, ..change.target.entry.clone() }).await?)
}

async fn set_server_role(tx: &mut Tx<'_>, target: &Target, role: ServerRole, held: bool) -> Result<(), IdentityError> {
    let subject = target.find(tx).await?;
    if held && subject.project.is_some() {
        return Err(IdentityError::Invalid("a robot of a project holds no server roles".into()));
    }
    let before = administrated(tx).await?;
    let changed = match held {
        true => users::give_server_role(tx, subject.id, role.as_str()).await?,
        false => users::take_server_role(tx, subject.id, role.as_str()).await?,
    };
    if !changed {
        return Ok(());
    }
    still_administrated(tx, before).await?;
    record(tx, &target.entry).await
}

fn shown(row: rows::Grant) -> GrantInfo {
    GrantInfo {
        grantee: Grantee::of(&row.kind, row.subject),
        project: row.project,
        pattern: row.pattern,
        role: row.role,
        created_at: row.created_at,
    }
}
