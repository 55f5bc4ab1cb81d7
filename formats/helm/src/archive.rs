//! A packaged chart: a gzipped tar with one folder. Read from front to back, nothing is written anywhere, and what is kept in
//! memory has a limit.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entry, EntryType, PaxExtensions};
use wharf_core::InspectError;

/// Helm unpacks no more than this of one chart.
const LARGEST_CHART: u64 = 100 * 1024 * 1024;
/// Most entries: the smallest takes 512 bytes.
const MOST_FILES: usize = 20_000;
/// Most bytes of a name that does not fit into its header.
const LONGEST_NAME: u64 = 64 * 1024;

/// Ends with an error where more comes out than there may be.
struct Capped<R> {
    inner: R,
    left: u64,
    most: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(format!("unpacked it is larger than {} MiB", self.most >> 20)))?;
        Ok(read)
    }
}

fn refused(why: impl Into<String>) -> InspectError {
    InspectError(why.into())
}

fn unreadable(error: &io::Error) -> InspectError {
    let what = if error.kind() == io::ErrorKind::UnexpectedEof {
        "it ends in the middle".to_owned()
    } else {
        error.to_string()
    };
    refused(format!("not a chart package (.tgz): {what}"))
}

/// Reads a package to its end. `wanted` is called with the path inside the chart's folder and says how many bytes of the file are
/// to be kept; `keep` gets them. A larger one is refused.
///
/// # Errors
/// What is wrong with the package, and what `keep` says.
pub(crate) fn walk(
    file: &mut dyn Read,
    wanted: impl Fn(&str) -> Option<u64>,
    keep: impl FnMut(&str, Vec<u8>) -> Result<(), InspectError>,
) -> Result<(), InspectError> {
    walk_up_to(LARGEST_CHART, file, wanted, keep)
}

fn walk_up_to(
    most: u64,
    file: &mut dyn Read,
    wanted: impl Fn(&str) -> Option<u64>,
    mut keep: impl FnMut(&str, Vec<u8>) -> Result<(), InspectError>,
) -> Result<(), InspectError> {
    let unpacked = Capped { inner: MultiGzDecoder::new(BufReader::new(file)), left: most, most };
    let mut archive = Archive::new(unpacked);
    let mut root: Option<String> = None;
    let mut names = Names::default();
    // Raw: the library would take as much memory for a long name as the archive says.
    for (count, entry) in archive.entries().map_err(|error| unreadable(&error))?.raw(true).enumerate() {
        let mut entry = entry.map_err(|error| unreadable(&error))?;
        if count >= MOST_FILES {
            return Err(refused(format!("more than {MOST_FILES} files are in the package")));
        }
        if names.takes(&mut entry)? {
            continue;
        }
        let name = names.of(&entry)?;
        let Some((folder, path)) = place(&name, entry.header().entry_type())? else { continue };
        if *root.get_or_insert_with(|| folder.clone()) != folder {
            return Err(refused("the package has more than one folder at its top"));
        }
        let Some(most) = wanted(&path).filter(|_| entry.header().entry_type() != EntryType::Directory) else {
            continue;
        };
        let mut content = Vec::new();
        entry.by_ref().take(most + 1).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
        if content.len() as u64 > most {
            return Err(refused(format!("{path} is larger than {most} bytes")));
        }
        keep(&path, content)?;
    }
    // What comes behind the end of the tar is part of the download, and of its checksum.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(|error| unreadable(&error))?;
    root.map(drop).ok_or_else(|| refused("the package is empty"))
}

/// Names that come before the entry they belong to.
#[derive(Default)]
struct Names {
    next: Option<Vec<u8>>,
}

impl Names {
    /// Whether the entry says something of the next one, or of all, instead of being a file.
    fn takes(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<bool, InspectError> {
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            return Ok(true);
        }
        if !kind.is_gnu_longname() && !kind.is_gnu_longlink() && !kind.is_pax_local_extensions() {
            return Ok(false);
        }
        let mut content = Vec::new();
        entry.by_ref().take(LONGEST_NAME + 1).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
        if content.len() as u64 > LONGEST_NAME {
            return Err(refused("a name in the package is too long"));
        }
        if kind.is_gnu_longname() {
            content.truncate(content.iter().position(|byte| *byte == 0).unwrap_or(content.len()));
            self.next = Some(content);
        } else if kind.is_pax_local_extensions() {
            self.pax(&content)?;
        }
        Ok(true)
    }

    fn pax(&mut self, content: &[u8]) -> Result<(), InspectError> {
        for extension in PaxExtensions::new(content) {
            let extension = extension.map_err(|error| unreadable(&error))?;
            match extension.key_bytes() {
                b"path" => self.next = Some(extension.value_bytes().to_owned()),
                // Only files that are larger than a chart may be need it, and it would make two readers see two archives.
                b"size" => return Err(refused("a file in the package says its size twice")),
                _ => {}
            }
        }
        Ok(())
    }

    fn of(&mut self, entry: &Entry<'_, impl Read>) -> Result<String, InspectError> {
        let name = self.next.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
        String::from_utf8(name).map_err(|_| refused("a name in the package is not UTF-8"))
    }
}

/// The folder at the top and the path below it; `None` for the folder itself.
fn place(name: &str, kind: EntryType) -> Result<Option<(String, String)>, InspectError> {
    let shown = || name.chars().take(200).collect::<String>();
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
        EntryType::Symlink | EntryType::Link => {
            return Err(refused(format!("{:?} is a link; a chart holds files only", shown())));
        }
        _ => return Err(refused(format!("{:?} is neither a file nor a folder", shown()))),
    }
    let name = name.strip_prefix("./").unwrap_or(name);
    // Packages made on Windows.
    let name = name.replace('\\', "/");
    if name.is_empty() && kind == EntryType::Directory {
        return Ok(None);
    }
    let bad = name.starts_with('/')
        || name.contains(char::is_control)
        || name.trim_end_matches('/').split('/').any(|part| matches!(part, "" | "." | "..") || part.ends_with(':'));
    if bad {
        return Err(refused(format!("{:?} is not a path inside a chart", shown())));
    }
    match name.trim_end_matches('/').split_once('/') {
        Some((folder, path)) => Ok(Some((folder.to_owned(), path.to_owned()))),
        None if kind == EntryType::Directory => Ok(None),
        None => Err(refused(format!("{:?} does not lie in the folder of the chart", shown()))),
    }
}

#[cfg(test)]
mod tests;
