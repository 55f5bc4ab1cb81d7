//! The payload of a package: a cpio archive (`newc` of cpio(5)) in one of several compressions, walked without unpacking it to anywhere. Its
//! names have to be those of the header, which is what rpm goes by.

use std::collections::HashSet;
use std::io::{self, Read};

use wharf_core::{InspectError, Packing};

use super::refused;

/// Most bytes that are unpacked: a bomb or a very large package keeps nobody busy for longer. What comes behind is held against its
/// digest only.
const LOOKED_AT: u64 = 512 << 20;
/// Bytes of an entry's head.
const HEAD: usize = 110;
/// Most bytes of a path, with its NUL.
const LONGEST_PATH: u64 = 4097;
/// The name of the last entry.
const END: &[u8] = b"TRAILER!!!";

/// Looks at a payload of which the first bytes are `begin`. A compression or an archive of another kind is passed over.
pub(super) fn walk(begin: &[u8], payload: impl Read, paths: &HashSet<Vec<u8>>) -> Result<(), InspectError> {
    let broken = |error: io::Error| refused(format!("its payload cannot be unpacked: {error}"));
    let Some(packing) = packing(begin) else { return Ok(()) };
    let mut archive = Archive { inner: packing.open(payload).map_err(broken)?.take(LOOKED_AT), at: 0 };
    for _ in 0..=paths.len() {
        match archive.entry(paths) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(_) if archive.inner.limit() == 0 => return Ok(()),
            Err(Wrong::Read(error)) => return Err(broken(error)),
            Err(Wrong::Said(why)) => return Err(why),
        }
    }
    Err(refused("its payload has more files than its header names"))
}

/// How content is packed that begins so.
fn packing(begin: &[u8]) -> Option<Packing> {
    Some(match begin {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [b'B', b'Z', b'h', ..] => Packing::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
        [0x5d, 0, 0, ..] => Packing::Lzma,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        [b'0', b'7', b'0', b'7', ..] => Packing::Plain,
        _ => return None,
    })
}

enum Wrong {
    Read(io::Error),
    Said(InspectError),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

struct Archive<R> {
    inner: io::Take<R>,
    /// Bytes read: entries and their contents begin at multiples of four.
    at: u64,
}

impl<R: Read> Archive<R> {
    /// Passes an entry; false behind the last one, or where entries are of a kind that is not looked at.
    fn entry(&mut self, paths: &HashSet<Vec<u8>>) -> Result<bool, Wrong> {
        let mut magic = [0; 6];
        self.fill(&mut magic)?;
        match &magic {
            b"070701" | b"070702" => {}
            // Of packages with files of 4 GiB and more: their sizes and names are in the header alone.
            b"07070X" => return Ok(false),
            _ => return Err(Wrong::Said(refused("its payload is not a cpio archive of rpm's kind"))),
        }
        let mut head = [0; HEAD - 6];
        self.fill(&mut head)?;
        let (size, length) = (number(&head, 6)?, number(&head, 11)?);
        if !(2..=LONGEST_PATH).contains(&length) {
            return Err(Wrong::Said(refused(format!("a file of its payload has a name of {length} bytes"))));
        }
        let mut name = vec![0; usize::try_from(length).unwrap_or_default()];
        self.fill(&mut name)?;
        self.align()?;
        if name.pop() != Some(0) || name.contains(&0) {
            return Err(Wrong::Said(refused("a file of its payload has a name that does not end where it says")));
        }
        if name == END {
            return Ok(false);
        }
        let path = [&b"./"[..], b"/"].into_iter().find_map(|begin| name.strip_prefix(begin)).unwrap_or(&name);
        let path = if path == b"." { b"" } else { path };
        if !paths.contains(path) {
            let shown = String::from_utf8_lossy(&name).into_owned();
            return Err(Wrong::Said(refused(format!(
                "its payload has a file {shown:?} that its header does not name"
            ))));
        }
        self.pass(size)?;
        self.align()?;
        Ok(true)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.inner.read_exact(buffer)?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    fn pass(&mut self, count: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.inner.by_ref().take(count), &mut io::sink())?;
        self.at += passed;
        if passed == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn align(&mut self) -> io::Result<()> {
        self.pass(self.at.next_multiple_of(4) - self.at)
    }
}

/// The number in a field of an entry's head, which is behind the magic.
fn number(head: &[u8], field: usize) -> Result<u64, Wrong> {
    let digits = std::str::from_utf8(&head[8 * field..8 * field + 8]).unwrap_or_default();
    let number = Some(digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let number = number.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.ok_or_else(|| Wrong::Said(refused("a number in its payload is none")))
}
