//! The body of an answer. It knows when the answer has gone, and whether it went whole.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame, SizeHint};
use wharf_core::FilePart;
use wharf_wire::{Body, BodyError};

use super::record::Record;
use crate::listener::activity::Activity;
use crate::listener::files::Sending;
use crate::listener::streams::Stream;

/// The most that a stream of HTTP/2 is handed at once. A larger piece would be in the hands of the protocol until its last byte is
/// taken, out of sight of whoever watches the client, and out of the bounds of what one client may make us keep.
const PIECE: usize = 64 * 1024;

type Item = Option<Result<Frame<Bytes>, BodyError>>;

/// A body on its way out.
pub(crate) struct Outbound {
    body: Body,
    /// What is left of a frame that is handed out in pieces.
    rest: Bytes,
    sent: u64,
    length: Option<u64>,
    ended: bool,
    stream: Option<Arc<Stream>>,
    /// What the kernel sends instead of the body.
    file: Option<(Sending, Arc<Activity>)>,
    record: Record,
}

/// How long a response says its body is.
pub(super) fn length(response: &Response<Body>) -> Option<u64> {
    let said = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    said.or_else(|| response.body().size_hint().exact())
}

impl Outbound {
    pub(super) fn new(body: Body, length: Option<u64>, record: Record) -> Self {
        Self { body, rest: Bytes::new(), sent: 0, length, ended: false, stream: Stream::current(), file: None, record }
    }

    /// Has the kernel send the content of a file, which is that of the body.
    pub(super) fn sent_by_the_kernel(mut self, part: FilePart, activity: &Arc<Activity>) -> Self {
        self.file = Some((Sending::new(part), Arc::clone(activity)));
        self
    }

    fn offer(&mut self, mut data: Bytes) -> Item {
        if let Some(stream) = &self.stream {
            stream.offers();
            if data.len() > PIECE {
                self.rest = data.split_off(PIECE);
            }
        }
        self.sent += data.len() as u64;
        self.record.sent(data.len() as u64);
        Some(Ok(Frame::data(data)))
    }

    fn take(&mut self, item: Item) -> Item {
        match item {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => self.offer(data),
                Err(other) => Some(Ok(other)),
            },
            Some(Err(error)) => {
                self.record.failed(&error);
                Some(Err(error))
            }
            None => {
                self.ended = true;
                None
            }
        }
    }
}

impl http_body::Body for Outbound {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Item> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(self.offer(rest));
        }
        if let Some((sending, activity)) = &mut self.file {
            let item = ready!(sending.poll_next(&activity.files, cx));
            return Poll::Ready(self.take(item.map(|piece| piece.map(Frame::data).map_err(BodyError::from))));
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(item) => Poll::Ready(self.take(item)),
            Poll::Pending => {
                if let Some(stream) = &self.stream {
                    stream.prepares();
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && (self.ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        // hyper stops asking once it has the bytes that Content-Length promises.
        let whole = self.is_end_stream() || self.length.is_some_and(|length| self.sent >= length);
        self.record.ends(whole);
    }
}
