//! The numbers of `/metrics`. Names carry their unit; labels have few values, none of which a client can make up.

mod collection;
mod process;
mod trail;
mod upkeep;

use std::fmt;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use wharf_core::{Core, Scrubbed, Space};

/// From a manifest in memory to a layer over a slow line.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

/// What the HTTP side counts, and a registry that others may add to.
pub struct Metrics {
    registry: RwLock<Registry>,
    requests: Family<Observed, Counter>,
    durations: Family<Kind, Histogram, Seconds>,
    in_flight: Gauge,
    connections: Gauge,
    cut: Counter,
    refused: Family<Reason, Counter>,
    received: Counter,
    sent: Counter,
    storage_free: Gauge,
    storage_total: Gauge,
    /// Not there where it is not known: zero would wake somebody.
    database_free: Family<[(&'static str, &'static str); 0], Gauge>,
    wrong_reads: Counter,
    collection: collection::Collection,
    scrubbed: [Counter; 5],
    upkeep: upkeep::Upkeep,
}

/// A request that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Observed {
    pub(crate) format: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
}

/// Where requests like the last one of a connection are counted: the next one is mostly like it, and need not look.
pub(crate) type Last = Mutex<Option<(Observed, Counter, Histogram)>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    format: &'static str,
    operation: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone)]
struct Seconds;

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(SECONDS)
    }
}

/// Counts a connection while it is there.
pub(crate) struct Open(Gauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: RwLock::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(Seconds),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            cut: Counter::default(),
            refused: Family::default(),
            received: Counter::default(),
            sent: Counter::default(),
            storage_free: Gauge::default(),
            storage_total: Gauge::default(),
            database_free: Family::default(),
            wrong_reads: Counter::default(),
            collection: collection::Collection::default(),
            scrubbed: Default::default(),
            upkeep: upkeep::Upkeep::default(),
        };
        metrics.register_all();
        metrics
    }
}

