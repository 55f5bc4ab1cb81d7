//! The work behind the scenes in numbers, asked of the database at each scrape: what to be woken by.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use wharf_core::Upkeep as Standing;
use wharf_types::Timestamp;

/// Not there where it is not known: zero would wake somebody, or let him sleep.
type Known = Family<[(&'static str, &'static str); 0], Gauge>;

/// What `/metrics` says of the work behind the scenes.
#[derive(Default)]
pub(super) struct Upkeep {
    dead: Known,
    age: Known,
    purges: Known,
    backup: Known,
    damaged: Known,
    scrub_begun: Known,
    scrub_finished: Known,
}

impl Upkeep {
    pub(super) fn register(&self, registry: &mut Registry) {
        let mut gauge = |name: &str, help: &str, gauge: &Known| registry.register(name, help, gauge.clone());
        gauge("wharf_jobs_dead", "Jobs that were given up: `wharf job list` says why", &self.dead);
        gauge("wharf_jobs_oldest_due_seconds", "How long the first job has been due that nobody does", &self.age);
        gauge("wharf_purges_unfinished", "Purges that have not come to their end", &self.purges);
        gauge(
            "wharf_backup_last_success_timestamp_seconds",
            "When the last backup ended that lacks nothing",
            &self.backup,
        );
        gauge("wharf_blobs_quarantined", "Blobs that are damaged and not served", &self.damaged);
        gauge("wharf_scrub_begun_timestamp_seconds", "When the last pass of the scrub began", &self.scrub_begun);
        gauge("wharf_scrub_finished_timestamp_seconds", "When a pass ended last", &self.scrub_finished);
    }

    /// Takes over how it stands; what is not known any more is not said any more.
    pub(super) fn set(&self, standing: Option<&Standing>, now: Timestamp) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let of = |value: &dyn Fn(&Standing) -> Option<i64>| standing.and_then(value);
        for (gauge, value) in [
            (&self.dead, of(&|s| Some(number(s.dead_jobs)))),
            (&self.age, of(&|s| Some(s.oldest_job.map_or(0, |since| number(now.since(since).as_secs()))))),
            (&self.purges, of(&|s| Some(number(s.purges)))),
            (&self.backup, of(&|s| s.backup.map(Timestamp::as_secs))),
            (&self.damaged, of(&|s| Some(number(s.damaged)))),
            (&self.scrub_begun, of(&|s| s.scrub_begun.map(Timestamp::as_secs))),
            (&self.scrub_finished, of(&|s| s.scrub_finished.map(Timestamp::as_secs))),
        ] {
            match value {
                Some(value) => drop(gauge.get_or_create(&[]).set(value)),
                None => gauge.clear(),
            }
        }
    }
}
