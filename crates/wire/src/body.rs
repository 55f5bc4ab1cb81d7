//! Bodies in and out: always streams, with a limit where something is read whole.

use std::io;

use ::bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Empty, Full, StreamBody};
use wharf_core::ByteStream;

/// What can go wrong while a body passes.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body of a request or response.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body that is not there.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body in memory.
pub fn bytes(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is read as the client takes it.
pub fn stream(content: ByteStream) -> Body {
    StreamBody::new(content.map_ok(http_body::Frame::data).map_err(BodyError::from)).boxed_unsync()
}

/// The chunks of a request's body, trailers left out.
pub fn chunks(body: Body) -> ByteStream {
    let frames = TryStreamExt::map_err(BodyStream::new(body), io::Error::other);
    Box::pin(frames.try_filter_map(async |frame| Ok(frame.into_data().ok())))
}

/// Why a body was not read whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is, or says it is, longer than the limit in bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The client went away or was too slow.
    #[error("the body ended early: {0}")]
    Broken(#[source] BodyError),
}

/// Reads a body of at most `limit` bytes. What announces more is refused before a byte of it is read.
///
/// # Errors
/// [`ReadError`].
pub async fn read_up_to(mut body: Body, limit: usize) -> Result<Bytes, ReadError> {
    let announced = http_body::Body::size_hint(&body).lower();
    if announced > limit as u64 {
        return Err(ReadError::TooLarge(limit));
    }
    let mut content = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(ReadError::Broken)?.into_data() else { continue };
        if content.len() + chunk.len() > limit {
            return Err(ReadError::TooLarge(limit));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content.freeze())
}
