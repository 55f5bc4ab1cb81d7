//! What comes out of a storage, held against what the catalog says of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use wharf_storage::{ByteStream, Hashing};
use wharf_types::Digest;

/// How often a storage handed out other bytes than were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct WrongReads(Arc<AtomicU64>);

impl WrongReads {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Lets exactly `length` bytes pass. With `whole`, the digest of them all, the last chunk passes only if they hash to it. What is
/// wrong ends in an error and never as if it were complete.
pub(crate) fn checked(content: ByteStream, length: u64, whole: Option<Digest>, wrong: WrongReads) -> ByteStream {
    let hashing = whole.map(|digest| (Hashing::new(&[digest.algorithm()]), digest));
    let check = Check { content, left: length, hashing, wrong };
    Box::pin(stream::try_unfold(check, |mut check| async move {
        let chunk = check.next().await?;
        Ok(chunk.map(|chunk| (chunk, check)))
    }))
}

struct Check {
    content: ByteStream,
    left: u64,
    hashing: Option<(Hashing, Digest)>,
    wrong: WrongReads,
}

impl Check {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let Some(chunk) = self.content.next().await.transpose()? else {
            return Err(self.refuse(format!("the storage has {} bytes less than it was given", self.left)));
        };
        let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
            return Err(self.refuse("the storage has more bytes than it was given".to_owned()));
        };
        self.left = left;
        if let Some((hashing, digest)) = &mut self.hashing {
            hashing.update(&chunk);
            let actual = (left == 0).then(|| hashing.digest(digest.algorithm())).flatten();
            if let Some(actual) = actual.filter(|actual| actual != digest) {
                let problem = format!("the storage has other bytes than it was given: {actual} for {digest}");
                return Err(self.refuse(problem));
            }
        }
        Ok(Some(chunk))
    }

    fn refuse(&self, problem: String) -> io::Error {
        self.wrong.0.fetch_add(1, Relaxed);
        tracing::error!(problem, "a blob was not handed out to its end");
        io::Error::new(io::ErrorKind::InvalidData, problem)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    async fn read(chunks: &[&'static str], length: u64, whole: Option<&str>) -> (String, bool, u64) {
        let wrong = WrongReads::default();
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        let whole = whole.map(|whole| Digest::sha256(whole.as_bytes()));
        let mut content = checked(Box::pin(stream::iter(chunks)), length, whole, wrong.clone());
        let mut text = String::new();
        loop {
            match content.try_next().await {
                Ok(Some(chunk)) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
                end => return (text, end.is_ok(), wrong.count()),
            }
        }
    }

    #[tokio::test]
    async fn what_is_right_passes_whole() {
        assert_eq!(read(&["ab", "cd"], 4, Some("abcd")).await, ("abcd".to_owned(), true, 0));
        assert_eq!(read(&["b", "c"], 2, None).await, ("bc".to_owned(), true, 0));
    }

    #[tokio::test]
    async fn of_what_is_wrong_the_last_chunk_is_withheld() {
        assert_eq!(read(&["ab", "cx"], 4, Some("abcd")).await, ("ab".to_owned(), false, 1));
        assert_eq!(read(&["ab", "c"], 4, None).await, ("abc".to_owned(), false, 1));
        assert_eq!(read(&["ab", "cde"], 4, None).await, ("ab".to_owned(), false, 1));
    }
}
