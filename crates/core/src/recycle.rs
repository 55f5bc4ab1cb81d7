//! The recycle bin: what was deleted lies here until its time is up, and can be restored whole. It keeps references, not bytes:
//! the collector takes them for uses, so nothing that an entry needs goes away meanwhile.
//!
//! An entry is made in the transaction that deletes. What else may be deleted some day gets a kind, a `keep_…` here and a branch
//! in `restore.rs`; listing, emptying and expiry are the same for all.

mod expire;
mod kept;
mod restore;

use wharf_db::catalog::{bin, projects};
use wharf_types::{Digest, ProjectName, RepoName, Tag, Timestamp};

pub use restore::{Restored, Restoring, Unmoved};
pub use wharf_db::catalog::bin::{Kind as BinKind, Outcome as BinOutcome};

pub(crate) use expire::EMPTY_BIN;
pub(crate) use kept::{Deletion, keep_manifest, keep_repository, keep_tag};
pub(crate) use restore::{Bringing, bring_manifest};

use crate::repository::Target;
use crate::{Core, Error, Result};

/// Something that was deleted and can be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinEntry {
    /// Pages by this, newest first.
    pub id: i64,
    /// What it is.
    pub kind: BinKind,
    /// The format of its repository.
    pub format: String,
    /// The repository it was deleted from, or that was deleted, by its canonical name.
    pub repository: RepoName,
    /// Whether the project of that repository is still there. Without it only administrators restore it.
    pub has_project: bool,
    /// The tag, the digest or the repository's name.
    pub name: String,
    /// The manifest, or where the tag pointed.
    pub digest: Option<Digest>,
    /// Who deleted it.
    pub actor: String,
    /// When.
    pub deleted_at: Timestamp,
    /// Until when it lies here.
    pub expires_at: Timestamp,
}

impl From<bin::Entry> for BinEntry {
    fn from(row: bin::Entry) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            format: row.format,
            repository: row.repository,
            has_project: row.project_id.is_some(),
            name: row.name,
            digest: row.digest,
            actor: row.actor,
            deleted_at: row.deleted_at,
            expires_at: row.expires_at,
        }
    }
}

/// Why something does not come back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecondThought {
    /// No such entry.
    #[error("there is no entry {0} in the bin of this repository")]
    NoEntry(i64),
    /// There was one.
    #[error("the entry {id} of the bin is no more: it was {} at {at}", outcome.as_str())]
    Ended {
        /// Its number.
        id: i64,
        /// How it ended.
        outcome: BinOutcome,
        /// When.
        at: Timestamp,
    },
    /// A repository of the name is there again.
    #[error("there is a repository {0} again: restore this one under another name")]
    NameTaken(RepoName),
    /// The project it was in was deleted, even if there is one of the name again.
    #[error("the project that the repository {0} was in was deleted: restore it under a name in another one")]
    ProjectGone(RepoName),
    /// Only repositories can be restored under another name.
    #[error("only a repository is restored under another name, and this is a {}", .0.as_str())]
    NotRenamed(BinKind),
    /// What is inside a repository needs it to be there.
    #[error("the repository {repository} was deleted too: restore that first")]
    RepositoryDeleted {
        /// The repository.
        repository: RepoName,
        /// Its own entry, if its time is not up.
        entry: Option<i64>,
    },
    /// A tag points elsewhere by now.
    #[error("the tag {tag} is there again and points at {digest}")]
    TagTaken {
        /// The tag.
        tag: Tag,
        /// Where it points.
        digest: Digest,
    },
    /// Bytes are gone that would be needed: somebody has purged them.
    #[error("{0} was purged, so this cannot be restored whole")]
    ContentGone(Digest),
    /// The tag never pointed elsewhere, as far as is remembered.
    #[error("nothing is known of where the tag {0} pointed before")]
    NothingBefore(Tag),
    /// The manifest is neither in the repository nor in its bin.
    #[error("the manifest {0} is neither in the repository nor in its bin")]
    ManifestGone(Digest),
    /// The manifest lies in the bin, and who asks may not restore it.
    #[error(
        "the manifest {digest} lies in the bin as entry {entry}, and only those who may delete in the repository restore it"
    )]
    MayNotRestore {
        /// The manifest.
        digest: Digest,
        /// Its entry.
        entry: i64,
    },
}

/// Entries of what.
#[derive(Debug, Clone)]
pub enum BinOf {
    /// The whole server.
    Everything,
    /// A project, with the repositories of it that were deleted.
    Project(ProjectName),
    /// What was deleted from a repository that is there.
    Repository(Target),
}

impl Core {
    /// Until when what is deleted at `at` lies in the bin; `None` if there is no bin.
    pub(crate) fn kept_until(&self, at: Timestamp) -> Option<Timestamp> {
        let span = self.inner.config.bin_retention;
        (!span.is_zero()).then(|| at.after(span))
    }

    /// Up to `limit` entries made before the entry `before`, newest first.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`], [`Error::RepositoryUnknown`].
    pub async fn bin(&self, of: &BinOf, before: Option<i64>, limit: usize) -> Result<Vec<BinEntry>> {
        let args = (of, self.inner.clock.now(), before, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.inner.db.read(&args, |tx, (of, now, before, limit)| {
            Box::pin(async move {
                let of = match of {
                    BinOf::Everything => bin::Of::Everything,
                    BinOf::Project(name) => {
                        let project = projects::find(tx, name).await?;
                        bin::Of::Project(project.ok_or_else(|| Error::ProjectUnknown(name.clone()))?.id)
                    }
                    BinOf::Repository(target) => bin::Of::Repository(target.require(tx).await?.id),
                };
                Ok::<_, Error>(bin::page(tx, of, *now, *before, *limit).await?)
            })
        });
        Ok(rows.await?.into_iter().map(BinEntry::from).collect())
    }

    /// One entry, of this repository if one is given. Whoever asks: the caller decides who may see it.
    ///
    /// # Errors
    /// [`SecondThought::NoEntry`], [`SecondThought::Ended`].
    pub async fn bin_entry(&self, id: i64, of: Option<&Target>) -> Result<BinEntry> {
        let args = (id, of, self.inner.clock.now());
        let row = self.inner.db.read(&args, |tx, (id, of, now)| {
            Box::pin(async move {
                let found = bin::find(tx, *id).await?.filter(|entry| of.is_none_or(|of| is_of(entry, of)));
                still_there(found.ok_or(SecondThought::NoEntry(*id))?, *now)
            })
        });
        Ok(row.await?.into())
    }
}

/// Whether the entry is of this repository.
fn is_of(entry: &bin::Entry, target: &Target) -> bool {
    entry.format == target.format.as_str() && entry.repository == target.name
}

/// The entry, if it has not ended and its time is not up.
fn still_there(entry: bin::Entry, now: Timestamp) -> Result<bin::Entry> {
    let id = entry.id;
    let ended = entry.ended.or_else(|| (entry.expires_at <= now).then_some((BinOutcome::Expired, entry.expires_at)));
    match ended {
        None => Ok(entry),
        Some((outcome, at)) => Err(SecondThought::Ended { id, outcome, at }.into()),
    }
}

/// The tag of an entry.
fn tag_of(entry: &bin::Entry) -> Result<Tag> {
    entry.name.parse().map_err(|e| Error::Inconsistent(format!("the entry {} of the bin: {e}", entry.id)))
}

/// The digest of an entry that has one.
fn digest_of(entry: &bin::Entry) -> Result<Digest> {
    let missing = || Error::Inconsistent(format!("the entry {} of the bin has no digest", entry.id));
    entry.digest.ok_or_else(missing)
}
