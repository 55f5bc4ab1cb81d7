//! The body of a request, as long as it comes fast enough.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use wharf_wire::{Body, BodyError, empty};

use super::Connection;
use crate::config::Timeouts;

/// How a body ended that did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// We did not wait any longer.
    TooSlow,
    /// The client went away, or sent what is no body.
    Broken,
}

/// What became of a body, for the one who answers.
#[derive(Debug, Default)]
pub(super) struct Progress {
    received: AtomicU64,
    end: AtomicU8,
    much_left: AtomicBool,
}

/// A body with less than this left is passed over, so that the connection can go on.
const LITTLE: u64 = 16 * 1024;

/// The client sends less than it may.
#[derive(Debug, thiserror::Error)]
#[error("the body comes too slowly")]
struct TooSlow;

/// Only the time that we wait for the client counts, not the time that it waits for us.
pub(super) struct Inbound {
    body: Incoming,
    connection: Arc<Connection>,
    progress: Arc<Progress>,
    received: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl Progress {
    pub(super) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    pub(super) fn end(&self) -> Option<End> {
        match self.end.load(Relaxed) {
            1 => Some(End::TooSlow),
            2 => Some(End::Broken),
            _ => None,
        }
    }

    /// Whether so much is still to come that the connection cannot go on to another request.
    pub(super) fn is_far_from_done(&self) -> bool {
        self.much_left.load(Relaxed)
    }

    fn ended(&self, end: End) {
        self.end.store(if end == End::TooSlow { 1 } else { 2 }, Relaxed);
    }
}

impl Inbound {
    /// The body for a handler, and what becomes of it where there is one.
    pub(super) fn wrap(body: Incoming, connection: &Arc<Connection>) -> (Body, Option<Arc<Progress>>) {
        if body.is_end_stream() {
            return (empty(), None);
        }
        let progress = Arc::new(Progress::default());
        let inbound = Self {
            body,
            connection: Arc::clone(connection),
            progress: Arc::clone(&progress),
            received: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            timer: None,
            ended: false,
        };
        (Body::Right(inbound.boxed_unsync()), Some(progress))
    }

    fn take(&mut self, frame: Option<Result<Frame<Bytes>, hyper::Error>>) -> Option<Result<Frame<Bytes>, BodyError>> {
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        match frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.received += length;
                self.progress.received.store(self.received, Relaxed);
                self.connection.app.metrics().received(length);
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                self.ended = true;
                self.progress.ended(End::Broken);
                Some(Err(error.into()))
            }
            None => {
                self.ended = true;
                None
            }
        }
    }

    /// Nobody reads on.
    fn gives_up(&mut self) {
        self.ended = true;
        self.connection.activity.leaves_body_unread();
        let left = self.body.size_hint().upper().is_none_or(|left| left > LITTLE);
        self.progress.much_left.store(left || self.progress.end().is_some(), Relaxed);
    }

    /// Ready when the client has let us wait for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let end = since + patience(&self.connection.timeouts, self.received, self.waited);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        // A timer set for an earlier chunk rings early and is wound up then: cheaper than winding it for every chunk.
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

/// How much longer to wait: until the client has been silent for too long, or is too slow on the average.
fn patience(timeouts: &Timeouts, received: u64, waited: Duration) -> Duration {
    let Some(earned) = received.checked_div(u64::from(timeouts.body_bytes_per_second)) else {
        return timeouts.body_idle;
    };
    let allowed = timeouts.body_grace.max(Duration::from_secs(earned));
    timeouts.body_idle.min(allowed.saturating_sub(waited))
}

impl http_body::Body for Inbound {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(self.take(frame));
        }
        if self.poll_patience(cx).is_pending() {
            return Poll::Pending;
        }
        self.progress.ended(End::TooSlow);
        self.gives_up();
        Poll::Ready(Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        if !self.is_end_stream() {
            self.gives_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn patience_ends_with_silence_or_with_too_low_a_rate() {
        let timeouts = Timeouts {
            body_idle: seconds(10),
            body_grace: seconds(30),
            body_bytes_per_second: 100,
            ..Timeouts::default()
        };
        assert_eq!(patience(&timeouts, 0, seconds(0)), seconds(10));
        assert_eq!(patience(&timeouts, 0, seconds(25)), seconds(5));
        assert_eq!(patience(&timeouts, 2_000, seconds(30)), seconds(0));
        assert_eq!(patience(&timeouts, 4_000, seconds(35)), seconds(5));
        assert_eq!(patience(&timeouts, 1_000_000, seconds(35)), seconds(10));
        let any_rate = Timeouts { body_bytes_per_second: 0, ..timeouts };
        assert_eq!(patience(&any_rate, 0, seconds(100)), seconds(10));
    }
}
