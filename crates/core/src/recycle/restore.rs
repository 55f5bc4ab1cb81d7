//! Taking things out of the bin again, whole or not at all.

use std::collections::HashSet;

use wharf_db::catalog::bin::{self, Kind, Outcome};
use wharf_db::catalog::blobs::Place;
use wharf_db::catalog::{audit, blobs, manifests, projects, repositories, tags};
use wharf_db::{Durability, Tx};
use wharf_types::{Digest, MediaType, RepoName, Tag, Timestamp};

use super::expire::line;
use super::kept::KeptManifest;
use super::{SecondThought, digest_of, is_of, still_there, tag_of};
use crate::artifact::{ask_to_reflect, reflect_manifest};
use crate::manifest::{self, Parsed};
use crate::repository::{self, Target};
use crate::tag::{Act, Mover};
use crate::tag_rule::RuleBook;
use crate::{Actor, Core, Error, Result};

/// How something is to be restored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restoring {
    /// A repository: under this name instead of its own.
    pub name: Option<RepoName>,
    /// Tags that point elsewhere by now are moved back all the same.
    pub force_tags: bool,
}

/// What came back, and what did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What it was.
    pub kind: Kind,
    /// The repository, by the name it has now.
    pub repository: RepoName,
    /// The manifest, or where the tag points again.
    pub digest: Option<Digest>,
    /// The tags that point where they pointed.
    pub tags: Vec<Tag>,
    /// The tags that stay as they are.
    pub kept: Vec<Unmoved>,
    /// Manifests that the restored one names and that were deleted for themselves: they have entries of their own, if their
    /// time is not up.
    pub missing: Vec<Digest>,
}

/// A tag that was not restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmoved {
    /// The tag.
    pub tag: Tag,
    /// Where it points.
    pub digest: Digest,
    /// Why it stays there.
    pub reason: String,
}

struct Request {
    target: Target,
    id: i64,
    how: Restoring,
    actor: Actor,
    rules: RuleBook,
    at: Timestamp,
    due: Timestamp,
}

/// What it takes to bring something back into a repository that is there.
pub(crate) struct Bringing<'a> {
    pub(crate) repository: &'a repositories::Repository,
    pub(crate) target: &'a Target,
    pub(crate) actor: &'a Actor,
    pub(crate) rules: &'a RuleBook,
    pub(crate) force_tags: bool,
    pub(crate) at: Timestamp,
    pub(crate) due: Timestamp,
}

impl Core {
    /// Restores an entry of the bin. `target` is the repository that it names; that is what the caller was asked for permission
    /// on.
    ///
    /// # Errors
    /// [`SecondThought`] says what stands in the way.
    pub async fn restore(&self, target: &Target, id: i64, how: Restoring, actor: &Actor) -> Result<Restored> {
        let at = self.inner.clock.now();
        let due = at.after(self.inner.config.review_delay);
        let (target, actor, rules) = (target.clone(), actor.clone(), self.inner.rules.clone());
        let args = Request { target, id, how, actor, rules, at, due };
        self.inner.db.write(Durability::Full, args, |tx, r| Box::pin(restore(tx, r))).await
    }
}

/// The entry of this number, if it is of that repository and can still be restored. What is left of a project that was deleted
/// is for administrators: a project of the same name is another one.
pub(super) async fn entry_of(
    tx: &mut Tx<'_>,
    target: &Target,
    id: i64,
    actor: &Actor,
    now: Timestamp,
) -> Result<bin::Entry> {
    let found = bin::find(tx, id).await?;
    let entry = found.filter(|entry| is_of(entry, target)).ok_or(SecondThought::NoEntry(id))?;
    if entry.project_id.is_none() && !actor.identity.as_ref().is_none_or(wharf_auth::Identity::is_administrator) {
        return Err(SecondThought::NoEntry(id).into());
    }
    still_there(entry, now)
}

async fn restore(tx: &mut Tx<'_>, request: &Request) -> Result<Restored> {
    let Request { target, id, how, actor, rules, at, due } = request;
    let entry = entry_of(tx, target, *id, actor, *at).await?;
    if entry.kind == Kind::Repository {
        return bring_repository(tx, request, &entry).await;
    }
    if how.name.is_some() {
        return Err(SecondThought::NotRenamed(entry.kind).into());
    }
    let Some(repository) = repositories::living(tx, entry.repository_id).await? else {
        let own = bin::of_repository(tx, entry.repository_id, *at).await?;
        return Err(SecondThought::RepositoryDeleted { repository: entry.repository, entry: own }.into());
    };
    let (force_tags, at, due) = (how.force_tags, *at, *due);
    let bringing = Bringing { repository: &repository, target, actor, rules, force_tags, at, due };
    match entry.kind {
        Kind::Tag => bringing.tag(tx, &entry).await,
        _ => bring_manifest(tx, &bringing, &entry).await,
    }
}

