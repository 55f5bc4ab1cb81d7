//! What became of pulls, logins and refusals on their way to the audit log.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use wharf_core::Core;

/// Asks at every scrape.
pub(crate) struct Trail(pub(crate) Core);

impl Collector for Trail {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.0.access_counts();
        let mut counter = |name: &str, help: &str, value: u64| {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        counter(
            "wharf_audit_lines_written",
            "Lines about pulls, logins and refusals that were written",
            counts.written,
        )?;
        counter(
            "wharf_audit_accesses_coalesced",
            "Pulls, logins and refusals counted in the line of an equal one",
            counts.coalesced,
        )?;
        counter("wharf_audit_accesses_dropped", "Pulls, logins and refusals that found no room", counts.dropped)?;
        counter("wharf_audit_flush_failures", "Attempts to write lines that failed and are repeated", counts.failures)?;
        let mut gauge = |name: &str, help: &str, value: usize| {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        gauge("wharf_audit_lines_held", "Lines that wait in memory to be written", counts.held)?;
        gauge("wharf_audit_lines_held_limit", "The most lines that may wait", counts.capacity)
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trail")
    }
}
