//! Bodies in and out: always streams, with a limit where something is read whole.

use std::io;

use ::bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream};
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Either, Full, StreamBody};
use wharf_core::{ByteStream, Opened};

/// What can go wrong while a body passes.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body of a request or response: in memory, or one that comes bit by bit.
pub type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, BodyError>>;

/// A body that is not there.
pub fn empty() -> Body {
    Body::Left(Full::default())
}

/// A body in memory.
pub fn bytes(content: impl Into<Bytes>) -> Body {
    Body::Left(Full::new(content.into()))
}

/// A body that is read as the client takes it.
pub fn stream(content: ByteStream) -> Body {
    Body::Right(StreamBody::new(content.map_ok(http_body::Frame::data).map_err(BodyError::from)).boxed_unsync())
}

/// Gives an answer its content. What lies in a file is noted beside it, for a connection that can have the kernel send it.
pub fn hand_out(response: &mut Response<Body>, content: Opened) {
    *response.body_mut() = match content {
        Opened::Stream(content) => stream(content),
        Opened::File(part) => {
            let content = stream(part.stream());
            response.extensions_mut().insert(part);
            content
        }
    };
}

/// The chunks of a request's body, trailers left out.
pub fn chunks(body: Body) -> ByteStream {
    let frames = TryStreamExt::map_err(BodyStream::new(body), io::Error::other);
    Box::pin(frames.try_filter_map(async |frame| Ok(frame.into_data().ok())))
}

/// How many bytes a body says it has, if it says so.
pub fn announced(body: &Body) -> Option<u64> {
    http_body::Body::size_hint(body).exact()
}

/// Content that must have `length` bytes: it ends with an error if it is shorter, or after that many if it is longer.
pub fn exactly(length: u64, content: ByteStream) -> ByteStream {
    let pieces = stream::try_unfold((content, length, false), move |(mut content, left, longer)| async move {
        if longer {
            return Err(wrong_length("longer", length));
        }
        let Some(mut piece) = content.try_next().await? else {
            return if left == 0 { Ok(None) } else { Err(wrong_length("shorter", length)) };
        };
        let size = piece.len() as u64;
        if size > left {
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        Ok(Some((piece, (content, left.saturating_sub(size), size > left))))
    });
    Box::pin(pieces)
}

fn wrong_length(how: &str, length: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the chunk is {how} than the {length} bytes of its range"))
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn limited(length: u64, pieces: &[&'static str]) -> (String, Option<String>) {
        let pieces: Vec<io::Result<Bytes>> = pieces.iter().map(|piece| Ok(Bytes::from(*piece))).collect();
        let mut content = exactly(length, Box::pin(stream::iter(pieces)));
        let mut taken = String::new();
        loop {
            match content.try_next().await {
                Ok(Some(piece)) => taken.push_str(std::str::from_utf8(&piece).unwrap()),
                Ok(None) => return (taken, None),
                Err(error) => return (taken, Some(error.to_string())),
            }
        }
    }

    #[tokio::test]
    async fn content_of_another_length_than_announced_ends_with_an_error() {
        assert_eq!(limited(5, &["abc", "de"]).await, ("abcde".into(), None));
        assert_eq!(limited(0, &[]).await, (String::new(), None));
        let (taken, error) = limited(4, &["abc", "de", "f"]).await;
        assert_eq!((taken.as_str(), error.unwrap().contains("longer than the 4")), ("abcd", true));
        let (taken, error) = limited(0, &["a"]).await;
        assert_eq!((taken.as_str(), error.unwrap().contains("longer")), ("", true));
        let (taken, error) = limited(9, &["abc", "de"]).await;
        assert_eq!((taken.as_str(), error.unwrap().contains("shorter than the 9")), ("abcde", true));
    }
}