async fn bring_repository(tx: &mut Tx<'_>, request: &Request, entry: &bin::Entry) -> Result<Restored> {
    let Request { target, how, actor, rules, at, .. } = request;
    let name = how.name.as_ref().unwrap_or(&entry.repository);
    if entry.project_id.is_none() && how.name.is_none() {
        return Err(SecondThought::ProjectGone(entry.repository.clone()).into());
    }
    let project = projects::find(tx, name.project()).await?;
    let project = project.ok_or_else(|| Error::ProjectUnknown(name.project().clone()))?;
    if repositories::find(tx, target.format, name).await?.is_some() {
        return Err(SecondThought::NameTaken(name.clone()).into());
    }
    if !repositories::revive(tx, entry.repository_id, project.id, name).await? {
        return Err(SecondThought::NoEntry(entry.id).into());
    }
    bin::move_to_project(tx, entry.repository_id, project.id).await?;
    for shown in rules.doors().of_format(target.format) {
        ask_to_reflect(tx, shown, (entry.repository_id, name), None, *at).await?;
    }
    end(tx, entry, *at).await?;
    let mut entry_line = line(actor, "repository.restore", entry, *at);
    if name != &entry.repository {
        entry_line.subject = Some(name.canonical().to_owned());
    }
    audit::append(tx, &entry_line).await?;
    repository::tell(tx, "repository.restored", &Target::new(target.format, name.clone()), *at).await?;
    let (tags, kept, missing) = (Vec::new(), Vec::new(), Vec::new());
    Ok(Restored { kind: Kind::Repository, repository: name.clone(), digest: None, tags, kept, missing })
}

/// The entry is out of the bin. It says so for as long as it would have lain there.
async fn end(tx: &mut Tx<'_>, entry: &bin::Entry, at: Timestamp) -> Result<()> {
    bin::end(tx, entry.id, Outcome::Restored, at, entry.expires_at).await?;
    Ok(())
}

