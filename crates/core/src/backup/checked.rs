//! A body that errs at its end if it is not what its digest says, so that whoever writes it keeps nothing wrong.

use std::io;

use futures_util::{StreamExt as _, stream};
use wharf_storage::{ByteStream, Hashing};
use wharf_types::Digest;

/// Why a body was refused at its end.
#[derive(Debug, thiserror::Error)]
#[error("the {size} bytes hash to {actual}")]
pub(crate) struct Mismatch {
    size: u64,
    actual: Digest,
}

/// `body` as it is, but with an error that holds a [`Mismatch`] after it if it does not hash to `digest`.
pub(crate) fn checked(body: ByteStream, digest: Digest) -> ByteStream {
    let hashing = Hashing::new(&[digest.algorithm()]);
    let state = Some((body, hashing));
    Box::pin(stream::try_unfold(state, move |state| async move {
        let Some((mut body, mut hashing)) = state else { return Ok(None) };
        if let Some(chunk) = body.next().await {
            let chunk = chunk?;
            hashing.update(&chunk);
            return Ok(Some((chunk, Some((body, hashing)))));
        }
        match hashing.digest(digest.algorithm()) {
            Some(actual) if actual == digest => Ok(None),
            Some(actual) => Err(io::Error::other(Mismatch { size: hashing.offset(), actual })),
            None => Err(io::Error::other("no hash was made")),
        }
    }))
}

/// What was wrong with the content, if that is why a body ended early.
pub(crate) fn mismatch(error: &io::Error) -> Option<String> {
    error.get_ref()?.downcast_ref::<Mismatch>().map(ToString::to_string)
}
