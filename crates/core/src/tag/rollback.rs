//! Putting a tag back to where it pointed.

use wharf_db::catalog::{audit, bin, manifests, tags};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, Tag, Timestamp};

use super::{Act, Mover};
use crate::actor::about;
use crate::recycle::{Bringing, bring_manifest};
use crate::repository::Target;
use crate::tag_rule::RuleBook;
use crate::{Actor, Core, Restored, Result, SecondThought, manifest};

/// So many moves of the tag are looked through for one that took it from somewhere.
const LOOKED_BACK: i64 = 100;

/// What a rollback did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// The tag.
    pub tag: Tag,
    /// Where it pointed; `None` if it was not there.
    pub from: Option<Digest>,
    /// Where it points.
    pub to: Digest,
    /// What had to come out of the bin for it.
    pub restored: Option<Restored>,
}

struct Request {
    target: Target,
    tag: Tag,
    to: Option<Digest>,
    may_restore: bool,
    actor: Actor,
    rules: RuleBook,
    at: Timestamp,
    due: Timestamp,
}

impl Core {
    /// Points a tag at `to`, or at what it pointed at last before where it points now: doing so twice undoes it. If that
    /// manifest lies in the bin it is restored, if `may_restore` says that the caller could do so.
    ///
    /// # Errors
    /// [`crate::Error::RepositoryUnknown`], [`crate::Error::Rule`], and [`SecondThought`] if there is nothing to go back to.
    pub async fn roll_back_tag(
        &self,
        target: &Target,
        tag: &Tag,
        to: Option<Digest>,
        may_restore: bool,
        actor: &Actor,
    ) -> Result<RolledBack> {
        let at = self.inner.clock.now();
        let due = at.after(self.inner.config.review_delay);
        let (target, tag, actor, rules) = (target.clone(), tag.clone(), actor.clone(), self.inner.rules.clone());
        let args = Request { target, tag, to, may_restore, actor, rules, at, due };
        self.inner.db.write(Durability::Full, args, |tx, r| Box::pin(roll_back(tx, r))).await
    }
}

async fn roll_back(tx: &mut Tx<'_>, request: &Request) -> Result<RolledBack> {
    let Request { target, tag, actor, rules, at, due, .. } = request;
    let repository = target.require(tx).await?;
    let from = tags::find(tx, repository.id, tag).await?;
    let to = match request.to {
        Some(to) => to,
        None => {
            // A tag that was deleted and made anew pointed nowhere in between.
            let moves = tags::history(tx, repository.id, tag, None, LOOKED_BACK).await?;
            let before = moves.into_iter().find_map(|moved| moved.old.filter(|old| Some(*old) != from));
            before.ok_or_else(|| SecondThought::NothingBefore(tag.clone()))?
        }
    };
    let mut restored = None;
    if !manifests::exists(tx, repository.id, &to).await? {
        let entry = bin::of_manifest(tx, repository.id, &to, *at).await?.ok_or(SecondThought::ManifestGone(to))?;
        if !request.may_restore {
            return Err(SecondThought::MayNotRestore { digest: to, entry: entry.id }.into());
        }
        let (repository, force_tags, at, due) = (&repository, false, *at, *due);
        let bringing = Bringing { repository, target, actor, rules, force_tags, at, due };
        let mut brought = bring_manifest(tx, &bringing, &entry).await?;
        brought.kept.retain(|kept| kept.tag != *tag);
        restored = Some(brought);
    }
    Mover::new(&repository, Act::Rollback, &actor.name, rules, (*at, *due)).point(tx, tag, &to).await?;
    if from != Some(to) {
        let mut entry = about(actor.did("tag.rollback", &target.name, *at), Some(tag.to_string()), Some(to));
        entry.detail = from.map(|from| format!("from {from}"));
        audit::append(tx, &entry).await?;
        manifest::tell(tx, "tag.rolled-back", target, &to, std::slice::from_ref(tag), *at).await?;
    }
    Ok(RolledBack { tag: tag.clone(), from, to, restored })
}
