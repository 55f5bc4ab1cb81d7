//! Streams of HTTP/2. On HTTP/1 a client that takes nothing blocks its socket, which the connection sees. On HTTP/2 it closes
//! the window of one stream and goes on talking, so each stream is watched by itself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task_local;
use tokio::time::{Sleep, sleep};

task_local! {
    static STREAM: Arc<Stream>;
}

/// What a response's body says of its stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    waits_for_client: AtomicBool,
    offers: AtomicU64,
}

impl Stream {
    /// The stream that this task serves; none on HTTP/1.
    pub(crate) fn current() -> Option<Arc<Self>> {
        STREAM.try_with(Arc::clone).ok()
    }

    /// The next move is the client's: there is something for it to take.
    pub(crate) fn offers(&self) {
        self.offers.fetch_add(1, Relaxed);
        self.waits_for_client.store(true, Relaxed);
    }

    /// The next move is ours.
    pub(crate) fn prepares(&self) {
        self.waits_for_client.store(false, Relaxed);
    }
}

/// Runs the streams of a connection as tasks.
#[derive(Clone)]
pub(super) struct Streams {
    pub(super) write_idle: Duration,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let progress = Arc::new(Stream::default());
        let served = Box::pin(STREAM.scope(Arc::clone(&progress), stream));
        tokio::spawn(Watched { served, progress, write_idle: self.write_idle, waiting: None });
    }
}

/// A stream that ends when the client does not take what it is offered: dropping it resets the stream.
struct Watched<F> {
    served: Pin<Box<F>>,
    progress: Arc<Stream>,
    write_idle: Duration,
    /// The offer that the client has not taken yet, and until when it may leave it.
    waiting: Option<(u64, Pin<Box<Sleep>>)>,
}

impl<F: Future<Output = ()>> Future for Watched<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.served.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if !self.progress.waits_for_client.load(Relaxed) {
            self.waiting = None;
            return Poll::Pending;
        }
        let offer = self.progress.offers.load(Relaxed);
        let write_idle = self.write_idle;
        let fresh = || (offer, Box::pin(sleep(write_idle)));
        let (known, deadline) = self.waiting.get_or_insert_with(fresh);
        if *known != offer {
            (*known, *deadline) = fresh();
        }
        deadline.as_mut().poll(cx)
    }
}