impl Bringing<'_> {
    fn mover(&self) -> Mover<'_> {
        Mover::new(self.repository, Act::Restore, &self.actor.name, self.rules, (self.at, self.due))
    }

    /// A tag back to its digest; its manifest comes along if it was deleted since.
    async fn tag(&self, tx: &mut Tx<'_>, entry: &bin::Entry) -> Result<Restored> {
        let (tag, digest) = (tag_of(entry)?, digest_of(entry)?);
        let now = tags::find(tx, self.repository.id, &tag).await?;
        if let Some(other) = now.filter(|now| *now != digest && !self.force_tags) {
            return Err(SecondThought::TagTaken { tag, digest: other }.into());
        }
        let mut restored = self.nothing_yet(Kind::Tag, digest);
        if !manifests::exists(tx, self.repository.id, &digest).await? {
            let deleted = bin::of_manifest(tx, self.repository.id, &digest, self.at).await?;
            let deleted = deleted.ok_or(SecondThought::ManifestGone(digest))?;
            restored = Restored { kind: Kind::Tag, ..bring_manifest(tx, self, &deleted).await? };
        }
        self.mover().point(tx, &tag, &digest).await?;
        restored.tags.retain(|other| *other != tag);
        restored.tags.push(tag.clone());
        end(tx, entry, self.at).await?;
        audit::append(tx, &line(self.actor, "tag.restore", entry, self.at)).await?;
        manifest::tell(tx, "tag.restored", self.target, &digest, &[tag], self.at).await?;
        Ok(restored)
    }

    fn nothing_yet(&self, kind: Kind, digest: Digest) -> Restored {
        let (tags, kept, missing) = (Vec::new(), Vec::new(), Vec::new());
        Restored { kind, repository: self.repository.name.clone(), digest: Some(digest), tags, kept, missing }
    }

    /// The manifest's row, what it names, and the links to that: in the order in which a push writes them.
    async fn rows(&self, tx: &mut Tx<'_>, entry: &bin::Entry, kept: &KeptManifest) -> Result<Vec<Digest>> {
        let digest = digest_of(entry)?;
        let broken = |e: String| Error::Inconsistent(format!("the entry {} of the bin: {e}", entry.id));
        let media_type: MediaType = kept.media_type.parse().map_err(|e| broken(format!("{e}")))?;
        let Some(blobs::Blob { place: Place::Here(content), .. }) = blobs::find(tx, &digest).await? else {
            return Err(SecondThought::ContentGone(digest).into());
        };
        let parsed = Parsed::read(&content, Some(&media_type)).map_err(|e| broken(e.to_string()))?;
        let missing = self.link(tx, entry, &parsed).await?;
        let row = manifests::Manifest {
            digest,
            media_type,
            artifact_type: kept.artifact_type.clone(),
            subject: kept.subject,
            annotations: kept.annotations.clone(),
            size: kept.size,
            pushed_at: kept.pushed_at,
        };
        if manifests::insert(tx, self.repository.id, &row).await? {
            manifests::refer(tx, self.repository.id, &digest, &manifest::references(&parsed)).await?;
        }
        Ok(missing)
    }

    /// Links the repository again to what it was linked to when the manifest was deleted, and to nothing else: a manifest that
    /// only names a blob is no way to its bytes. The manifests it names are told if they are not here.
    async fn link(&self, tx: &mut Tx<'_>, entry: &bin::Entry, parsed: &Parsed) -> Result<Vec<Digest>> {
        let held: HashSet<Digest> = bin::references(tx, entry.id).await?.into_iter().collect();
        let (indexed, used): (Vec<_>, Vec<_>) =
            manifest::references(parsed).into_iter().partition(|(_, kind)| *kind == manifests::Kind::Manifest);
        let mut used: Vec<Digest> =
            used.into_iter().map(|(digest, _)| digest).filter(|digest| held.contains(digest)).collect();
        used.dedup();
        for digest in blobs::claim(tx, self.repository.id, &used).await? {
            if !blobs::exists(tx, &digest).await? {
                return Err(SecondThought::ContentGone(digest).into());
            }
            blobs::link(tx, self.repository.id, &digest, self.at).await?;
        }
        let mut missing = Vec::new();
        for (digest, _) in indexed {
            if !manifests::exists(tx, self.repository.id, &digest).await? {
                missing.push(digest);
            }
        }
        Ok(missing)
    }

    /// Tags that point elsewhere by now stay there, unless they are to be moved back; then a rule may still keep them.
    async fn tags(&self, tx: &mut Tx<'_>, names: Vec<Tag>, restored: &mut Restored, digest: &Digest) -> Result<()> {
        let mut mover = self.mover();
        let there: HashSet<Tag> = tags::there(tx, self.repository.id, &names).await?.into_iter().collect();
        let (there, new): (Vec<_>, Vec<_>) = names.into_iter().partition(|tag| there.contains(tag));
        // A new tag breaks no rule. There may be very many of them.
        let act = (Act::Restore, self.actor.name.as_str());
        let kind = manifests::find(tx, self.repository.id, digest).await?.and_then(|manifest| manifest.artifact_type);
        let named = (self.repository.id, &self.repository.name);
        reflect_manifest(tx, self.rules.doors(), named, kind.as_deref(), &new, self.at).await?;
        tags::put_new(tx, self.repository.id, &new, digest, act, self.at).await?;
        restored.tags.extend(new);
        for tag in there {
            let now = tags::find(tx, self.repository.id, &tag).await?.filter(|now| now != digest);
            let refused = match now {
                Some(_) if !self.force_tags => {
                    Some("it was moved since, and moving it back was not asked for".to_owned())
                }
                _ => match mover.point(tx, &tag, digest).await {
                    Ok(_) => None,
                    Err(Error::Rule(rule)) => Some(rule.to_string()),
                    Err(error) => return Err(error),
                },
            };
            match (refused, now) {
                (Some(reason), Some(digest)) => restored.kept.push(Unmoved { tag, digest, reason }),
                _ => restored.tags.push(tag),
            }
        }
        restored.tags.sort_unstable();
        Ok(())
    }
}

/// Tags that the event names.
const TOLD: usize = 1000;

/// A manifest with its row, its references and the tags it had.
pub(crate) async fn bring_manifest(tx: &mut Tx<'_>, bringing: &Bringing<'_>, entry: &bin::Entry) -> Result<Restored> {
    let digest = digest_of(entry)?;
    let kept = KeptManifest::read(entry)?;
    let mut restored = bringing.nothing_yet(Kind::Manifest, digest);
    restored.missing = bringing.rows(tx, entry, &kept).await?;
    bringing.tags(tx, kept.tags, &mut restored, &digest).await?;
    end(tx, entry, bringing.at).await?;
    audit::append(tx, &line(bringing.actor, "manifest.restore", entry, bringing.at)).await?;
    let some = &restored.tags[..restored.tags.len().min(TOLD)];
    manifest::tell(tx, "manifest.restored", bringing.target, &digest, some, bringing.at).await?;
    Ok(restored)
}
