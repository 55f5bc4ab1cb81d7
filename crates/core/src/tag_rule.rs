//! Rules of a project that keep tags where they are: once there, a tag that a rule covers neither moves nor goes.
//!
//! They are read in the transaction that changes the tag, so a rule and a push that meet have an order.

mod pattern;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use wharf_auth::Pattern;
use wharf_db::catalog::{audit, projects, repositories, tag_rules, tags};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, ProjectName, RepoName, SubjectName, Tag, Timestamp};

pub use pattern::{InvalidTagPattern, TagPattern};

use crate::artifact::Doors;
use crate::{Actor, Core, Error, Result};

/// A rule: tags that must stay where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRule {
    /// Its name in the project.
    pub name: SubjectName,
    /// In which repositories, the project's name left out.
    pub repositories: Pattern,
    /// Which tags.
    pub pattern: TagPattern,
    /// Which of those not.
    pub exclusions: Vec<TagPattern>,
    /// Since when.
    pub created_at: Timestamp,
}

/// Why a rule was not added or removed, or what it forbids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A tag that a rule covers would have moved or gone.
    #[error("the tag {tag} of {repository} must stay where it is: the rule {rule} of the project {project} says so")]
    Immutable {
        /// The tag.
        tag: Tag,
        /// Its repository.
        repository: RepoName,
        /// The rule.
        rule: SubjectName,
        /// The rule's project.
        project: ProjectName,
    },
    /// There is one of this name.
    #[error("the project has a rule {0} already")]
    Exists(SubjectName),
    /// There is none of this name.
    #[error("the project has no rule {0}")]
    Unknown(SubjectName),
    /// More rules than are looked through at each push.
    #[error("a project has at most {0} rules for tags")]
    TooMany(usize),
    /// More exclusions than are looked through at each push.
    #[error("a rule has at most {0} exclusions")]
    TooManyExclusions(usize),
}

impl TagRule {
    /// The most rules of a project.
    pub const MOST: usize = 50;
    /// The most exclusions of a rule.
    pub const MOST_EXCLUSIONS: usize = 20;

    /// Whether the rule keeps this tag where it is.
    pub fn covers(&self, repository: &RepoName, tag: &Tag) -> bool {
        self.repositories.matches(repository.path()) && self.covers_tag(tag)
    }

    fn covers_tag(&self, tag: &Tag) -> bool {
        self.pattern.matches(tag) && !self.exclusions.iter().any(|exclusion| exclusion.matches(tag))
    }

    fn read(row: &tag_rules::TagRule) -> Result<Self> {
        let broken = |error: String| Error::Inconsistent(format!("the tag rule {}: {error}", row.name));
        Ok(Self {
            name: row.name.clone(),
            repositories: row.repositories.parse().map_err(|e| broken(format!("{e}")))?,
            pattern: row.pattern.parse().map_err(|e| broken(format!("{e}")))?,
            exclusions: serde_json::from_str(&row.exclusions).map_err(|e| broken(e.to_string()))?,
            created_at: row.created_at,
        })
    }

    fn to_row(&self) -> Result<tag_rules::TagRule> {
        let exclusions = serde_json::to_string(&self.exclusions).map_err(|e| Error::Inconsistent(e.to_string()))?;
        Ok(tag_rules::TagRule {
            name: self.name.clone(),
            repositories: self.repositories.to_string(),
            pattern: self.pattern.to_string(),
            exclusions,
            created_at: self.created_at,
        })
    }
}

/// What has to be asked and told when tags move: rules with their patterns compiled, so that each is compiled once, and the formats
/// that list what tags point at. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RuleBook {
    compiled: Arc<Mutex<HashMap<[String; 4], Arc<TagRule>>>>,
    doors: Doors,
}

impl RuleBook {
    /// An empty one.
    pub(crate) fn of(doors: Doors) -> Self {
        Self { compiled: Arc::default(), doors }
    }

    /// Who lists what tags point at.
    pub(crate) fn doors(&self) -> &Doors {
        &self.doors
    }

    /// More than any sane server has; beyond that it begins anew.
    const MOST: usize = 10_000;

    fn compiled(&self, row: &tag_rules::TagRule) -> Result<Arc<TagRule>> {
        let parts = [row.name.as_str(), &row.repositories, &row.pattern, &row.exclusions].map(str::to_owned);
        if let Some(known) = self.compiled.lock().get(&parts) {
            return Ok(Arc::clone(known));
        }
        let rule = Arc::new(TagRule::read(row)?);
        let mut book = self.compiled.lock();
        if book.len() >= Self::MOST {
            book.clear();
        }
        book.insert(parts, Arc::clone(&rule));
        Ok(rule)
    }

    /// What the rules say in a repository, in one transaction.
    pub(crate) fn open(&self, repository: &repositories::Repository) -> Rules {
        let (project, name) = (repository.project_id, repository.name.clone());
        Rules { book: self.clone(), project, repository: name, found: None }
    }
}

/// The rules that concern a repository, read when they are first asked for: most pushes make new tags.
pub(crate) struct Rules {
    book: RuleBook,
    project: i64,
    repository: RepoName,
    found: Option<Vec<Arc<TagRule>>>,
}

impl Rules {
    /// Who lists what tags point at.
    pub(crate) fn doors(&self) -> &Doors {
        &self.book.doors
    }

    /// The repository.
    pub(crate) fn repository(&self) -> &RepoName {
        &self.repository
    }

    async fn found(&mut self, tx: &mut Tx<'_>) -> Result<&[Arc<TagRule>]> {
        if self.found.is_none() {
            let mut found = Vec::new();
            for row in tag_rules::of_project(tx, self.project).await? {
                let rule = self.book.compiled(&row)?;
                if rule.repositories.matches(self.repository.path()) {
                    found.push(rule);
                }
            }
            self.found = Some(found);
        }
        Ok(self.found.as_deref().unwrap_or_default())
    }

