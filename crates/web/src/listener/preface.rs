//! Which HTTP a client speaks, told by its first bytes: so HTTP/2 needs neither TLS nor an upgrade.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How a connection of HTTP/2 begins (RFC 9113, section 3.4). HTTP/1 has no method `PRI`.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Reads until it is clear. The bytes read are part of the conversation.
pub(super) async fn recognize(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Protocol, Bytes)> {
    let mut read = [0; PREFACE.len()];
    let mut length = 0;
    while length < read.len() {
        let more = stream.read(&mut read[length..]).await?;
        length += more;
        if more == 0 || read[..length] != PREFACE[..length] {
            return Ok((Protocol::Http1, Bytes::copy_from_slice(&read[..length])));
        }
    }
    Ok((Protocol::Http2, Bytes::from_static(PREFACE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn recognized(chunks: &[&[u8]]) -> (Protocol, Bytes) {
        let mut stream = tokio_test(chunks);
        recognize(&mut stream).await.unwrap()
    }

    /// A stream that yields these chunks one by one.
    fn tokio_test(chunks: &[&[u8]]) -> impl AsyncRead + Unpin {
        let chunks: Vec<io::Result<Bytes>> = chunks.iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        tokio_util::io::StreamReader::new(futures_util::stream::iter(chunks))
    }

    #[tokio::test]
    async fn the_preface_is_recognized_in_pieces() {
        assert_eq!(recognized(&[b"P", b"RI * HT", b"TP/2.0\r\n"]).await.0, Protocol::Http2);
    }

    #[tokio::test]
    async fn what_was_read_is_not_lost() {
        assert_eq!(recognized(&[b"P", b"UT / HTTP/1.1"]).await, (Protocol::Http1, Bytes::from("PUT / HTTP/1.1")));
        assert_eq!(recognized(&[b"PR"]).await, (Protocol::Http1, Bytes::from("PR")));
        assert_eq!(recognized(&[]).await, (Protocol::Http1, Bytes::new()));
    }
}
