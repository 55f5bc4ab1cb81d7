//! Every request of the distribution-spec that is understood.

use std::ops::Range;

use wharf_auth::{Access, Operation, Verb};
use wharf_types::{Algorithm, Digest, Reference, RepoName, Tag};
use wharf_wire::Page;

use crate::NAME;

/// A request. `end-N` are the endpoints of the distribution-spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// end-1: is this a registry, and who am I to it?
    Ping,
    /// `_catalog` of the Docker registry protocol.
    Catalog {
        /// Where to begin, how much.
        page: Page,
    },
    /// end-8: list tags.
    Tags {
        /// Repository.
        name: RepoName,
        /// Where to begin, how much.
        page: Page,
    },
    /// end-12: list what is attached to a manifest.
    Referrers {
        /// Repository.
        name: RepoName,
        /// The manifest, which need not be there.
        subject: Digest,
        /// Only these.
        artifact_type: Option<String>,
        /// Where to begin, how much.
        page: Page,
    },
    /// end-3: pull a manifest, or only its head.
    ReadManifest {
        /// Repository.
        name: RepoName,
        /// Tag or digest.
        reference: Reference,
    },
    /// end-7: push a manifest.
    PutManifest {
        /// Repository.
        name: RepoName,
        /// What the content must hash to, if the request says it.
        digest: Option<Digest>,
        /// Tags to point at it: of the path, or of `?tag=`.
        tags: Vec<Tag>,
        /// What the path named it by.
        reference: Reference,
    },
    /// end-9: delete a tag, or a manifest with its tags.
    DeleteManifest {
        /// Repository.
        name: RepoName,
        /// Tag or digest.
        reference: Reference,
    },
    /// end-2: pull a blob, or only its head.
    ReadBlob {
        /// Repository.
        name: RepoName,
        /// The blob.
        digest: Digest,
    },
    /// end-10: delete a blob.
    DeleteBlob {
        /// Repository.
        name: RepoName,
        /// The blob.
        digest: Digest,
    },
    /// end-4a: begin an upload.
    BeginUpload {
        /// Repository.
        name: RepoName,
        /// Of the digest to come, if it was announced.
        algorithm: Option<Algorithm>,
    },
    /// end-4b: a blob in one request.
    UploadWhole {
        /// Repository.
        name: RepoName,
        /// The blob.
        digest: Digest,
    },
    /// end-11: take a blob over from another repository.
    Mount {
        /// Repository.
        name: RepoName,
        /// The blob.
        digest: Digest,
        /// Where it is; anywhere, if that is not said.
        from: Option<RepoName>,
    },
    /// end-13: how far has an upload come?
    UploadStatus {
        /// Repository.
        name: RepoName,
        /// Upload.
        id: String,
    },
    /// end-5: the next chunk.
    Append {
        /// Repository.
        name: RepoName,
        /// Upload.
        id: String,
        /// Where it says it begins and ends.
        range: Option<Range<u64>>,
    },
    /// end-6: the last chunk, and what it all hashes to.
    FinishUpload {
        /// Repository.
        name: RepoName,
        /// Upload.
        id: String,
        /// Where the chunk says it begins and ends.
        range: Option<Range<u64>>,
        /// The blob.
        digest: Digest,
    },
    /// end-14: never mind.
    CancelUpload {
        /// Repository.
        name: RepoName,
        /// Upload.
        id: String,
    },
}

impl Op {
    /// The repository it is about and what it does to it.
    pub fn repository(&self) -> Option<(&RepoName, Verb)> {
        match self {
            Self::Ping | Self::Catalog { .. } => None,
            Self::Tags { name, .. } | Self::Referrers { name, .. } => Some((name, Verb::View)),
            Self::ReadManifest { name, .. } | Self::ReadBlob { name, .. } => Some((name, Verb::Pull)),
            Self::DeleteManifest { name, .. } | Self::DeleteBlob { name, .. } => Some((name, Verb::Delete)),
            Self::PutManifest { name, .. }
            | Self::BeginUpload { name, .. }
            | Self::UploadWhole { name, .. }
            | Self::Mount { name, .. }
            | Self::UploadStatus { name, .. }
            | Self::Append { name, .. }
            | Self::FinishUpload { name, .. }
            | Self::CancelUpload { name, .. } => Some((name, Verb::Push)),
        }
    }
}

impl Operation for Op {
    fn name(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Catalog { .. } => "catalog.list",
            Self::Tags { .. } => "tags.list",
            Self::Referrers { .. } => "referrers.list",
            Self::ReadManifest { .. } => "manifest.read",
            Self::PutManifest { .. } => "manifest.push",
            Self::DeleteManifest { .. } => "manifest.delete",
            Self::ReadBlob { .. } => "blob.read",
            Self::DeleteBlob { .. } => "blob.delete",
            Self::BeginUpload { .. } => "upload.begin",
            Self::UploadWhole { .. } => "blob.push",
            Self::Mount { .. } => "blob.mount",
            Self::UploadStatus { .. } => "upload.status",
            Self::Append { .. } => "upload.append",
            Self::FinishUpload { .. } => "upload.finish",
            Self::CancelUpload { .. } => "upload.cancel",
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::DeleteManifest { reference: Reference::Tag(_), .. } => "tag.delete",
            // Whoever may not push is told so at the first step of it.
            Self::BeginUpload { .. } | Self::Append { .. } | Self::FinishUpload { .. } => "blob.push",
            other => other.name(),
        }
    }

    fn access(&self) -> Access<'_> {
        match self {
            Self::Ping => Access::SignedIn,
            Self::Catalog { .. } => Access::Catalog,
            other => match other.repository() {
                Some((name, verb)) => Access::Repository { format: NAME, name, verb },
                // Unreachable by the table above; asks for an account should that ever change.
                None => Access::SignedIn,
            },
        }
    }

    fn about(&self) -> (Option<&str>, Option<Digest>) {
        match self {
            Self::ReadManifest { reference, .. } | Self::DeleteManifest { reference, .. } => of_reference(reference),
            Self::PutManifest { reference, digest, .. } => {
                let (tag, named) = of_reference(reference);
                (tag, named.or(*digest))
            }
            Self::ReadBlob { digest, .. }
            | Self::DeleteBlob { digest, .. }
            | Self::UploadWhole { digest, .. }
            | Self::Mount { digest, .. }
            | Self::FinishUpload { digest, .. }
            | Self::Referrers { subject: digest, .. } => (None, Some(*digest)),
            Self::Ping
            | Self::Catalog { .. }
            | Self::Tags { .. }
            | Self::BeginUpload { .. }
            | Self::UploadStatus { .. }
            | Self::Append { .. }
            | Self::CancelUpload { .. } => (None, None),
        }
    }
}

fn of_reference(reference: &Reference) -> (Option<&str>, Option<Digest>) {
    match reference {
        Reference::Tag(tag) => (Some(tag.as_str()), None),
        Reference::Digest(digest) => (None, Some(*digest)),
    }
}
