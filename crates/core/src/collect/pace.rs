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
pub(crate) struct Pace {
    begun: Instant,
    owed: Mutex<Duration>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), owed: Mutex::default() }
    }

    /// After `units` at `rate` a second: waits until they have had their time, or until `stop`.
    pub(crate) async fn keep(&self, units: u64, rate: u64, stop: &CancellationToken) {
        let ahead = self.ahead(self.begun.elapsed(), units, rate);
        if !ahead.is_zero() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(ahead) => {}
            }
        }
    }

    /// How long ago the work done so far should have been done.
    fn late(&self, elapsed: Duration) -> Duration {
        elapsed.saturating_sub(*self.owed.lock())
    }

    fn ahead(&self, elapsed: Duration, units: u64, rate: u64) -> Duration {
        let mut owed = self.owed.lock();
        *owed = (*owed).max(elapsed.saturating_sub(LATE)) + Duration::from_secs_f64(units as f64 / rate.max(1) as f64);
        owed.saturating_sub(elapsed)
    }
}

/// The fewest and the most links or reviews of one transaction.
const STEP: RangeInclusive<u32> = 8..=64;

/// Who is so late takes the most. Less than a second.
const HASTE: Duration = Duration::from_millis(500);

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

    /// How many links or reviews the next transaction takes. On SQLite every push waits while it runs: so it takes little, and
    /// more only the later the run is, as each waits for the disk too. It settles at the least size with which the rate can be
    /// held, up to the most. What the last one took says nothing: a slow one would make the next larger, and that slower still.
    pub(super) fn step(&self) -> usize {
        step(self.rows.late(self.rows.begun.elapsed()))
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

fn step(late: Duration) -> usize {
    let more = (STEP.end() - STEP.start()) * late.min(HASTE).subsec_millis() / HASTE.subsec_millis();
    (STEP.start() + more) as usize
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
    fn a_transaction_is_larger_the_later_the_collector_is() {
        assert_eq!([0, 250, 500, 60_000].map(|millis| step(Duration::from_millis(millis))), [8, 36, 64, 64]);
    }

    #[test]
    fn who_has_worked_what_was_owed_is_not_late() {
        let (pace, minute) = (Pace::new(), Duration::from_secs(60));
        assert_eq!(pace.late(minute), minute);
        pace.ahead(minute, 750, 1_000);
        assert_eq!(pace.late(minute), Duration::from_millis(250));
        pace.ahead(minute, 1_000, 1_000);
        assert_eq!(pace.late(minute), Duration::ZERO);
    }
}
