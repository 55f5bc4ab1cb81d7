//! Copies of what pulls ask for most, in this process, each good for as long as the rows it was made of.
//!
//! A pull sees every change that was acknowledged before it. On SQLite this process makes all changes, so the database can say
//! whether a copy [stands](Db::stands); on PostgreSQL it cannot, and nothing is kept.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Equivalent, Weighter};
use wharf_db::{Db, Mark};
use wharf_types::{Digest, FormatName, Reference};

use crate::repository::Target;

/// How much of a kind is kept: what an idle server keeps of busy days.
pub(crate) struct Bounds {
    /// Bytes of all copies.
    bytes: u64,
    /// At most so many parts are locked on their own, each with its share of the bytes. A copy must fit into one.
    parts: usize,
}

pub(crate) const MANIFESTS: Bounds = Bounds { bytes: 16 * 1024 * 1024, parts: 8 };
/// With those that lie in their row.
pub(crate) const BLOBS: Bounds = Bounds { bytes: 8 * 1024 * 1024, parts: 8 };
/// The largest pages have 3 MiB of annotations, and their text as well.
pub(crate) const REFERRERS: Bounds = Bounds { bytes: 8 * 1024 * 1024, parts: 1 };
/// Bytes of a copy beside its key and what it holds, roughly.
const OVERHEAD: usize = 320;

/// Up to so many marks a copy has: its repository's name, its place in it, and its bytes.
pub(crate) type Marks = [Mark; 3];

/// The cache makes no parts for fewer copies than this.
const A_PART: usize = 32;

/// The copies of one kind.
pub(crate) struct Kept<T> {
    copies: Cache<OwnKey, Copy<T>, Weight>,
}

/// What a copy is of: something in a repository.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key<'a> {
    format: FormatName,
    name: &'a str,
    place: Place<'a>,
}

/// What it is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place<'a> {
    /// A tag, or what was asked in full.
    Named(&'a str),
    /// What has this digest.
    Digest(&'a Digest),
}

/// A key that is kept: the name and, unless it is about a digest, what is there, in one piece.
struct OwnKey {
    format: FormatName,
    text: Box<str>,
    name: usize,
    digest: Option<Digest>,
}

struct Copy<T> {
    value: Arc<T>,
    marks: Marks,
    size: usize,
}

impl<T> Clone for Copy<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), marks: self.marks, size: self.size }
    }
}

#[derive(Clone)]
struct Weight;

impl<T> Weighter<OwnKey, Copy<T>> for Weight {
    fn weight(&self, key: &OwnKey, copy: &Copy<T>) -> u64 {
        (key.text.len() + copy.size + OVERHEAD) as u64
    }
}

impl<T> Kept<T> {
    /// For no more than this.
    pub(crate) fn new(Bounds { bytes, parts }: Bounds) -> Self {
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { copies: Cache::with(parts * A_PART, bytes, Weight, hasher, lifecycle) }
    }

    /// The copy under this key, if it is what the database holds.
    pub(crate) fn get(&self, db: &Db, key: &Key<'_>) -> Option<Arc<T>> {
        let copy = self.copies.get(key)?;
        copy.marks.iter().all(|mark| db.stands(mark)).then_some(copy.value)
    }

    /// Keeps what was read after `marks` were taken. `size` is that of what `value` holds, in bytes.
    pub(crate) fn keep(&self, key: &Key<'_>, value: &Arc<T>, marks: Marks, size: usize) {
        self.copies.insert(key.to_own(), Copy { value: Arc::clone(value), marks, size });
    }
}

impl<'a> Key<'a> {
    pub(crate) fn new(target: &'a Target, place: Place<'a>) -> Self {
        Self { format: target.format, name: target.name.canonical(), place }
    }

    fn to_own(self) -> OwnKey {
        let (named, digest) = match self.place {
            Place::Named(text) => (text, None),
            Place::Digest(digest) => ("", Some(*digest)),
        };
        OwnKey { format: self.format, text: [self.name, named].concat().into(), name: self.name.len(), digest }
    }
}

impl<'a> From<&'a Reference> for Place<'a> {
    fn from(reference: &'a Reference) -> Self {
        match reference {
            Reference::Tag(tag) => Self::Named(tag.as_str()),
            Reference::Digest(digest) => Self::Digest(digest),
        }
    }
}

impl OwnKey {
    fn key(&self) -> Key<'_> {
        let (name, named) = self.text.split_at(self.name);
        Key { format: self.format, name, place: self.digest.as_ref().map_or(Place::Named(named), Place::Digest) }
    }
}

// As the key it holds, so that the one finds the other.
impl Hash for OwnKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialEq for OwnKey {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for OwnKey {}

impl Equivalent<OwnKey> for Key<'_> {
    fn equivalent(&self, own: &OwnKey) -> bool {
        *self == own.key()
    }
}

#[cfg(test)]
mod tests {
    use wharf_db::Mark;

    use super::*;

    fn key<'a>(name: &'a str, place: Place<'a>) -> Key<'a> {
        Key { format: FormatName::new("oci"), name, place }
    }

    fn keep(kept: &Kept<usize>, key: &Key<'_>, size: usize) {
        kept.keep(key, &Arc::new(size), [Mark::default(); 3], size);
    }

    fn kept(kept: &Kept<usize>, key: &Key<'_>) -> Option<usize> {
        kept.copies.get(key).map(|copy| *copy.value)
    }

    #[test]
    fn a_copy_is_found_by_what_it_is_of_and_by_nothing_else() {
        let copies = Kept::new(MANIFESTS);
        let digests = [Digest::sha256(b"1"), Digest::sha256(b"2")];
        let text = digests[0].to_string();
        keep(&copies, &key("a", Place::Named("v1")), 1);
        keep(&copies, &key("a", Place::Digest(&digests[0])), 2);
        assert_eq!(kept(&copies, &key("a", Place::Named("v1"))), Some(1));
        assert_eq!(kept(&copies, &key("a", Place::Digest(&digests[0]))), Some(2));
        let others =
            [key("b", Place::Named("v1")), key("a", Place::Digest(&digests[1])), key("a", Place::Named(&text))];
        assert!(others.iter().all(|other| kept(&copies, other).is_none()));
    }

    #[test]
    fn the_largest_page_of_referrers_fits_and_what_is_kept_stays_bounded() {
        let largest = 7 * 1024 * 1024;
        let copies = Kept::new(REFERRERS);
        for name in ["a", "b", "c"] {
            keep(&copies, &key(name, Place::Named("page")), largest);
            assert_eq!(kept(&copies, &key(name, Place::Named("page"))), Some(largest));
            assert_eq!(copies.copies.len(), 1);
        }
    }
}
