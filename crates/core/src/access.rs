//! What was read, who signed in and who was refused: noted in memory while it is answered, written down in batches.
//!
//! Noting never waits: not for the database, and for other requests only as long as one of them adds to the same part of the
//! table. What is the same until the next flush is one line with a count. When the database is away lines stay here, up to a
//! bound; beyond it they are dropped, and the number of those is a line itself.

mod flush;
mod line;
mod note;

use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tokio::sync::Notify;
use wharf_auth::{Caller, Identity};
use wharf_types::Timestamp;

use flush::Pending;
pub use line::{Attempt, Source};
use line::{Line, Seen};
pub use note::Pull;

/// Parts of the table, each behind its own lock.
const PARTS: usize = 16;

/// Credentials and addresses that are remembered together.
const ORIGINS: usize = 20_000;
/// How long a credential may be shown from one address without being a login again.
const OF_LATE: Duration = Duration::from_secs(12 * 60 * 60);

/// What was noted and is not written down yet.
pub(crate) struct Accesses {
    parts: [Mutex<HashTable<Line>>; PARTS],
    hasher: DefaultHashBuilder,
    /// From where credentials were shown of late, and when that was a login.
    origins: Cache<(Caller, Option<IpAddr>), Timestamp>,
    /// Lines begun: times are in milliseconds, and many begin in one.
    begun: AtomicU64,
    /// Lines held, those on their way to the database included.
    held: AtomicUsize,
    capacity: usize,
    half_full: Notify,
    pending: tokio::sync::Mutex<Pending>,
    coalesced: AtomicU64,
    dropped: AtomicU64,
    written: AtomicU64,
    failures: AtomicU64,
}

/// What became of what was noted, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccessCounts {
    /// Lines written to the database.
    pub written: u64,
    /// Noted without a line of their own.
    pub coalesced: u64,
    /// Noted when there was no room, and lost.
    pub dropped: u64,
    /// Attempts to write that failed; the lines were kept.
    pub failures: u64,
    /// Lines that wait.
    pub held: usize,
    /// The most that may.
    pub capacity: usize,
}

impl Accesses {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            hasher: DefaultHashBuilder::default(),
            origins: Cache::new(ORIGINS),
            begun: AtomicU64::new(0),
            held: AtomicUsize::new(0),
            capacity: capacity.max(2),
            half_full: Notify::new(),
            pending: tokio::sync::Mutex::default(),
            coalesced: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            written: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// Whether this is a login, and not one more request after it. A registry token was made at one.
    fn is_login(&self, identity: &Identity, address: Option<IpAddr>, now: Timestamp) -> bool {
        if identity.is_anonymous() || identity.has_registry_token() {
            return false;
        }
        let origin = (identity.caller(), address);
        let known = || self.origins.get(&origin).is_some_and(|at| now.since(at) < OF_LATE);
        if !identity.is_fresh() && known() {
            return false;
        }
        self.origins.insert(origin, now);
        true
    }

    /// Counts one more of the same, or begins a line.
    pub(crate) fn note(&self, seen: &Seen<'_>, now: Timestamp) {
        let hash = self.hasher.hash_one(seen);
        let part = usize::try_from(hash >> 60).unwrap_or_default() % PARTS;
        let mut lines = self.parts[part].lock();
        match lines.entry(hash, |line| seen.is(line), |line| line.hash) {
            Entry::Occupied(mut line) => {
                line.get_mut().again(now);
                self.coalesced.fetch_add(1, Relaxed);
            }
            Entry::Vacant(place) => {
                if self.has_room(seen.is_somebody()) {
                    place.insert(seen.begin(hash, self.begun.fetch_add(1, Relaxed), now));
                } else {
                    self.dropped.fetch_add(1, Relaxed);
                }
            }
        }
    }

    /// Takes a place. People without a credential get half of them: they can make up any number of different requests, and
    /// must not crowd out what others did.
    fn has_room(&self, somebody: bool) -> bool {
        let most = if somebody { self.capacity } else { self.capacity / 2 };
        let before = self.held.fetch_add(1, Relaxed);
        if before >= most {
            self.held.fetch_sub(1, Relaxed);
            return false;
        }
        if before + 1 == self.capacity / 2 {
            self.half_full.notify_one();
        }
        true
    }

    pub(crate) fn counts(&self) -> AccessCounts {
        AccessCounts {
            written: self.written.load(Relaxed),
            coalesced: self.coalesced.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            failures: self.failures.load(Relaxed),
            held: self.held.load(Relaxed),
            capacity: self.capacity,
        }
    }
}
