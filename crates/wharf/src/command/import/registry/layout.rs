//! Where a registry keeps what: `repositories/<name>/_manifests`, and blobs by their digest.

use wharf_types::{Digest, Tag};

use super::super::folder::{Folder, below};
use super::super::stop::One;

/// Folders in a repository's name.
const DEEPEST: usize = 40;
/// Most bytes of a link: a digest.
const LONGEST_LINK: u64 = 256;

/// A tag and the manifest it leads to.
pub(super) type Tagged = (String, Result<Digest, One>);

/// A storage.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    folder: &'a Folder,
    base: &'static str,
}

/// Where the storage begins in a folder, if it is one.
pub(in super::super) fn root(folder: &Folder) -> Option<&'static str> {
    let is_root =
        |base: &&str| folder.is_folder(&below(base, "repositories")) && folder.is_folder(&below(base, "blobs"));
    ["docker/registry/v2", "registry/v2", "v2", ""].into_iter().find(is_root)
}

impl<'a> Layout<'a> {
    pub(super) fn new(folder: &'a Folder, base: &'static str) -> Self {
        Self { folder, base }
    }

    /// The names of all repositories.
    pub(super) fn repositories(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.walk("", 0, &mut names);
        names
    }

    fn walk(&self, name: &str, depth: usize, names: &mut Vec<String>) {
        let here = below(&below(self.base, "repositories"), name);
        let here = here.trim_end_matches('/');
        for inside in self.folder.names(here) {
            if inside == "_manifests" {
                names.push(name.to_owned());
            } else if !inside.starts_with('_') && depth < DEEPEST && self.folder.is_folder(&below(here, &inside)) {
                self.walk(&below(name, &inside), depth + 1, names);
            }
        }
    }

    fn manifests(&self, name: &str) -> String {
        below(self.base, &format!("repositories/{name}/_manifests"))
    }

    /// The manifests that a repository serves; of those that were deleted an empty folder is left.
    pub(super) fn revisions(&self, name: &str) -> Vec<Digest> {
        let base = format!("{}/revisions", self.manifests(name));
        let mut found = Vec::new();
        for algorithm in self.folder.names(&base) {
            for hex in self.folder.names(&format!("{base}/{algorithm}")) {
                if self.folder.has(&format!("{base}/{algorithm}/{hex}/link")) {
                    found.extend(format!("{algorithm}:{hex}").parse::<Digest>());
                }
            }
        }
        found
    }

    /// The tags of a repository, each with where it points or why that cannot be said.
    pub(super) fn tags(&self, name: &str) -> Vec<Tagged> {
        let base = format!("{}/tags", self.manifests(name));
        let read = |tag: &String| -> Result<Digest, One> {
            tag.parse::<Tag>().map_err(One::new)?;
            let link = self.folder.read(&format!("{base}/{tag}/current/link"), LONGEST_LINK)?;
            String::from_utf8_lossy(&link).trim().parse().map_err(One::new)
        };
        self.folder.names(&base).into_iter().map(|tag| (tag.clone(), read(&tag))).collect()
    }

    /// Where a blob lies.
    pub(super) fn blob(&self, digest: &Digest) -> String {
        let hex = digest.hex();
        below(self.base, &format!("blobs/{}/{}/{hex}/data", digest.algorithm().as_str(), &hex[..2]))
    }

    /// How large a blob is, if it is there.
    pub(super) fn size(&self, digest: &Digest) -> Option<u64> {
        Some(self.folder.file(&self.blob(digest)).ok()?.1.len())
    }

    /// A manifest, which must be what its digest says.
    pub(super) fn manifest(&self, digest: &Digest) -> Result<Vec<u8>, One> {
        /// Registries take no larger ones.
        const LARGEST: u64 = 4 * 1024 * 1024;
        let content = self.folder.read(&self.blob(digest), LARGEST)?;
        let actual = Digest::of(digest.algorithm(), &content);
        if actual == *digest { Ok(content) } else { Err(One::new(format!("its content is {actual}"))) }
    }
}
