//! Repositories: found by name, made by the first push, deleted whole.

use wharf_auth::{Identity, Operation, Permit};
use wharf_db::catalog::{audit, events, projects, repositories};
use wharf_db::{Durability, Tx};
use wharf_types::{FormatName, ProjectName, RepoName, Timestamp};

use crate::artifact::{Shown, artifacts_of, ask_to_reflect, ask_to_reflect_below, let_packages_go};
use crate::recycle::{self, Deletion};
use crate::tag_rule::RuleBook;
use crate::{Actor, Core, Error, Result};

/// The repository a request is about, and whether its permit may make the project.
#[derive(Debug, Clone)]
pub struct Target {
    /// Which kind of goods.
    pub format: FormatName,
    /// Its name, as it was asked for.
    pub name: RepoName,
    creates_project: bool,
}

/// A repository as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its format.
    pub format: String,
    /// Its canonical name.
    pub name: RepoName,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Target {
    /// A repository that is read or changed.
    pub fn new(format: FormatName, name: RepoName) -> Self {
        Self { format, name, creates_project: false }
    }

    /// A repository that is pushed to: with what the permit says of its project.
    pub fn pushed<O: Operation>(format: FormatName, name: RepoName, permit: &Permit<O>) -> Self {
        Self { format, name, creates_project: permit.creates_project() }
    }

    pub(crate) async fn find(&self, tx: &mut Tx<'_>) -> Result<Option<repositories::Repository>> {
        Ok(repositories::find(tx, self.format, &self.name).await?)
    }

    /// The repository's row.
    pub(crate) async fn require(&self, tx: &mut Tx<'_>) -> Result<repositories::Repository> {
        self.find(tx).await?.ok_or_else(|| Error::RepositoryUnknown(self.name.clone()))
    }
}

/// Rows of one read.
const STEP: i64 = 1000;

/// A listing over more projects than this passes over what is hidden instead of reading each of them.
const MOST_SOURCES: usize = 64;

/// What a listing asks for, of one project or of all.
struct Listing {
    format: FormatName,
    project: Option<i64>,
    filled: bool,
    limit: usize,
}

struct Ensure {
    target: Target,
    actor: Actor,
    /// The form in which its packages lie elsewhere, if they have one.
    shown: Option<Shown>,
    at: Timestamp,
}

struct Removal {
    target: Target,
    actor: Actor,
    rules: RuleBook,
    /// Whether tags that a rule keeps go with it.
    force: bool,
    at: Timestamp,
    until: Timestamp,
}

impl Core {
    /// The repository's key; made now if it is not there. The project must be there, or be the permit's to make.
    pub(crate) async fn ensure_repository(&self, target: &Target, actor: &Actor) -> Result<i64> {
        // A permit to make the project says nothing about one that somebody else has made since: that is decided below.
        if !target.creates_project {
            let found = self.inner.db.read(target, |tx, target| Box::pin(target.find(tx))).await?;
            if let Some(found) = found {
                return Ok(found.id);
            }
        }
        let shown = self.inner.rules.doors().shown_by(target.format.as_str());
        let args = Ensure { target: target.clone(), actor: actor.clone(), shown, at: self.inner.clock.now() };
        let id = self.inner.db.write(Durability::Full, args, |tx, e| Box::pin(ensure(tx, e))).await?;
        if shown.is_some() {
            self.inner.work.notify_one();
        }
        Ok(id)
    }

    /// Up to `limit` repositories that `identity` may see, by name after `after`. With `filled`, only those that hold a manifest.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn repositories(
        &self,
        identity: &Identity,
        format: FormatName,
        project: Option<&ProjectName>,
        filled: bool,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Repository>> {
        let visibility = self.inner.auth.visibility(identity).await.map_err(|e| Error::Inconsistent(e.to_string()))?;
        let only = project.map(|name| vec![name.clone()]);
        let sources = match only.or_else(|| visibility.projects()) {
            None => vec![None],
            // So many that reading each of them costs more than passing over what is hidden.
            Some(names) if names.len() > MOST_SOURCES => vec![None],
            Some(names) => self.project_ids(&names).await?,
        };
        let mut seen = Vec::new();
        for source in sources {
            let listing = Listing { format, project: source, filled, limit };
            seen.append(&mut self.repositories_of(&listing, after, |name| visibility.sees(format, name)).await?);
        }
        seen.sort_unstable_by(|one: &Repository, other| one.name.canonical().cmp(other.name.canonical()));
        seen.truncate(limit);
        Ok(seen)
    }

