//! Why a use case did not happen. Formats say it in their dialect; what is ours to mend is logged, not shown.

use std::io;

use wharf_storage::DepotError;
use wharf_types::{Digest, ProjectName, Reference, RepoName};

use crate::{InvalidManifest, RuleError, SecondThought};

/// The outcome of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such project.
    #[error("project {0} does not exist")]
    ProjectUnknown(ProjectName),
    /// There is one of this name.
    #[error("project {0} exists already")]
    ProjectExists(ProjectName),
    /// It still has repositories, so it cannot go.
    #[error("project {0} still has repositories: delete them first")]
    ProjectNotEmpty(ProjectName),
    /// No such repository.
    #[error("repository {0} does not exist")]
    RepositoryUnknown(RepoName),
    /// The repository does not link to such a blob.
    #[error("blob {0} is not in this repository")]
    BlobUnknown(Digest),
    /// Manifests of the repository still name it.
    #[error("blob {blob} is used by manifest {manifest}: delete that first")]
    BlobInUse {
        /// The blob.
        blob: Digest,
        /// One that uses it.
        manifest: Digest,
    },
    /// No manifest by that reference.
    #[error("{kind} {0} is not in this repository", kind = kind(.0))]
    ManifestUnknown(Reference),
    /// No upload by that id, or it has ended.
    #[error("upload {0} does not exist or has ended")]
    UploadUnknown(String),
    /// Another request has taken the upload over.
    #[error("upload {0} was taken over by another request")]
    UploadTaken(String),
    /// Bytes of an upload that were accepted are gone, in a power cut or by somebody's hand: it has to begin again.
    #[error("upload {0} lost bytes that it had accepted: begin again")]
    UploadLost(String),
    /// A chunk that does not begin where the last one ended.
    #[error("the chunk begins at byte {given}, the upload is at byte {received}")]
    OutOfOrder {
        /// Where the chunk begins.
        given: u64,
        /// Where it should.
        received: u64,
    },
    /// The content is not what its digest says. Nothing was kept.
    #[error("the content hashes to {actual}, not to {expected}")]
    DigestMismatch {
        /// What the client said.
        expected: Digest,
        /// What arrived.
        actual: Digest,
    },
    /// The body ended before it should; what arrived of an upload is kept.
    #[error("the body ended early: {0}")]
    Interrupted(#[source] io::Error),
    /// A manifest that cannot be taken.
    #[error(transparent)]
    ManifestInvalid(#[from] InvalidManifest),
    /// A manifest names blobs that the repository does not link to.
    #[error("the manifest names {} blob(s) that are not in this repository", .0.len())]
    BlobsMissing(Vec<Digest>),
    /// A rule for tags stands in the way, or is not there.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A snapshot is not made, shown or deleted.
    #[error(transparent)]
    Snapshot(#[from] crate::SnapshotError),
    /// A key cannot be used so.
    #[error(transparent)]
    Key(#[from] crate::KeyError),
    /// What was deleted or moved does not come back.
    #[error(transparent)]
    SecondThought(#[from] SecondThought),
    /// A package that cannot be taken.
    #[error("invalid package: {0}")]
    PackageInvalid(String),
    /// There is a package with other content at this path.
    #[error("{path} exists already with other content")]
    PackageExists {
        /// Where.
        path: String,
    },
    /// No package or index file at this path.
    #[error("{0} is not in this repository")]
    FileUnknown(String),
    /// A worker could not make an index.
    #[error("the index was not published: {0}")]
    NotPublished(String),
    /// Manifests name what is to be purged: they would be broken.
    #[error("{} manifest(s) name it, among them {} in {}", .0.len(), .0.first().map(|b| b.manifest.to_string()).unwrap_or_default(), .0.first().map(|b| b.repository.clone()).unwrap_or_default())]
    PurgeBreaks(Vec<crate::Broken>),
    /// An index of packages is made of what is to be purged.
    #[error(
        "the index file {path} is made of it: remove the package that it lists, and purge when the generation is gone"
    )]
    PurgeIndexed {
        /// The index file.
        path: String,
    },
    /// What is to be purged goes, but not while somebody waits for it.
    #[error("the purge has begun and goes on in the background")]
    PurgeGoesOn,
    /// All of it is gone, and somebody has still to be told.
    #[error("a purge is not finished: {0}")]
    PurgeUnfinished(String),
    /// Nothing is read to find damage.
    #[error("the scrub is off: scrub.rate is 0")]
    ScrubOff,
    /// A pin ended before its holder was done.
    #[error("what was to be kept may be collected by now: the pin was lost")]
    PinLost,
    /// Others take or send so much that there is no memory left for this, for now.
    #[error("too many large manifests are on their way at once")]
    Busy,
    /// The storage.
    #[error(transparent)]
    Storage(#[from] wharf_storage::Error),
    /// Where backups go.
    #[error(transparent)]
    Depot(DepotError),
    /// A backup that cannot be made or used.
    #[error("{0}")]
    Backup(String),
    /// The database.
    #[error(transparent)]
    Db(#[from] wharf_db::Error),
    /// Database and storage do not belong together: going on would take the objects of one for the rubbish of the other.
    #[error("the storage is {0}: start with the database that belongs to it, or with an empty storage")]
    ForeignStorage(&'static str),
    /// What is stored contradicts what the catalog says of it.
    #[error("the store is inconsistent: {0}")]
    Inconsistent(String),
}

fn kind(reference: &Reference) -> &'static str {
    match reference {
        Reference::Tag(_) => "tag",
        Reference::Digest(_) => "manifest",
    }
}

impl Error {
    /// Whether trying again later may help.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Db(error) => error.is_unavailable(),
            Self::Storage(error) => matches!(error, wharf_storage::Error::Unavailable(_)),
            Self::Busy | Self::Depot(DepotError::Busy(_) | DepotError::Away { .. }) => true,
            _ => false,
        }
    }

    /// Whether there is no room left.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Db(wharf_db::Error::Full(_)) | Self::Storage(wharf_storage::Error::Full(_)))
    }
}
