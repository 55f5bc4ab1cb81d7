//! What has changed, so that this process may keep copies of rows that its own commits make old.
//!
//! One process holds the file and one thread writes it, so every change passes through here. Triggers of that thread's
//! connection (they are temporary: no other has them) name each row that changes, whatever statement changes it, a cascade
//! included. Each name falls on a counter. The counter is odd from before the commit that changes the row until after it:
//! readers may see a commit before it is acknowledged, and in between neither the old copy nor a new one counts.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};

use crate::mark::{Mark, Subject};

/// Far more than rows change in one commit. Two subjects on one counter only mean that a copy is read again without need.
const COUNTERS: u32 = 4096;

/// A table, which of its columns count, and what a row is named as: kind, repository, name.
const WATCHED: [(&str, &str, &[&str]); 6] = [
    ("identity_epoch", "epoch", &["'identities', 0, ''"]),
    ("repositories", "id, format, name, deleted_at", &["'repository', 0, @.format || ' ' || @.name"]),
    ("tags", "repository_id, name, digest", &["'tag', @.repository_id, @.name"]),
    (
        "manifests",
        "repository_id, digest, media_type, artifact_type, subject, annotations, size",
        &["'manifest', @.repository_id, @.digest", "'referrers', @.repository_id, @.subject"],
    ),
    ("blob_links", "repository_id, digest, expiring_at", &["'link', @.repository_id, @.digest"]),
    ("blobs", "digest, size, content, storage, object, damaged_at", &["'blob', 0, @.digest"]),
];

/// The counters, and those that the transaction under way will move.
pub(super) struct Marks {
    counters: Box<[AtomicU64]>,
    /// Without a secret: whoever makes subjects fall together only makes copies be read again, at the price of a write.
    hasher: BuildHasherDefault<DefaultHasher>,
    changing: Mutex<Vec<u32>>,
}

impl Marks {
    /// Watches what `writer`, the only connection that writes, does to the tables that are there.
    pub(super) fn watch(writer: &Connection) -> rusqlite::Result<Arc<Self>> {
        let marks = Arc::new(Self {
            counters: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            hasher: BuildHasherDefault::default(),
            changing: Mutex::default(),
        });
        let seen = Arc::clone(&marks);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        writer.create_scalar_function("wharf_changes", 3, flags, move |call| seen.changes(call))?;
        for (table, columns, rows) in WATCHED {
            if !writer.table_exists(Some("main"), table)? {
                continue;
            }
            let calls = |side| {
                let call = |row: &&str| format!("wharf_changes({})", row.replace('@', side));
                rows.iter().map(call).collect::<Vec<_>>().join(", ")
            };
            let (old, new) = (calls("old"), calls("new"));
            writer.execute_batch(&format!(
                "CREATE TEMP TRIGGER wharf_{table}_i AFTER INSERT ON main.{table} BEGIN SELECT {new}; END;
                 CREATE TEMP TRIGGER wharf_{table}_d AFTER DELETE ON main.{table} BEGIN SELECT {old}; END;
                 CREATE TEMP TRIGGER wharf_{table}_u AFTER UPDATE OF {columns} ON main.{table}
                   BEGIN SELECT {old}, {new}; END;"
            ))?;
        }
        Ok(marks)
    }

    /// The present state of a subject; none while a commit that changes it is under way.
    pub(super) fn mark(&self, subject: &Subject<'_>) -> Option<Mark> {
        let counter = match subject {
            Subject::Identities => self.counter("identities", 0, b""),
            Subject::Repository(format, name) => {
                self.counter("repository", 0, format!("{format} {}", name.canonical()).as_bytes())
            }
            Subject::Tag(repository, tag) => self.counter("tag", *repository, tag.as_bytes()),
            Subject::Manifest(repository, digest) => self.counter("manifest", *repository, &digest.to_bytes()),
            Subject::Referrers(repository, subject) => self.counter("referrers", *repository, &subject.to_bytes()),
            Subject::Link(repository, digest) => self.counter("link", *repository, &digest.to_bytes()),
            Subject::Blob(digest) => self.counter("blob", 0, &digest.to_bytes()),
        };
        let count = self.count(counter);
        count.is_multiple_of(2).then_some(Mark { counter, count })
    }

    /// Whether nothing has begun to change since.
    pub(super) fn stands(&self, mark: &Mark) -> bool {
        self.count(mark.counter) == mark.count
    }

    /// Forgets what a transaction that did not come to its commit had changed.
    pub(super) fn begin(&self) {
        self.changing.lock().clear();
    }

    /// Runs the commit of what was changed since [`Marks::begin`].
    pub(super) fn during<T>(&self, commit: impl FnOnce() -> T) -> T {
        let mut changing = std::mem::take(&mut *self.changing.lock());
        // Twice would be even again.
        changing.sort_unstable();
        changing.dedup();
        let moved = || changing.iter().filter_map(|counter| self.counters.get(*counter as usize));
        for counter in moved() {
            counter.fetch_add(1, SeqCst);
        }
        let outcome = commit();
        // Whether it succeeded or not: what is kept now was read afterwards.
        for counter in moved() {
            counter.fetch_add(1, SeqCst);
        }
        outcome
    }

    fn changes(&self, call: &Context<'_>) -> rusqlite::Result<bool> {
        let (kind, repository, name) = (call.get_raw(0).as_str()?, call.get_raw(1).as_i64()?, call.get_raw(2));
        // A manifest without a subject is nobody's referrer.
        if let Some(name) = name.as_bytes_or_null()? {
            let counter = self.counter(kind, repository, name);
            self.changing.lock().push(counter);
        }
        Ok(true)
    }

    fn counter(&self, kind: &str, repository: i64, name: &[u8]) -> u32 {
        let hash = self.hasher.hash_one((kind, repository, name));
        u32::try_from(hash % u64::from(COUNTERS)).unwrap_or_default()
    }

    fn count(&self, counter: u32) -> u64 {
        self.counters.get(counter as usize).map_or(1, |counter| counter.load(SeqCst))
    }
}
