//! The inner archives of a .deb: tar files in one of several compressions, walked without unpacking them to anywhere.

use std::io::{self, Read};

use tar::{EntryType, PaxExtensions};
use wharf_core::{InspectError, Packing};

use crate::package::refused;

/// Most bytes of a path; dpkg takes no longer ones.
const LONGEST_PATH: u64 = 4096;
/// Most bytes of extended headers of one entry.
const LONGEST_EXTENSION: u64 = 64 * 1024;
/// Most entries of an archive.
const MOST_ENTRIES: usize = 2_000_000;

/// An entry that is no directory's.
pub(crate) struct Entry<'a> {
    /// Relative, without `.` and `..`.
    pub(crate) path: Vec<u8>,
    pub(crate) is_file: bool,
    pub(crate) size: u64,
    pub(crate) content: &'a mut dyn Read,
}

/// The decompressor for a member of this name: `None` for a compression that cannot be read here.
pub(crate) fn decoder<'a>(name: &str, inner: impl Read + 'a) -> Result<Option<Box<dyn Read + 'a>>, InspectError> {
    let ending = name.split_once(".tar").map(|(_, ending)| ending);
    let packing = match ending {
        Some("") => Packing::Plain,
        Some(".gz") => Packing::Gzip,
        Some(".xz") => Packing::Xz,
        Some(".lzma") => Packing::Lzma,
        Some(".bz2") => Packing::Bzip2,
        Some(".zst") => Packing::Zstd,
        Some(_) => return Ok(None),
        None => return Err(refused(format!("{name} is not a tar archive"))),
    };
    let opened = packing.open(inner);
    opened.map(Some).map_err(|error| refused(format!("the decompressor cannot begin: {error}")))
}

/// Ends with an error behind so many bytes.
pub(crate) struct Capped<R> {
    pub(crate) inner: R,
    pub(crate) left: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other("it unpacks to too much"))?;
        Ok(count)
    }
}

/// Shows every entry that is no directory, and reads the archive to its end, so that one which is cut off is noticed.
pub(crate) fn walk(
    archive: &mut dyn Read,
    visit: &mut dyn FnMut(Entry<'_>) -> Result<(), InspectError>,
) -> Result<(), InspectError> {
    let broken = |error: io::Error| refused(format!("its archive cannot be read: {error}"));
    let mut tar = tar::Archive::new(&mut *archive);
    let mut long_path = None;
    for (count, entry) in tar.entries().map_err(broken)?.raw(true).enumerate() {
        let mut entry = entry.map_err(broken)?;
        if count == MOST_ENTRIES {
            return Err(refused(format!("its archive has more than {MOST_ENTRIES} entries")));
        }
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                let mut path = small(&mut entry, LONGEST_PATH)?;
                path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(path.len()));
                long_path = Some(path);
            }
            EntryType::GNULongLink | EntryType::XGlobalHeader => drop(small(&mut entry, LONGEST_EXTENSION)?),
            EntryType::XHeader => long_path = extended(&small(&mut entry, LONGEST_EXTENSION)?)?.or(long_path),
            EntryType::GNUSparse => return Err(refused("its archive has a sparse file, which dpkg does not unpack")),
            kind => {
                let path = long_path.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                let path = plain(&path)?;
                if kind != EntryType::Directory && !path.is_empty() {
                    let (is_file, size) = (kind.is_file(), entry.size());
                    visit(Entry { path, is_file, size, content: &mut entry })?;
                }
            }
        }
    }
    io::copy(archive, &mut io::sink()).map_err(broken)?;
    Ok(())
}

/// The content of an entry that describes the next one.
fn small(entry: &mut tar::Entry<'_, impl Read>, most: u64) -> Result<Vec<u8>, InspectError> {
    if entry.size() > most {
        return Err(refused("its archive has a path or an extended header that is too long"));
    }
    let mut content = Vec::new();
    entry.take(most).read_to_end(&mut content).map_err(|error| refused(error.to_string()))?;
    Ok(content)
}

/// The path that an extended header gives. One that gives a size makes two readers see two archives.
fn extended(content: &[u8]) -> Result<Option<Vec<u8>>, InspectError> {
    let mut path = None;
    for extension in PaxExtensions::new(content) {
        let extension = extension.map_err(|_| refused("its archive has a damaged extended header"))?;
        match extension.key_bytes() {
            b"path" => path = Some(extension.value_bytes().to_vec()),
            b"size" => return Err(refused("its archive has a file with a size in an extended header")),
            _ => {}
        }
    }
    Ok(path)
}

/// Without what leads nowhere.
fn plain(path: &[u8]) -> Result<Vec<u8>, InspectError> {
    let shown = || String::from_utf8_lossy(path).chars().take(100).collect::<String>();
    if path.first() == Some(&b'/') {
        return Err(refused(format!("its archive has an absolute path: {:?}", shown())));
    }
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    if parts.contains(&&b".."[..]) {
        return Err(refused(format!("its archive has a path with \"..\": {:?}", shown())));
    }
    Ok(parts.join(&b'/'))
}
