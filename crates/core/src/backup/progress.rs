//! How far a backup, a restore or a check has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that another task reads. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    rows: AtomicU64,
    blobs: AtomicU64,
    bytes: AtomicU64,
    blobs_total: AtomicU64,
    bytes_total: AtomicU64,
}

/// What the counters say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Rows done.
    pub rows: u64,
    /// Blobs done, those that were there already among them.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs in all, once that is known.
    pub blobs_total: u64,
    /// Their bytes.
    pub bytes_total: u64,
}

impl Progress {
    /// What is done so far.
    pub fn count(&self) -> Count {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { rows, blobs, bytes, blobs_total, bytes_total } = &*self.0;
        Count {
            rows: read(rows),
            blobs: read(blobs),
            bytes: read(bytes),
            blobs_total: read(blobs_total),
            bytes_total: read(bytes_total),
        }
    }

    pub(super) fn rows(&self, count: usize) {
        self.0.rows.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, blobs: u64, bytes: u64) {
        self.0.blobs_total.fetch_add(blobs, Ordering::Relaxed);
        self.0.bytes_total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn blob(&self, bytes: u64) {
        self.0.blobs.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
