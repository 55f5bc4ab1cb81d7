//! Reading a sealed object.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};

use super::{Place, Tree, blocking, failure, failure_of};
use crate::{ByteStream, ObjectKey, Result};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;
/// Chunks on their way out whose memory is taken again when they have gone: as many as an answer has in its hands.
const OUT: usize = 2;

/// Opens the object, so that its absence is known before the first byte. Gives how much of the range is there.
pub(super) fn open(tree: &Tree, key: &ObjectKey, range: Range<u64>) -> Result<(Arc<File>, Range<u64>)> {
    let file = File::open(tree.path(Place::Sealed(key))).map_err(|error| failure_of(key, error))?;
    let end = range.end.min(file.metadata().map_err(failure)?.len());
    Ok((Arc::new(file), range.start..end))
}

/// Reads the range as it is asked for.
pub(crate) fn stream(file: Arc<File>, range: Range<u64>) -> ByteStream {
    let reading = Reading { file, at: range.start, end: range.end, out: VecDeque::with_capacity(OUT) };
    Box::pin(stream::try_unfold(reading, |mut reading| async move {
        let chunk = reading.next().await?;
        Ok(chunk.map(|chunk| (chunk, reading)))
    }))
}

struct Reading {
    file: Arc<File>,
    at: u64,
    end: u64,
    /// The last chunks, the oldest first.
    out: VecDeque<Bytes>,
}

impl Reading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let left = usize::try_from(self.end - self.at).unwrap_or(CHUNK);
        let mut buffer = self.buffer(left.min(CHUNK));
        let read = match cached(&self.file, &mut buffer, self.at)? {
            Some(read) => read,
            None => {
                let (file, at) = (Arc::clone(&self.file), self.at);
                let (filled, read) = blocking(move || wait_for(&file, buffer, at)).await?;
                buffer = filled;
                read
            }
        };
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the object is shorter than it was"));
        }
        self.at += read as u64;
        buffer.truncate(read);
        let chunk = buffer.freeze();
        self.out.push_back(chunk.clone());
        Ok(Some(chunk))
    }

    /// Room for a chunk: that of the oldest if nobody has it any more. New room has to be filled with zeros first, which takes a
    /// tenth of the time that a chunk takes.
    fn buffer(&mut self, length: usize) -> BytesMut {
        let oldest = if self.out.len() < OUT { None } else { self.out.pop_front() };
        match oldest.map(Bytes::try_into_mut) {
            Some(Ok(mut buffer)) => {
                buffer.resize(length, 0);
                buffer
            }
            Some(Err(_)) | None => BytesMut::zeroed(length),
        }
    }
}

/// Reads what is in memory already, without waiting for the disk, and so without a change of threads; a copy of a chunk
/// takes less time than that. `None`: it has to be waited for.
fn cached(file: &File, buffer: &mut [u8], at: u64) -> io::Result<Option<usize>> {
    match preadv2(file, &mut [IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(Some(read)),
        // Not every file system can say what it has in memory.
        Err(Errno::AGAIN | Errno::INTR | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn wait_for(file: &File, mut buffer: BytesMut, at: u64) -> io::Result<(BytesMut, usize)> {
    let read = rustix::io::retry_on_intr(|| pread(file, &mut buffer[..], at))?;
    Ok((buffer, read))
}
