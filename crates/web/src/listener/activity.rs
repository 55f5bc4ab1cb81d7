//! What a connection is waiting for, and for how long it may.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::Waker;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use super::files::Files;
use crate::config::Timeouts;

/// Written by a connection's I/O and its requests, read by its driver. One timer a connection looks at it now and then, so
/// that a request costs a few stores and no timer of its own.
#[derive(Debug)]
pub(crate) struct Activity {
    began: Instant,
    requests: AtomicU32,
    served: AtomicBool,
    http2: AtomicBool,
    unread: AtomicBool,
    quiet_since: Moment,
    head_since: Moment,
    stalled_since: Moment,
    order: AtomicU8,
    driver: AtomicWaker,
    /// What the kernel is to send.
    pub(crate) files: Files,
}

/// What a connection was told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Nothing.
    GoOn,
    /// Finish what is in flight and close.
    Retire,
    /// Close now.
    Cut,
}

/// Milliseconds since the connection began, plus one; zero for never.
#[derive(Debug, Default)]
struct Moment(AtomicU64);

/// What to do with a connection now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again after this time.
    Wait(Duration),
    /// It has been idle for long enough: close it as the protocol does.
    Retire,
    /// The client keeps us waiting: cut it.
    Cut(&'static str),
}

impl Moment {
    fn set(&self, millis: u64) {
        self.0.store(millis + 1, Relaxed);
    }

    fn clear(&self) {
        self.0.store(0, Relaxed);
    }