    async fn project_ids(&self, names: &[ProjectName]) -> Result<Vec<Option<i64>>> {
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            match self.project_row(name).await {
                Ok(row) => ids.push(Some(row.id)),
                // Gone since; what is listed is what is there.
                Err(Error::ProjectUnknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ids)
    }

    /// One source of a listing: what may not be seen is left out here, so a page may take several reads.
    async fn repositories_of(
        &self,
        listing: &Listing,
        after: &str,
        sees: impl Fn(&RepoName) -> bool,
    ) -> Result<Vec<Repository>> {
        let (mut seen, mut after) = (Vec::new(), after.to_owned());
        loop {
            let args = (listing, after.as_str());
            let rows = self.inner.db.read(&args, |tx, (listing, after)| {
                let Listing { format, project, filled, .. } = listing;
                Box::pin(repositories::page(tx, format.as_str(), *project, *filled, after, STEP))
            });
            let rows = rows.await.map_err(Error::from)?;
            let last_page = rows.len() < usize::try_from(STEP).unwrap_or(usize::MAX);
            for row in rows {
                row.name.canonical().clone_into(&mut after);
                if sees(&row.name) {
                    let format = listing.format.as_str().to_owned();
                    seen.push(Repository { format, name: row.name, created_at: row.created_at });
                }
                if seen.len() == listing.limit {
                    return Ok(seen);
                }
            }
            if last_page {
                return Ok(seen);
            }
            // Reads of SQLite run on this thread: others shall have their turn.
            tokio::task::yield_now().await;
        }
    }

    /// One repository.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn repository(&self, target: &Target) -> Result<Repository> {
        let row = self.inner.db.read(target, |tx, target| Box::pin(target.require(tx))).await?;
        Ok(Repository { format: target.format.as_str().to_owned(), name: row.name, created_at: row.created_at })
    }

    /// Takes a repository and everything in it out of sight and into the bin. When its time there is up, everything goes. What is left
    /// are the first hundred repositories that have its packages as artifacts: those stay.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], and [`Error::Rule`] if a rule of the project keeps one of its tags, or the tag by which one of its
    /// packages is an artifact, unless `force` is set.
    pub async fn delete_repository(&self, target: &Target, force: bool, actor: &Actor) -> Result<Vec<RepoName>> {
        let at = self.inner.clock.now();
        // Without a bin the entry is there all the same, its time up: by it everything goes.
        let until = self.kept_until(at).unwrap_or(at);
        let (target, actor, rules) = (target.clone(), actor.clone(), self.inner.rules.clone());
        let args = Removal { target, actor, rules, force, at, until };
        self.inner.db.write(Durability::Full, args, |tx, e| Box::pin(delete(tx, e))).await
    }
}

async fn ensure(tx: &mut Tx<'_>, args: &Ensure) -> Result<i64> {
    let Ensure { target, actor, shown, at } = args;
    let name = target.name.project();
    let project = match projects::find(tx, name).await? {
        Some(project) if target.creates_project && !crate::project::is_maker(tx, project.id, actor).await? => {
            return Err(Error::RepositoryUnknown(target.name.clone()));
        }
        Some(project) => project,
        None if target.creates_project => crate::project::create(tx, name, false, actor, *at).await?,
        None => return Err(Error::ProjectUnknown(name.clone())),
    };
    let (id, made) = repositories::ensure(tx, project.id, target.format, &target.name, *at).await?;
    if made {
        audit::append(tx, &actor.did("repository.create", &target.name, *at)).await?;
        if let Some(shown) = shown {
            ask_to_reflect_below(tx, *shown, (id, &target.name), *at).await?;
        }
    }
    Ok(id)
}

async fn delete(tx: &mut Tx<'_>, removal: &Removal) -> Result<Vec<RepoName>> {
    let Removal { target, actor, rules, force, at, until } = removal;
    let row = target.require(tx).await?;
    if !force {
        rules.open(&row).let_repository_go(tx, row.id).await?;
        if let Some(shown) = rules.doors().shown_by(target.format.as_str()) {
            let_packages_go(tx, shown, rules, (target, &row)).await?;
        }
    }
    repositories::mark_deleted(tx, row.id, *at).await?;
    recycle::keep_repository(tx, &Deletion { repository: &row, actor: &actor.name, at: *at, until: *until }).await?;
    for shown in rules.doors().of_format(target.format) {
        ask_to_reflect(tx, shown, (row.id, &row.name), None, *at).await?;
    }
    let mut entry = actor.did("repository.delete", &target.name, *at);
    entry.detail = force.then(|| "forced: no rule for tags was asked".to_owned());
    audit::append(tx, &entry).await?;
    tell(tx, "repository.deleted", target, *at).await?;
    let Some(shown) = rules.doors().shown_by(target.format.as_str()) else { return Ok(Vec::new()) };
    artifacts_of(tx, shown, (row.id, &row.name)).await
}

/// Writes the event that tells of a change to a repository.
pub(crate) async fn tell(tx: &mut Tx<'_>, kind: &str, target: &Target, at: Timestamp) -> Result<()> {
    let payload = serde_json::json!({ "repository": target.name.canonical(), "format": target.format });
    Ok(events::append(tx, at, kind, &payload.to_string()).await?)
}