    /// Refuses if a rule keeps the tag where it is. To be asked about a tag that is there and would change.
    pub(crate) async fn let_go(&mut self, tx: &mut Tx<'_>, tag: &Tag) -> Result<()> {
        let rule = self.found(tx).await?.iter().find(|rule| rule.covers_tag(tag)).cloned();
        match rule {
            None => Ok(()),
            Some(rule) => {
                let (repository, project) = (self.repository.clone(), self.repository.project().clone());
                Err(RuleError::Immutable { tag: tag.clone(), repository, rule: rule.name.clone(), project }.into())
            }
        }
    }

    /// Refuses if the manifest is part of what such a tag names: it has the tag, or an index that names it has, at any depth.
    pub(crate) async fn let_manifest_go(&mut self, tx: &mut Tx<'_>, repository: i64, digest: &Digest) -> Result<()> {
        if self.found(tx).await?.is_empty() {
            return Ok(());
        }
        let mut after = String::new();
        loop {
            let names = tags::above(tx, repository, digest, &after, STEP).await?;
            let Some(last) = names.last() else { return Ok(()) };
            last.as_str().clone_into(&mut after);
            for tag in &names {
                self.let_go(tx, tag).await?;
            }
        }
    }

    /// Refuses if the repository holds such a tag.
    pub(crate) async fn let_repository_go(&mut self, tx: &mut Tx<'_>, repository: i64) -> Result<()> {
        if self.found(tx).await?.is_empty() {
            return Ok(());
        }
        let mut after = String::new();
        loop {
            let names = tags::page(tx, repository, &after, STEP).await?;
            let Some(last) = names.last() else { return Ok(()) };
            last.name.as_str().clone_into(&mut after);
            for tag in &names {
                self.let_go(tx, &tag.name).await?;
            }
        }
    }
}

/// Rows of one read.
const STEP: i64 = 1000;

struct Change {
    project: ProjectName,
    rule: SubjectName,
    /// To be added; without it the rule is removed.
    row: Option<tag_rules::TagRule>,
    actor: Actor,
    at: Timestamp,
}

impl Core {
    /// The rules of a project by name.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`].
    pub async fn tag_rules(&self, project: &ProjectName) -> Result<Vec<TagRule>> {
        let rows = self.inner.db.read(project, |tx, name| {
            Box::pin(async move {
                let project = projects::find(tx, name).await?.ok_or_else(|| Error::ProjectUnknown(name.clone()))?;
                Ok::<_, Error>(tag_rules::of_project(tx, project.id).await?)
            })
        });
        rows.await?.iter().map(TagRule::read).collect()
    }

    /// Adds a rule. Tags that it covers stay where they are from now on.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`], [`RuleError::Exists`], [`RuleError::TooMany`], [`RuleError::TooManyExclusions`].
    pub async fn add_tag_rule(
        &self,
        project: &ProjectName,
        name: SubjectName,
        covers: (Pattern, TagPattern, Vec<TagPattern>),
        actor: &Actor,
    ) -> Result<TagRule> {
        let at = self.inner.clock.now();
        let (repositories, pattern, exclusions) = covers;
        if exclusions.len() > TagRule::MOST_EXCLUSIONS {
            return Err(RuleError::TooManyExclusions(TagRule::MOST_EXCLUSIONS).into());
        }
        let rule = TagRule { name, repositories, pattern, exclusions, created_at: at };
        let row = Some(rule.to_row()?);
        let change = Change { project: project.clone(), rule: rule.name.clone(), row, actor: actor.clone(), at };
        self.inner.db.write(Durability::Full, change, |tx, c| Box::pin(carry_out(tx, c))).await?;
        Ok(rule)
    }

    /// Removes a rule. Tags that no other covers may move from now on.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`], [`RuleError::Unknown`].
    pub async fn remove_tag_rule(&self, project: &ProjectName, name: &SubjectName, actor: &Actor) -> Result<()> {
        let at = self.inner.clock.now();
        let change = Change { project: project.clone(), rule: name.clone(), row: None, actor: actor.clone(), at };
        self.inner.db.write(Durability::Full, change, |tx, c| Box::pin(carry_out(tx, c))).await
    }
}

async fn carry_out(tx: &mut Tx<'_>, change: &Change) -> Result<()> {
    let Change { project: name, rule, row, actor, at } = change;
    let project = projects::find(tx, name).await?.ok_or_else(|| Error::ProjectUnknown(name.clone()))?;
    let mut entry = match row {
        Some(row) => {
            let there = tag_rules::of_project(tx, project.id).await?;
            // This very change, run again because the answer to its COMMIT was lost.
            if there.contains(row) {
                return Ok(());
            }
            if there.len() >= TagRule::MOST {
                return Err(RuleError::TooMany(TagRule::MOST).into());
            }
            if !tag_rules::add(tx, project.id, row).await? {
                return Err(RuleError::Exists(rule.clone()).into());
            }
            let mut entry = actor.did_to_project("tag-rule.add", name.as_str(), *at);
            let tag_rules::TagRule { repositories, pattern, exclusions, .. } = row;
            entry.detail = Some(format!("repositories={repositories} pattern={pattern} exclusions={exclusions}"));
            entry
        }
        None => {
            if !tag_rules::remove(tx, project.id, rule).await? {
                return Err(RuleError::Unknown(rule.clone()).into());
            }
            actor.did_to_project("tag-rule.remove", name.as_str(), *at)
        }
    };
    entry.subject = Some(rule.to_string());
    Ok(audit::append(tx, &entry).await?)
}
