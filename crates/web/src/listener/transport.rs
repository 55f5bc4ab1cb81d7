//! The bytes of a connection, watched.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

use super::activity::Activity;

/// How long, and for how many bytes, we go on reading after the last answer. Closing with unread bytes makes the kernel send
/// a reset, which may overtake the answer: a client that is still sending would never learn why it was refused. What fits into
/// the buffers of both sides, tens of megabytes on a fast way, is sent before the client can have seen the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// An answer up to this size goes out in one piece: copying its body behind its head costs the kernel less than two pieces do.
const SMALL: usize = 4 * 1024;

thread_local! {
    /// Where its pieces are put together.
    static JOINED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn is_small(slices: &[io::IoSlice<'_>]) -> bool {
    slices.len() > 1 && slices.iter().map(|slice| slice.len()).sum::<usize>() <= SMALL
}

/// Plain or encrypted. One type, so that hyper is compiled once.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A stream that tells [`Activity`] what it sees.
pub(super) struct Transport {
    stream: Stream,
    activity: Arc<Activity>,
    /// What was read already, to be read again.
    begun: Bytes,
    /// Bytes came since the last were sent: the next to be sent are the beginning of an answer.
    asked: bool,
    closing: Closing,
}

enum Closing {
    No,
    Lingering { until: Pin<Box<Sleep>>, left: usize },
    Done,
}

impl Transport {
    pub(super) fn new(stream: Stream, begun: Bytes, activity: Arc<Activity>) -> Self {
        Self { stream, activity, begun, asked: false, closing: Closing::No }
    }

    fn note<T>(&self, outcome: Poll<T>) -> Poll<T> {
        match &outcome {
            Poll::Ready(_) => self.activity.sent(),
            Poll::Pending => self.activity.blocked(),
        }
        outcome
    }

    /// Lets the tasks that are ready go first, once an answer: what they have to say is then sent together with it. Waking a
    /// receiver on the same machine, such as a proxy, costs as much as an answer, and it is not woken again while it is at work.
    fn lets_others_go_first(&mut self, cx: &Context<'_>) -> bool {
        let first = std::mem::take(&mut self.asked);
        if first {
            cx.waker().wake_by_ref();
        }
        first
    }

    /// Reads and forgets until the client has understood, or for as long as is polite.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Closing::Lingering { until, left } = &mut self.closing else { return Poll::Ready(Ok(())) };
        let mut scratch = [0; 8 * 1024];
        while *left > 0 && until.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => *left = left.saturating_sub(buffer.filled().len()),
                Ok(()) | Err(_) => break,
            }
        }
        self.closing = Closing::Done;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = if self.begun.is_empty() {
            Pin::new(&mut self.stream).poll_read(cx, buffer)
        } else {
            let length = self.begun.len().min(buffer.remaining());
            buffer.put_slice(&self.begun.split_to(length));
            Poll::Ready(Ok(()))
        };
        if buffer.filled().len() > before {
            self.asked = true;
            self.activity.heard();
        }
        outcome
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.activity.files.is_empty() {
            return self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)]);
        }
        if self.lets_others_go_first(cx) {
            return Poll::Pending;
        }
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.lets_others_go_first(cx) {
            return Poll::Pending;
        }
        let Self { stream, activity, .. } = &mut *self;
        let outcome = match stream {
            Stream::Plain(socket) if !activity.files.is_empty() => {
                let sent = activity.files.poll_send(socket, cx, slices);
                if activity.files.is_empty() {
                    activity.file_ends();
                }
                sent
            }
            Stream::Plain(stream) if is_small(slices) => JOINED.with_borrow_mut(|joined| {
                joined.clear();
                slices.iter().for_each(|slice| joined.extend_from_slice(slice));
                Pin::new(stream).poll_write(cx, joined)
            }),
            stream => Pin::new(stream).poll_write_vectored(cx, slices),
        };
        self.note(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        // A plain socket has nothing to flush and says so at once, which tells nothing of the client.
        if matches!(self.stream, Stream::Tls(_)) { self.note(outcome) } else { outcome }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.closing, Closing::No) {
            let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.note(outcome))?;
            self.closing = if self.activity.expects_more() {
                Closing::Lingering { until: Box::pin(sleep(LINGER)), left: LINGER_BYTES }
            } else {
                Closing::Done
            };
        }
        self.poll_linger(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
