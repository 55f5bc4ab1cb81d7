//! Whether a copy of a row is still what the database holds.

use wharf_types::{Digest, FormatName, RepoName};

/// Something of which this process may keep a copy.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The epoch of identities.
    Identities,
    /// Which repository has this name, if one has.
    Repository(FormatName, &'a RepoName),
    /// Where a tag of the repository with this key points.
    Tag(i64, &'a str),
    /// Whether the repository with this key holds a manifest, and its row.
    Manifest(i64, &'a Digest),
    /// Which manifests of the repository with this key have this one as their subject.
    Referrers(i64, &'a Digest),
    /// Whether the repository with this key links to a blob.
    Link(i64, &'a Digest),
    /// A blob's row: where its bytes are, or the bytes.
    Blob(&'a Digest),
}

/// The state of a [`Subject`] at one moment. It stands until something begins to change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Default))]
pub struct Mark {
    pub(crate) counter: u32,
    pub(crate) count: u64,
}
