//! What the operating system says of this process, with the names that every client library of Prometheus uses.

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::param::page_size;
use rustix::process::{Resource, getrlimit};

/// Asks Linux at every scrape. Elsewhere only the start time is known.
#[derive(Debug)]
pub(super) struct Process {
    began: f64,
}

impl Process {
    /// This process, which begins about now.
    pub(super) fn here() -> Self {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: began.as_secs_f64() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: Option<f64>| {
            let Some(value) = value else { return Ok(()) };
            let metric = ConstGauge::new(value);
            let encoder = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(encoder)
        };
        gauge("process_start_time_seconds", "When the process began, since 1970", Some(self.began))?;
        gauge("process_resident_memory_bytes", "Memory in RAM", resident_memory())?;
        gauge("process_open_fds", "Open file descriptors", open_files())?;
        gauge("process_max_fds", "The most file descriptors that may be open", most_files())
    }
}

/// The second number of `statm` is in pages.
fn resident_memory() -> Option<f64> {
    let pages: u32 = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(f64::from(pages) * f64::from(u32::try_from(page_size()).ok()?))
}

fn open_files() -> Option<f64> {
    // One of them is the folder being read.
    let number = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(number).ok().map(f64::from)
}

fn most_files() -> Option<f64> {
    let limit = getrlimit(Resource::Nofile).current?;
    u32::try_from(limit).ok().map(f64::from)
}
