//! The checksums that indexes name beside SHA-256, which the catalog has of every file.

use std::io::{self, Read};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha512};

/// Checksums in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) md5: String,
    pub(crate) sha1: String,
    pub(crate) sha512: String,
}

/// Hashes what is read through it.
pub(crate) struct Hashed<R> {
    inner: R,
    md5: Md5,
    sha1: Sha1,
    sha512: Sha512,
}

impl<R: Read> Hashed<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, md5: Md5::new(), sha1: Sha1::new(), sha512: Sha512::new() }
    }

    /// Of everything, also of what nobody has read yet.
    pub(crate) fn finish(mut self) -> io::Result<Sums> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(Sums {
            md5: hex::encode(self.md5.finalize()),
            sha1: hex::encode(self.sha1.finalize()),
            sha512: hex::encode(self.sha512.finalize()),
        })
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let read = &buffer[..count];
        self.md5.update(read);
        self.sha1.update(read);
        self.sha512.update(read);
        Ok(count)
    }
}

impl Sums {
    /// Of bytes in memory.
    pub(crate) fn of(content: &[u8]) -> Self {
        Self {
            md5: hex::encode(Md5::digest(content)),
            sha1: hex::encode(Sha1::digest(content)),
            sha512: hex::encode(Sha512::digest(content)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_file_is_hashed_however_little_of_it_was_read() {
        let mut hashed = Hashed::new(&b"abc"[..]);
        hashed.read_exact(&mut [0; 1]).unwrap();
        let sums = hashed.finish().unwrap();
        assert_eq!(sums.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(sums.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(sums.sha512.starts_with("ddaf35a193617aba"));
        assert_eq!(sums, Sums::of(b"abc"));
    }
}
