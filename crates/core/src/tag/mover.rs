//! The one way by which tags move.

use wharf_db::Tx;
use wharf_db::catalog::tags::{self, Act};
use wharf_db::catalog::{repositories, reviews};
use wharf_types::{Digest, Tag, Timestamp};

use crate::Result;
use crate::artifact::reflect_move;
use crate::tag_rule::{RuleBook, Rules};

/// Moves tags of one repository in one transaction: asks the rules, moves, and writes the move down.
pub(crate) struct Mover<'a> {
    repository: i64,
    act: Act,
    actor: &'a str,
    rules: Rules,
    at: Timestamp,
    due: Timestamp,
    /// The manifest that is being pushed, and what it is.
    pushed: Option<(Digest, Option<String>)>,
    /// Whether packages agree already.
    quiet: bool,
}

impl<'a> Mover<'a> {
    /// `times` are now, and when what loses its tag is reviewed.
    pub(crate) fn new(
        repository: &repositories::Repository,
        act: Act,
        actor: &'a str,
        rules: &RuleBook,
        times: (Timestamp, Timestamp),
    ) -> Self {
        let (at, due) = times;
        let (rules, pushed, quiet) = (rules.open(repository), None, false);
        Self { repository: repository.id, act, actor, rules, at, due, pushed, quiet }
    }

    /// Saves looking at the manifest that is just being pushed. `quiet` is for who writes the package himself.
    pub(crate) fn pushing(mut self, digest: Digest, artifact_type: Option<String>, quiet: bool) -> Self {
        (self.pushed, self.quiet) = (Some((digest, artifact_type)), quiet);
        self
    }

    /// Points a tag at a manifest of the repository; where it pointed before.
    pub(crate) async fn point(&mut self, tx: &mut Tx<'_>, tag: &Tag, to: &Digest) -> Result<Option<Digest>> {
        let old = tags::find(tx, self.repository, tag).await?;
        let moves = old.as_ref() != Some(to);
        if moves && old.is_some() {
            self.rules.let_go(tx, tag).await?;
        }
        tags::put(tx, self.repository, tag, to, self.at).await?;
        if moves {
            self.record(tx, tag, old, Some(*to)).await?;
        }
        Ok(old)
    }

    /// Removes a tag; where it pointed, or `None` if it was not there.
    pub(crate) async fn remove(&mut self, tx: &mut Tx<'_>, tag: &Tag) -> Result<Option<Digest>> {
        let Some(old) = tags::find(tx, self.repository, tag).await? else { return Ok(None) };
        self.rules.let_go(tx, tag).await?;
        tags::remove(tx, self.repository, tag).await?;
        self.record(tx, tag, Some(old), None).await?;
        Ok(Some(old))
    }

    async fn record(&self, tx: &mut Tx<'_>, tag: &Tag, old: Option<Digest>, new: Option<Digest>) -> Result<()> {
        if let Some(old) = &old {
            let reason = if new.is_some() { "tag moved" } else { "tag deleted" };
            reviews::enqueue(tx, Some(self.repository), old, reason, self.due).await?;
        }
        if !self.quiet {
            let (doors, named) = (self.rules.doors(), (self.repository, self.rules.repository()));
            let between = [old.as_ref(), new.as_ref()];
            reflect_move(tx, doors, named, tag, between, self.pushed.as_ref(), self.at).await?;
        }
        let (act, actor, at) = (self.act, self.actor.to_owned(), self.at);
        let moved = tags::Move { id: 0, tag: tag.clone(), old, new, act, actor, at };
        Ok(tags::record(tx, self.repository, &moved).await?)
    }
}