    fn get(&self) -> Option<u64> {
        self.0.load(Relaxed).checked_sub(1)
    }
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            requests: AtomicU32::new(0),
            served: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            quiet_since: Moment::default(),
            head_since: Moment::default(),
            stalled_since: Moment::default(),
            order: AtomicU8::new(Order::GoOn as u8),
            driver: AtomicWaker::new(),
            files: Files::default(),
        }
    }

    /// Tells the connection something. An order is never taken back.
    pub(crate) fn order(&self, order: Order) {
        self.order.fetch_max(order as u8, Relaxed);
        self.driver.wake();
    }

    /// What it was told; `waker` is woken when that changes.
    pub(super) fn orders(&self, waker: &Waker) -> Order {
        self.driver.register(waker);
        match self.order.load(Relaxed) {
            order if order == Order::Cut as u8 => Order::Cut,
            order if order == Order::Retire as u8 => Order::Retire,
            _ => Order::GoOn,
        }
    }

    /// A request's head is complete.
    pub(crate) fn request_begins(&self) {
        self.requests.fetch_add(1, Relaxed);
        self.served.store(true, Relaxed);
        self.head_since.clear();
        // Whatever was left of the last body has been passed over.
        self.unread.store(false, Relaxed);
    }

    /// A response was handed over whole, or given up, just now.
    pub(crate) fn request_ends(&self, at: Instant) {
        self.quiet_since.set(self.millis(at));
        self.requests.fetch_sub(1, Relaxed);
    }

    /// A request was answered before its body was read to the end.
    pub(crate) fn leaves_body_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    /// Whether the client speaks HTTP/2, where streams have their own limits.
    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    pub(super) fn speaks_http2(&self) {
        self.http2.store(true, Relaxed);
    }

    /// Bytes came in.
    pub(super) fn heard(&self) {
        if self.requests.load(Relaxed) == 0 && self.files.is_empty() && self.head_since.get().is_none() {
            self.head_since.set(self.now());
        }
    }

    /// Bytes could not go out.
    pub(super) fn blocked(&self) {
        if self.stalled_since.get().is_none() {
            self.stalled_since.set(self.now());
        }
    }

    /// The last piece of a file that waited is sent.
    pub(super) fn file_ends(&self) {
        self.quiet_since.set(self.now());
    }

    /// Bytes went out.
    pub(super) fn sent(&self) {
        if self.stalled_since.get().is_some() {
            self.stalled_since.clear();
        }
    }

    /// Whether the client may still be sending what nobody will read. HTTP/2 tells it so.
    pub(super) fn expects_more(&self) -> bool {
        !self.is_http2() && (self.unread.load(Relaxed) || self.head_since.get().is_some())
    }

    /// Whether the client waits too long, or lets us wait too long.
    pub(super) fn verdict(&self, timeouts: &Timeouts) -> Verdict {
        let now = self.now();
        let left =
            |since: u64, allowed: Duration| allowed.checked_sub(Duration::from_millis(now.saturating_sub(since)));
        let mut wait = timeouts.head.min(timeouts.keep_alive).min(timeouts.write_idle);
        if let Some(since) = self.stalled_since.get() {
            match left(since, timeouts.write_idle) {
                Some(rest) => wait = wait.min(rest),
                None => return Verdict::Cut("the client does not take what it asked for"),
            }
        }
        // An answer is handed over when its last piece of a file is queued, and is over when that is sent.
        if self.requests.load(Relaxed) > 0 || !self.files.is_empty() {
            return Verdict::Wait(wait);
        }
        // HTTP/2 has other frames than requests, so bytes do not mean that a head has begun.
        let head = self.head_since.get().filter(|_| !self.is_http2());
        let first = (!self.served.load(Relaxed)).then_some(0);
        let (since, allowed, late) = match (head, first) {
            (Some(since), _) => (since, timeouts.head, Verdict::Cut("the head of a request does not end")),
            (None, Some(began)) => (began, timeouts.head, Verdict::Cut("no request comes")),
            (None, None) => (self.quiet_since.get().unwrap_or(now), timeouts.keep_alive, Verdict::Retire),
        };
        left(since, allowed).map_or(late, |rest| Verdict::Wait(wait.min(rest)))
    }

    fn now(&self) -> u64 {
        self.millis(Instant::now())
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Timeouts = Timeouts {
        handshake: Duration::ZERO,
        head: Duration::ZERO,
        keep_alive: Duration::ZERO,
        body_idle: Duration::ZERO,
        body_grace: Duration::ZERO,
        body_bytes_per_second: 0,
        write_idle: Duration::ZERO,
        stop: Duration::ZERO,
        stop_delay: Duration::ZERO,
        ready: Duration::ZERO,
    };

    /// As if the connection had begun ten seconds ago.
    fn aged() -> Activity {
        Activity { began: Instant::now() - Duration::from_secs(10), ..Activity::new() }
    }

    #[test]
    fn a_request_in_flight_is_not_idle() {
        let activity = aged();
        activity.request_begins();
        assert_eq!(activity.verdict(&NONE), Verdict::Wait(Duration::ZERO));
    }

    #[test]
    fn a_connection_that_never_asks_is_cut() {
        let timeouts = Timeouts { head: Duration::from_secs(5), ..Timeouts::default() };
        assert_eq!(aged().verdict(&timeouts), Verdict::Cut("no request comes"));
        assert!(matches!(Activity::new().verdict(&timeouts), Verdict::Wait(_)));
    }

    #[test]
    fn an_idle_connection_is_retired_and_a_half_head_is_cut() {
        let mut activity = aged();
        activity.request_begins();
        activity.request_ends(Instant::now());
        activity.began -= Duration::from_secs(60);
        let timeouts = Timeouts { keep_alive: Duration::from_secs(30), ..Timeouts::default() };
        assert_eq!(activity.verdict(&timeouts), Verdict::Retire);
        activity.heard();
        assert!(matches!(activity.verdict(&timeouts), Verdict::Wait(_)));
        activity.began -= Duration::from_secs(60);
        assert_eq!(activity.verdict(&timeouts), Verdict::Cut("the head of a request does not end"));
    }

    #[test]
    fn frames_of_http_2_are_no_half_head() {
        let mut activity = aged();
        activity.speaks_http2();
        activity.request_begins();
        activity.request_ends(Instant::now());
        activity.heard();
        activity.began -= Duration::from_secs(20);
        assert!(matches!(activity.verdict(&Timeouts::default()), Verdict::Wait(_)));
    }

    #[test]
    fn a_client_that_takes_again_is_forgiven() {
        let mut activity = aged();
        activity.request_begins();
        activity.blocked();
        activity.began -= Duration::from_secs(61);
        assert_eq!(activity.verdict(&Timeouts::default()), Verdict::Cut("the client does not take what it asked for"));
        activity.sent();
        assert!(matches!(activity.verdict(&Timeouts::default()), Verdict::Wait(_)));
    }
}
