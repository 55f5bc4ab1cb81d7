//! The collector in numbers. What waits is asked of the database at each scrape, with an end to the counting.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::Ordering::Relaxed;

use wharf_core::CollectionState;
use wharf_types::Timestamp;

/// What `/metrics` says of the collector.
#[derive(Default)]
pub(super) struct Collection {
    due: Gauge,
    age: Gauge,
    doomed: Gauge,
    doomed_bytes: Gauge,
    bin: Gauge,
    bin_overdue: Gauge,
    pins: Gauge,
    last_run: Gauge,
    hidden: Counter,
    links: Counter,
    blobs: Counter,
    blob_bytes: Counter,
    objects: Counter,
    object_bytes: Counter,
    failures: Counter,
}

impl Collection {
    pub(super) fn register(&self, registry: &mut Registry) {
        let mut gauge = |name: &str, help: &str, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("wharf_collection_reviews_due", "Reviews that are due, counted up to 100000", &self.due);
        gauge("wharf_collection_oldest_review_age_seconds", "How long the first of them has been due", &self.age);
        gauge("wharf_collection_doomed_objects", "Objects that wait for their removal, up to 100000", &self.doomed);
        gauge("wharf_collection_doomed_bytes", "Bytes of those objects", &self.doomed_bytes);
        gauge("wharf_bin_entries", "What was deleted and can be restored, up to 100000 entries", &self.bin);
        gauge("wharf_bin_overdue_seconds", "How long the first entry whose time is up waits to go", &self.bin_overdue);
        gauge("wharf_collection_pins", "Backups that keep doomed objects", &self.pins);
        gauge(
            "wharf_collection_last_run_timestamp_seconds",
            "When the collector of this server last looked",
            &self.last_run,
        );
        let mut counter = |name: &str, help: &str, counter: &Counter| registry.register(name, help, counter.clone());
        counter("wharf_collection_links_hidden", "Links that nothing used and that were hidden", &self.hidden);
        counter("wharf_collection_links", "Links that went", &self.links);
        counter("wharf_collection_blobs", "Blobs that went", &self.blobs);
        counter("wharf_collection_blob_bytes", "Bytes of blobs that went", &self.blob_bytes);
        counter("wharf_collection_objects", "Objects that were removed from the storage", &self.objects);
        counter("wharf_collection_object_bytes", "Bytes of objects that were removed", &self.object_bytes);
        counter("wharf_collection_failures", "Runs of the collector that stopped early", &self.failures);
    }

    /// Takes over what the collector says of itself.
    pub(super) fn set(&self, state: &CollectionState, now: Timestamp) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.due.set(number(state.due));
        self.age.set(state.oldest.map_or(0, |oldest| number(now.since(oldest).as_secs())));
        self.doomed.set(number(state.doomed));
        self.doomed_bytes.set(number(state.doomed_bytes));
        self.bin.set(number(state.bin));
        self.bin_overdue.set(state.bin_overdue.map_or(0, |since| number(now.since(since).as_secs())));
        self.pins.set(number(state.pins.len() as u64));
        self.last_run.set(state.last_run.map_or(0, Timestamp::as_secs));
        let collected = &state.collected;
        for (counter, value) in [
            (&self.hidden, collected.hidden),
            (&self.links, collected.links),
            (&self.blobs, collected.blobs),
            (&self.blob_bytes, collected.bytes),
            (&self.objects, collected.objects),
            (&self.object_bytes, collected.freed),
            (&self.failures, state.failures),
        ] {
            // They are counted elsewhere, and only grow there.
            counter.inner().fetch_max(value, Relaxed);
        }
    }
}
