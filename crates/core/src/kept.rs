//! Copies of what pulls ask for most, in this process, each good for as long as the rows it was made of.
//!
//! A pull sees every change that was acknowledged before it. On SQLite this process makes all changes, so the database can say
//! whether a copy [stands](Db::stands); on PostgreSQL it cannot, and nothing is kept.

use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use moka::sync::Cache;
use wharf_db::{Db, Mark};
use wharf_types::Digest;

use crate::repository::Target;

/// Bytes of all copies of manifests, of blobs with those that lie in their row, and of pages of referrers: what an idle server
/// keeps of busy days.
pub(crate) const MANIFESTS: u64 = 16 * 1024 * 1024;
pub(crate) const BLOBS: u64 = 8 * 1024 * 1024;
pub(crate) const REFERRERS: u64 = 8 * 1024 * 1024;
/// Bytes of a copy beside its key and what it holds, roughly.
const OVERHEAD: usize = 256;

/// Up to so many marks a copy has: its repository's name, its place in it, and its bytes.
pub(crate) type Marks = [Mark; 3];

/// The copies of one kind.
pub(crate) struct Kept<T> {
    copies: Cache<String, Copy<T>, DefaultHashBuilder>,
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

impl<T: Send + Sync + 'static> Kept<T> {
    /// For so many bytes of copies at most.
    pub(crate) fn new(most: u64) -> Self {
        let weight = |key: &String, copy: &Copy<T>| u32::try_from(key.len() + copy.size + OVERHEAD).unwrap_or(u32::MAX);
        let copies = Cache::builder().max_capacity(most).weigher(weight);
        Self { copies: copies.build_with_hasher(DefaultHashBuilder::default()) }
    }

    /// The copy under this key, if it is what the database holds.
    pub(crate) fn get(&self, db: &Db, key: &str) -> Option<Arc<T>> {
        let copy = self.copies.get(key)?;
        copy.marks.iter().all(|mark| db.stands(mark)).then_some(copy.value)
    }

    /// Keeps what was read after `marks` were taken. `size` is that of what `value` holds, in bytes.
    pub(crate) fn keep(&self, key: String, value: &Arc<T>, marks: Marks, size: usize) {
        self.copies.insert(key, Copy { value: Arc::clone(value), marks, size });
    }
}

/// The key of something in a repository. No name holds a space.
pub(crate) fn key(target: &Target, place: &str) -> String {
    [target.format.as_str(), " ", target.name.canonical(), " ", place].concat()
}

/// As [`key`], of what has this digest.
pub(crate) fn key_of(target: &Target, digest: &Digest) -> String {
    const LONGEST_DIGEST: usize = 7 + 128;
    let (format, name) = (target.format.as_str(), target.name.canonical());
    let mut key = String::with_capacity(format.len() + name.len() + 2 + LONGEST_DIGEST);
    key.extend([format, " ", name, " "]);
    digest.push_to(&mut key);
    key
}
