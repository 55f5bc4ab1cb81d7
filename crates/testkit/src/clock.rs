//! A clock that tests can move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use wharf_types::{Clock, Timestamp};

/// The machine's time and as much as a test has added to it. It goes on by itself, because jobs wait for it.
#[derive(Debug, Clone, Default)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// As the server sees it.
    pub fn clock(&self) -> Clock {
        let (added, machine) = (Arc::clone(&self.0), Clock::system());
        Clock::new(move || Timestamp::from_millis(machine.now().as_millis() + added.load(Relaxed)))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// Moves it on.
    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).expect("a span within the life of the universe");
        self.0.fetch_add(millis, Relaxed);
    }

    /// Sets it back, as the clock of another replica may be.
    pub fn set_back(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).expect("a span within the life of the universe");
        self.0.fetch_sub(millis, Relaxed);
    }
}
