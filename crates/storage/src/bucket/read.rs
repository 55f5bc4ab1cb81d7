//! Reading a sealed object.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStoreExt as _};

use super::Door;
use super::failure::{is_beyond, said};
use crate::ByteStream;

/// How often in a row an answer may break off without having brought a byte.
const PATIENCE: u32 = 4;

/// Opens the object, so that its absence is known before the first byte.
pub(crate) async fn open(door: Arc<dyn Door>, path: Path, range: Range<u64>) -> object_store::Result<ByteStream> {
    let wanted = match &range {
        range if range.start >= range.end => None,
        Range { start: 0, end: u64::MAX } => Some(GetOptions::default()),
        Range { start, end: u64::MAX } => Some(of(GetRange::Offset(*start))),
        range => Some(of(GetRange::Bounded(range.clone()))),
    };
    let got = match wanted {
        Some(options) => match door.get_opts(&path, options).await {
            Ok(got) => Some(got),
            Err(error) if is_beyond(&error) => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    let Some(got) = got else {
        // Nothing of it is wanted, but whether it is there is.
        door.head(&path).await?;
        return Ok(Box::pin(stream::empty()));
    };
    let Range { start, end } = got.range;
    let reading = Reading { door, path, at: start, end, idle: 0, answer: Some(got.into_stream()) };
    Ok(Box::pin(stream::try_unfold(reading, |mut reading| async move {
        let chunk = reading.next().await?;
        Ok(chunk.map(|chunk| (chunk, reading)))
    })))
}

fn of(range: GetRange) -> GetOptions {
    GetOptions { range: Some(range), ..GetOptions::default() }
}

/// Goes on where an answer broke off, be it with an error or with an end that came too early.
struct Reading {
    door: Arc<dyn Door>,
    path: Path,
    at: u64,
    end: u64,
    idle: u32,
    answer: Option<BoxStream<'static, object_store::Result<Bytes>>>,
}

impl Reading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if self.at >= self.end {
                return Ok(None);
            }
            let chunk = match &mut self.answer {
                Some(answer) => answer.next().await,
                None => None,
            };
            match chunk {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) if chunk.len() as u64 > self.end - self.at => {
                    return Err(io::Error::other("the object store sends more than was asked for"));
                }
                Some(Ok(chunk)) => {
                    (self.at, self.idle) = (self.at + chunk.len() as u64, 0);
                    return Ok(Some(chunk));
                }
                broken => self.again(broken.and_then(|chunk| chunk.err())).await?,
            }
        }
    }

    async fn again(&mut self, error: Option<object_store::Error>) -> io::Result<()> {
        let why = error.map_or_else(|| "the answer is shorter than it said".to_owned(), |error| said(&error));
        self.idle += 1;
        if self.idle > PATIENCE {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        tracing::debug!(object = %self.path, at = self.at, why, "an answer of the object store broke off");
        let range = self.at..self.end;
        self.answer = match self.door.get_opts(&self.path, of(GetRange::Bounded(range.clone()))).await {
            Ok(got) if got.range == range => Some(got.into_stream()),
            Ok(_) => None,
            // It was tried again already.
            Err(error) => return Err(io::Error::other(said(&error))),
        };
        Ok(())
    }
}
