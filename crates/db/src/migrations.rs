//! The schema, one numbered step after the other. A step that has been released never changes; the next one does.
//!
//! Expand first, contract a release later: two versions of the program run on one database during a roll-out.

use crate::migrate::Migration;

/// Every step in order.
pub(crate) const ALL: &[Migration] = &[
    Migration { number: 1, name: "catalog", sql: include_str!("migrations/0001_catalog.sql") },
    Migration { number: 2, name: "identity", sql: include_str!("migrations/0002_identity.sql") },
    Migration { number: 3, name: "work", sql: include_str!("migrations/0003_work.sql") },
    Migration { number: 4, name: "packages", sql: include_str!("migrations/0004_packages.sql") },
    Migration { number: 5, name: "second thoughts", sql: include_str!("migrations/0005_second_thoughts.sql") },
    Migration { number: 6, name: "collection", sql: include_str!("migrations/0006_collection.sql") },
    Migration { number: 7, name: "backups", sql: include_str!("migrations/0007_backups.sql") },
    Migration { number: 8, name: "accesses", sql: include_str!("migrations/0008_accesses.sql") },
    Migration { number: 9, name: "bin entries", sql: include_str!("migrations/0009_bin_entries.sql") },
    Migration { number: 10, name: "lists", sql: include_str!("migrations/0010_lists.sql") },
    Migration { number: 11, name: "unread", sql: include_str!("migrations/0011_unread.sql") },
    Migration { number: 12, name: "keys", sql: include_str!("migrations/0012_keys.sql") },
    Migration { number: 13, name: "bin numbers", sql: include_str!("migrations/0013_bin_numbers.sql") },
    Migration { number: 14, name: "settings", sql: include_str!("migrations/0014_settings.sql") },
    Migration { number: 15, name: "snapshots", sql: include_str!("migrations/0015_snapshots.sql") },
    Migration { number: 16, name: "referrers", sql: include_str!("migrations/0016_referrers.sql") },
    Migration { number: 17, name: "purge runs", sql: include_str!("migrations/0017_purge_runs.sql") },
    Migration { number: 18, name: "objects by time", sql: include_str!("migrations/0018_objects_by_time.sql") },
    Migration { number: 19, name: "links by digest", sql: include_str!("migrations/0019_links_by_digest.sql") },
    Migration { number: 20, name: "scrub ended", sql: include_str!("migrations/0020_scrub_ended.sql") },
];
