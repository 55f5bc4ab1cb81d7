//! A part of a file of this machine, for whoever can hand it on without looking at it.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::sync::Arc;

use rustix::io::{ReadWriteFlags, pread, preadv2};

use crate::ByteStream;

/// How far apart the places are that are looked at. Each look is a system call; a smaller hole is missed, and who sends then waits
/// for the disk.
const STRIDE: usize = 512 * 1024;
/// Bytes that are brought into memory at once.
const BROUGHT: usize = 128 * 1024;

/// Bytes of a file that is complete and does not change.
#[derive(Debug, Clone)]
pub struct FilePart {
    file: Arc<File>,
    range: Range<u64>,
}

impl FilePart {
    /// The bytes in `range`, all of which must be there.
    pub fn new(file: Arc<File>, range: Range<u64>) -> Self {
        Self { file, range }
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the part begins in the file.
    pub fn start(&self) -> u64 {
        self.range.start
    }

    /// Bytes in it.
    pub fn length(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    /// Takes up to `most` bytes from its beginning.
    #[must_use]
    pub fn take(&mut self, most: usize) -> Self {
        let end = self.range.end.min(self.range.start.saturating_add(most as u64));
        let taken = Self { file: Arc::clone(&self.file), range: self.range.start..end };
        self.range.start = end;
        taken
    }

    /// Leaves out `bytes` at its beginning.
    pub fn pass(&mut self, bytes: usize) {
        self.range.start = self.range.end.min(self.range.start.saturating_add(bytes as u64));
    }

    /// Its bytes.
    pub fn stream(&self) -> ByteStream {
        crate::fs::stream(Arc::clone(&self.file), self.range.clone())
    }

    /// Reads from its beginning.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| pread(&self.file, &mut bytes[..], self.range.start))?)
    }

    /// Whether its bytes are in memory, as far as can be told by looking at some of them. Waits for no disk.
    pub fn is_in_memory(&self) -> bool {
        let last = self.range.end.saturating_sub(1);
        self.range.clone().step_by(STRIDE).chain(std::iter::once(last)).all(|at| {
            let mut byte = [0];
            let mut byte = [IoSliceMut::new(&mut byte)];
            rustix::io::retry_on_intr(|| preadv2(&self.file, &mut byte, at, ReadWriteFlags::NOWAIT)) == Ok(1)
        })
    }

    /// Brings its bytes into memory, and waits for that.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn bring(&self) -> io::Result<()> {
        let (mut left, mut scratch) = (self.clone(), vec![0; BROUGHT]);
        while left.length() > 0 {
            match left.read(&mut scratch)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => left.pass(read),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    fn part(content: &[u8]) -> (tempfile::NamedTempFile, FilePart) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let part = FilePart::new(Arc::new(File::open(file.path()).unwrap()), 0..content.len() as u64);
        (file, part)
    }

    async fn read(part: &FilePart) -> Vec<u8> {
        part.stream().try_fold(Vec::new(), async |all, chunk| Ok([all, chunk.to_vec()].concat())).await.unwrap()
    }

    #[tokio::test]
    async fn a_part_is_taken_from_its_beginning() {
        let (_file, mut part) = part(b"abcdefgh");
        part.pass(1);
        let mut first = part.take(4);
        assert_eq!((first.start(), first.length(), part.start(), part.length()), (1, 4, 5, 3));
        first.pass(2);
        assert_eq!((read(&first).await, read(&part).await), (b"de".to_vec(), b"fgh".to_vec()));
        assert_eq!((part.take(100).length(), part.length()), (3, 0));
    }

    #[test]
    fn what_was_brought_is_in_memory_where_that_can_be_told() {
        let (file, part) = part(&vec![1; 3 * STRIDE + 5]);
        part.bring().unwrap();
        let mut byte = [0];
        let told = preadv2(file.as_file(), &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT).is_ok();
        assert_eq!(part.is_in_memory(), told);
    }

    #[test]
    fn a_file_that_has_become_shorter_is_told() {
        let (file, part) = part(&[1; 100]);
        file.as_file().set_len(50).unwrap();
        assert_eq!(part.bring().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(!part.is_in_memory());
    }
}
