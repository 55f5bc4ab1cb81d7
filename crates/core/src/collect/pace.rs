//! How fast the collector goes: a little at a time, because all of a second's work at once is what others would notice.

use std::ops::RangeInclusive;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Collection;

/// What it is late by beyond this is not made up for.
const LATE: Duration = Duration::from_secs(1);

/// Holds work to so many units a second, on the average since it began.
pub(super) struct Pace {
    begun: Instant,
    owed: Mutex<Duration>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), owed: Mutex::default() }
    }

    /// After `units` at `rate` a second: waits until they have had their time, or until `stop`.
    pub(super) async fn keep(&self, units: u64, rate: u64, stop: &CancellationToken) {
        let ahead = self.ahead(self.begun.elapsed(), units, rate);
        if !ahead.is_zero() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(ahead) => {}
            }
        }
    }

    fn ahead(&self, elapsed: Duration, units: u64, rate: u64) -> Duration {
        let mut owed = self.owed.lock();
        *owed = (*owed).max(elapsed.saturating_sub(LATE)) + Duration::from_secs_f64(units as f64 / rate.max(1) as f64);
        owed.saturating_sub(elapsed)
    }
}

/// The fewest and the most links or reviews of one transaction.
const STEP: RangeInclusive<u8> = 8..=64;

/// The limits of a run, shared by all that it does side by side.
pub(super) struct Brake<'a> {
    limits: &'a Collection,
    stop: &'a CancellationToken,
    rows: Pace,
    bytes: Pace,
}

impl<'a> Brake<'a> {
    pub(super) fn new(limits: &'a Collection, stop: &'a CancellationToken) -> Self {
        Self { limits, stop, rows: Pace::new(), bytes: Pace::new() }
    }

    /// How many links or reviews the next transaction takes when the last one `took` so long. On SQLite every push waits while it
    /// runs, and it waits for the disk with a group of pushes: so it takes what the rate allows in that time, little where the
    /// disk is quick, and more where it is slow. Each is two rows or more, and the rest of the time is for waiting.
    pub(super) fn step(&self, took: Duration) -> usize {
        let rows = took.as_secs_f64().min(1.0) * f64::from(self.limits.rate);
        STEP.rev().find(|&links| f64::from(links) * 2.0 <= rows).unwrap_or(*STEP.start()).into()
    }

    /// After so many rows.
    pub(super) async fn rows(&self, rows: u64) {
        self.rows.keep(rows, self.limits.rate.into(), self.stop).await;
    }

    /// Before so many objects with so many bytes go.
    pub(super) async fn objects(&self, objects: u64, bytes: u64) {
        self.rows(objects).await;
        self.bytes.keep(bytes, self.limits.byte_rate, self.stop).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_takes_at_least_as_long_as_its_rate_says() {
        let (begun, goes_on) = (Instant::now(), CancellationToken::new());
        let pace = Pace::new();
        for _ in 0..4 {
            pace.keep(50, 1_000, &goes_on).await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(200));
    }

    #[tokio::test]
    async fn who_is_told_to_stop_does_not_wait_for_the_rate() {
        let stop = CancellationToken::new();
        stop.cancel();
        // Eleven days.
        Pace::new().keep(1_000_000, 1, &stop).await;
    }

    #[test]
    fn a_long_delay_is_not_made_up_for_at_once() {
        let (pace, minute) = (Pace::new(), Duration::from_secs(60));
        assert_eq!(pace.ahead(minute, 1_000, 1_000), Duration::ZERO);
        assert_eq!(pace.ahead(minute, 1_000, 1_000), Duration::from_secs(1));
    }

    #[test]
    fn a_transaction_is_as_large_as_the_last_one_was_slow() {
        let (limits, stop) = (Collection { rate: 6000, ..Collection::default() }, CancellationToken::new());
        let brake = Brake::new(&limits, &stop);
        let steps = [0, 5, 10, 1_000, 60_000].map(|millis| brake.step(Duration::from_millis(millis)));
        assert_eq!(steps, [8, 15, 30, 64, 64]);
    }
}
