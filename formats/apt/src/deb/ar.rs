//! The outer archive of a .deb: ar(5) as deb(5) uses it.

use std::io::{self, Read};

use wharf_core::InspectError;

use crate::package::refused;

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;

/// Members, front to back. Reading it reads the current member.
pub(crate) struct Archive<R> {
    inner: R,
    /// Of the current member.
    left: u64,
    is_padded: bool,
}

/// A member, by what its header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) size: u64,
}

impl<R: Read> Archive<R> {
    pub(crate) fn open(mut inner: R) -> Result<Self, InspectError> {
        let mut magic = [0; 8];
        match inner.read_exact(&mut magic) {
            Ok(()) if magic == *MAGIC => Ok(Self { inner, left: 0, is_padded: false }),
            _ => Err(refused("it is not a Debian package: a .deb begins with !<arch>")),
        }
    }

    /// The next member; what was not read of the one before is passed over.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, InspectError> {
        let broken = |_| refused("the archive is truncated");
        io::copy(self, &mut io::sink()).map_err(broken)?;
        let mut header = Vec::with_capacity(HEADER + 1);
        let wanted = HEADER + usize::from(self.is_padded);
        (&mut self.inner).take(wanted as u64).read_to_end(&mut header).map_err(broken)?;
        if header.len() <= 1 {
            return Ok(None);
        }
        let header = &header[usize::from(self.is_padded)..];
        if header.len() < HEADER || &header[58..] != b"`\n" {
            return Err(refused("the archive is damaged: a member has no header"));
        }
        let text = |range: std::ops::Range<usize>| {
            let text = std::str::from_utf8(&header[range]).ok().filter(|text| text.is_ascii());
            text.map(|text| text.trim_end_matches(' '))
        };
        let name = text(0..16).map(|name| name.trim_end_matches('/').to_owned());
        let size = text(48..58).filter(|text| text.bytes().all(|b| b.is_ascii_digit())).and_then(|t| t.parse().ok());
        let (Some(name), Some(size)) = (name, size) else {
            return Err(refused("the archive is damaged: a member has no name or no size"));
        };
        (self.left, self.is_padded) = (size, size % 2 == 1);
        Ok(Some(Member { name, size }))
    }
}

impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a member ends before its size"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An archive of these members.
    pub(crate) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (name, content) in members {
            bytes.extend_from_slice(&header(name, &content.len().to_string()));
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len().next_multiple_of(2), b'\n');
        }
        bytes
    }

    fn header(name: &str, size: &str) -> Vec<u8> {
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644).into_bytes()
    }

    fn names(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, InspectError> {
        let mut archive = Archive::open(bytes)?;
        let mut found = Vec::new();
        while let Some(member) = archive.next()? {
            let mut content = Vec::new();
            archive.read_to_end(&mut content).map_err(|error| refused(error.to_string()))?;
            assert_eq!(content.len() as u64, member.size);
            found.push((member.name, content));
        }
        Ok(found)
    }

    #[test]
    fn members_are_read_one_after_the_other() {
        let found = names(&archive(&[("debian-binary", b"2.0\n"), ("odd/", b"abc"), ("last", b"")])).unwrap();
        let expected = [("debian-binary", &b"2.0\n"[..]), ("odd", b"abc"), ("last", b"")];
        assert_eq!(found, expected.map(|(name, content)| (name.to_owned(), content.to_vec())));
    }

    #[test]
    fn a_member_that_nobody_reads_is_passed_over() {
        let bytes = archive(&[("a", &[7; 100_001]), ("b", b"x")]);
        let mut archive = Archive::open(bytes.as_slice()).unwrap();
        archive.next().unwrap();
        assert_eq!(archive.next().unwrap(), Some(Member { name: "b".into(), size: 1 }));
        assert_eq!(archive.next().unwrap(), None);
    }

    #[test]
    fn the_padding_of_the_last_member_may_be_missing() {
        let mut bytes = archive(&[("a", b"x")]);
        bytes.pop();
        assert_eq!(names(&bytes).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        for bytes in [&b""[..], b"!<arch>", b"!<thin>\n", b"PK\x03\x04    ", b"\x7fELF\0\0\0\0\0\0"] {
            assert!(names(bytes).is_err(), "{bytes:?}");
        }
        let whole = archive(&[("debian-binary", b"2.0\n"), ("b", b"12345678")]);
        for end in [20, 60, 70, 80, whole.len() - 1] {
            assert!(names(&whole[..end]).is_err(), "cut at {end}");
        }
        for size in ["-1", "0x10", "+4", "", "9999999999", "4 4"] {
            let bytes = [MAGIC.as_slice(), &header("a", size), b"abcd"].concat();
            assert!(names(&bytes).is_err(), "a size of {size:?}");
        }
    }
}