impl Metrics {
    /// Adds metrics of others. Counters get `_total` at the end of their name by themselves.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.write());
    }

    /// Adds metrics that are asked for at each scrape.
    pub fn collect(&self, collector: Box<dyn Collector>) {
        self.registry.write().register_collector(collector);
    }

    /// Adds what the audit log has to say of itself.
    pub(crate) fn watch_trail(&self, core: &Core) {
        self.collect(Box::new(trail::Trail(core.clone())));
    }

    /// Everything in the text form of OpenMetrics.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.read())?;
        Ok(text)
    }

    pub(crate) fn request_begins(&self) {
        self.in_flight.inc();
    }

    pub(crate) fn request_ends(&self, last: &Last, observed: Observed, duration: Duration) {
        self.in_flight.dec();
        let mut last = last.lock();
        let (_, requests, durations) = match &mut *last {
            Some(same) if same.0 == observed => same,
            other => {
                let kind = Kind { format: observed.format, operation: observed.operation };
                let requests = self.requests.get_or_create(&observed).clone();
                let durations = self.durations.get_or_create(&kind).clone();
                other.insert((observed, requests, durations))
            }
        };
        requests.inc();
        durations.observe(duration.as_secs_f64());
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.received.inc_by(bytes);
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }

    pub(crate) fn connection_opened(&self) -> Open {
        self.connections.inc();
        Open(self.connections.clone())
    }

    pub(crate) fn connection_cut(&self) {
        self.cut.inc();
    }

    pub(crate) fn connection_refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    /// Room in the storage; zero of zero where there is no such limit, or it cannot be asked.
    pub(crate) fn storage(&self, space: Option<Space>) {
        let gauge = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.storage_free.set(space.map_or(0, |space| gauge(space.free)));
        self.storage_total.set(space.map_or(0, |space| gauge(space.total)));
    }

    /// Room on the disk of the database, where that is known.
    pub(crate) fn database(&self, free: Option<u64>) {
        if let Some(free) = free {
            self.database_free.get_or_create(&[]).set(i64::try_from(free).unwrap_or(i64::MAX));
        }
    }

    /// Since the process began.
    pub(crate) fn scrubbed(&self, scrubbed: Scrubbed) {
        let Scrubbed { blobs, bytes, damaged, healed, unread } = scrubbed;
        for (counter, count) in self.scrubbed.iter().zip([blobs, bytes, damaged, healed, unread]) {
            counter.inner().store(count, std::sync::atomic::Ordering::Relaxed);
        }
    }

    pub(crate) fn wrong_reads(&self, count: u64) {
        self.wrong_reads.inner().store(count, std::sync::atomic::Ordering::Relaxed);
    }

    /// What the collector has done and what waits for it.
    pub(crate) fn collection(&self, state: &wharf_core::CollectionState, now: wharf_types::Timestamp) {
        self.collection.set(state, now);
    }

    /// How the work behind the scenes stands, if that is known.
    pub(crate) fn upkeep(&self, standing: Option<&wharf_core::Upkeep>, now: wharf_types::Timestamp) {
        self.upkeep.set(standing, now);
    }

    fn register_all(&self) {
        let mut registry = self.registry.write();
        self.upkeep.register(&mut registry);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("wharf_build", "The program that answers", build);
        registry.register("wharf_http_requests", "Requests that were answered", self.requests.clone());
        registry.register(
            "wharf_http_request_duration_seconds",
            "From the end of a request's head to the end of its answer",
            self.durations.clone(),
        );
        registry.register("wharf_http_requests_in_flight", "Requests that are being answered", self.in_flight.clone());
        registry.register("wharf_http_connections", "Open connections", self.connections.clone());
        registry.register(
            "wharf_http_connections_cut",
            "Connections that were closed because of a slow client",
            self.cut.clone(),
        );
        registry.register("wharf_http_connections_refused", "Connections that found no place", self.refused.clone());
        registry.register("wharf_http_received_bytes", "Bytes of request bodies", self.received.clone());
        registry.register("wharf_http_sent_bytes", "Bytes of answer bodies", self.sent.clone());
        registry.register("wharf_storage_free_bytes", "Room left in the storage", self.storage_free.clone());
        registry.register("wharf_storage_total_bytes", "Size of the storage", self.storage_total.clone());
        let doc = "Room left on the disk of the SQLite database";
        registry.register("wharf_database_free_bytes", doc, self.database_free.clone());
        let [blobs, bytes, damaged, healed, unread] = self.scrubbed.clone();
        registry.register("wharf_scrub_blobs", "Blobs that were read and compared with their digest", blobs);
        registry.register("wharf_scrub_bytes", "Bytes of those blobs", bytes);
        registry.register("wharf_scrub_damaged", "Blobs that were found to be damaged", damaged);
        registry.register(
            "wharf_scrub_healed",
            "Damaged blobs that are right again, from the backup or by themselves",
            healed,
        );
        registry.register("wharf_scrub_unread", "Times that a blob could not be read", unread);
        registry.register(
            "wharf_storage_wrong_reads",
            "Blobs that the storage did not hand out as it was given them",
            self.wrong_reads.clone(),
        );
        self.collection.register(&mut registry);
        registry.register_collector(Box::new(process::Process::here()));
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_names_with_units_and_an_end() {
        let metrics = Metrics::default();
        metrics.request_begins();
        let observed = Observed { format: "oci", operation: "pull-manifest", status: 200 };
        metrics.request_ends(&Last::default(), observed, Duration::from_millis(3));
        let text = metrics.text().unwrap();
        for line in [
            "wharf_http_requests_total{format=\"oci\",operation=\"pull-manifest\",status=\"200\"} 1",
            "wharf_http_request_duration_seconds_bucket{le=\"0.005\",format=\"oci\",operation=\"pull-manifest\"} 1",
            "wharf_http_requests_in_flight 0",
            "wharf_http_received_bytes_total 0",
            "process_start_time_seconds ",
            "wharf_build_info{version=",
            "# EOF\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
