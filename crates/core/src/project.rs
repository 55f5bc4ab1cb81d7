//! Projects: made by hand or by a push, public or not, deleted when empty.

use wharf_auth::{Identity, Role};
use wharf_db::catalog::{audit, projects};
use wharf_db::identity::{epoch, grants};
use wharf_db::{Durability, Tx};
use wharf_types::{ProjectName, Timestamp};

use crate::{Actor, Core, Error, Result};

/// The pattern of a grant on a whole project.
const EVERYTHING: &str = "**";

/// A project as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name.
    pub name: ProjectName,
    /// Whether everyone may see it and pull from it.
    pub public: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<projects::Project> for Project {
    fn from(row: projects::Project) -> Self {
        Self { name: row.name, public: row.public, created_at: row.created_at }
    }
}

struct Change {
    name: ProjectName,
    public: bool,
    actor: Actor,
    at: Timestamp,
}

impl Core {
    fn change(&self, name: &ProjectName, public: bool, actor: &Actor) -> Change {
        Change { name: name.clone(), public, actor: actor.clone(), at: self.inner.clock.now() }
    }

    /// Makes a project; whoever makes it owns it.
    ///
    /// # Errors
    /// [`Error::ProjectExists`].
    pub async fn create_project(&self, name: &ProjectName, public: bool, actor: &Actor) -> Result<Project> {
        let made = self
            .inner
            .db
            .write(Durability::Full, self.change(name, public, actor), |tx, c| {
                Box::pin(async move {
                    if projects::find(tx, &c.name).await?.is_some() {
                        return Err(Error::ProjectExists(c.name.clone()));
                    }
                    create(tx, &c.name, c.public, &c.actor, c.at).await
                })
            })
            .await?;
        Ok(made.into())
    }

    /// One project.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`].
    pub async fn project(&self, name: &ProjectName) -> Result<Project> {
        Ok(self.project_row(name).await?.into())
    }

    pub(crate) async fn project_row(&self, name: &ProjectName) -> Result<projects::Project> {
        let found =
            self.inner.db.read(name, |tx, name| Box::pin(projects::find(tx, name))).await.map_err(Error::from)?;
        found.ok_or_else(|| Error::ProjectUnknown(name.clone()))
    }

    /// Lets everyone see it and pull from it, or not.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`].
    pub async fn set_project_public(&self, name: &ProjectName, public: bool, actor: &Actor) -> Result<Project> {
        self.inner
            .db
            .write(Durability::Full, self.change(name, public, actor), |tx, c| {
                Box::pin(async move {
                    if !projects::set_public(tx, &c.name, c.public).await? {
                        return Err(Error::ProjectUnknown(c.name.clone()));
                    }
                    let mut entry = c.actor.did_to_project("project.update", c.name.as_str(), c.at);
                    entry.detail = Some(format!("public={}", c.public));
                    audit::append(tx, &entry).await?;
                    Ok(epoch::bump(tx).await?)
                })
            })
            .await?;
        self.project(name).await
    }

    /// Removes an empty project, its grants and its robots.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`], [`Error::ProjectNotEmpty`].
    pub async fn delete_project(&self, name: &ProjectName, actor: &Actor) -> Result<()> {
        self.inner.db.write(Durability::Full, self.change(name, false, actor), |tx, c| Box::pin(delete(tx, c))).await?;
        Ok(())
    }

    /// Up to `limit` projects that `identity` may see, by name after `after`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn projects(&self, identity: &Identity, after: &str, limit: usize) -> Result<Vec<Project>> {
        let visibility = self.inner.auth.visibility(identity).await.map_err(|e| Error::Inconsistent(e.to_string()))?;
        if let Some(names) = visibility.projects() {
            let mut seen = Vec::new();
            for name in names.iter().filter(|name| name.as_str() > after).take(limit) {
                match self.project(name).await {
                    Ok(project) => seen.push(project),
                    // Gone since.
                    Err(Error::ProjectUnknown(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            return Ok(seen);
        }
        let args = (after, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.inner.db.read(&args, |tx, (after, limit)| Box::pin(projects::page(tx, after, *limit))).await;
        Ok(rows.map_err(Error::from)?.into_iter().map(Project::from).collect())
    }
}

pub(crate) async fn create(
    tx: &mut Tx<'_>,
    name: &ProjectName,
    public: bool,
    actor: &Actor,
    at: Timestamp,
) -> Result<projects::Project> {
    let made = projects::create(tx, name, public, at).await?;
    let made = made.ok_or_else(|| Error::ProjectExists(name.clone()))?;
    // An administrator needs no grant, and should lose everything with that role.
    let maker = actor.identity.as_ref().filter(|identity| !identity.is_administrator());
    if let Some(owner) = maker.and_then(|identity| identity.subject().id()) {
        let place = grants::Place { subject_id: owner, project_id: made.id, pattern: EVERYTHING };
        grants::put(tx, place, Role::Owner.as_str(), at).await?;
    }
    audit::append(tx, &actor.did_to_project("project.create", name.as_str(), at)).await?;
    epoch::bump(tx).await?;
    Ok(made)
}

/// Whether `actor` is the one who made the project, or may do anything: asked when a push that was permitted to make a project
/// finds that it has been made meanwhile.
pub(crate) async fn is_maker(tx: &mut Tx<'_>, project: i64, actor: &Actor) -> Result<bool> {
    let Some(identity) = &actor.identity else { return Ok(false) };
    if identity.is_administrator() {
        return Ok(true);
    }
    let Some(subject_id) = identity.subject().id() else { return Ok(false) };
    let role = grants::role(tx, grants::Place { subject_id, project_id: project, pattern: EVERYTHING }).await?;
    Ok(role.as_deref() == Some(Role::Owner.as_str()))
}

async fn delete(tx: &mut Tx<'_>, change: &Change) -> Result<()> {
    let Change { name, actor, at, .. } = change;
    let project = projects::find(tx, name).await?.ok_or_else(|| Error::ProjectUnknown(name.clone()))?;
    if !projects::remove_empty(tx, project.id).await? {
        return Err(Error::ProjectNotEmpty(name.clone()));
    }
    audit::append(tx, &actor.did_to_project("project.delete", name.as_str(), *at)).await?;
    Ok(epoch::bump(tx).await?)
}
