use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Pace;

#[tokio::test]
async fn work_takes_at_least_as_long_as_its_rate_says() {
    let (begun, goes_on) = (Instant::now(), CancellationToken::new());
    let mut pace = Pace::new();
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
