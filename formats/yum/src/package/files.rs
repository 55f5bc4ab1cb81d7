//! The files of a package.

use rpm::{IndexTag, PackageMetadata};
use wharf_core::InspectError;

use super::{optional, refused, unreadable};

/// The bits of a mode that say what a file is, and those of a folder (`stat`).
const KIND: u16 = 0o170_000;
const FOLDER: u16 = 0o040_000;
/// `RPMFILE_GHOST`: it belongs to the package, but is not in its payload.
const GHOST: u32 = 1 << 6;

/// A file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File<'a> {
    folder: &'a str,
    name: &'a str,
    /// `dir`, `ghost`, or nothing for all others.
    pub(super) kind: Option<&'static str>,
}

impl File<'_> {
    /// Its whole path; of a source package it is its name.
    pub(super) fn path(&self) -> String {
        format!("{}{}", self.folder, self.name)
    }

    /// Whether it lies below the root by a path that leads nowhere else; the files of a source package lie in no folder.
    fn lies_well(&self, source: bool) -> bool {
        let rooted = self.folder.starts_with('/') && self.folder.ends_with('/');
        let folder = if self.folder.is_empty() { source } else { rooted };
        let climbs = self.folder.split('/').chain([self.name]).any(|part| matches!(part, "." | ".."));
        folder && !climbs && !self.name.contains('/')
    }
}

#[cfg(test)]
impl<'a> File<'a> {
    pub(super) fn plain(folder: &'a str, name: &'a str) -> Self {
        Self { folder, name, kind: None }
    }
}

pub(super) fn all(metadata: &PackageMetadata) -> Result<Vec<File<'_>>, InspectError> {
    let header = &metadata.header;
    let paths = metadata.get_file_paths_split().map_err(unreadable)?;
    let flags = optional(header.get_entry_data_as_u32_array(IndexTag::RPMTAG_FILEFLAGS))?.unwrap_or_default();
    let modes = optional(header.get_entry_data_as_u16_array(IndexTag::RPMTAG_FILEMODES))?.unwrap_or_default();
    let kind = |at: usize| {
        let is_folder = modes.get(at).is_some_and(|mode| mode & KIND == FOLDER);
        let is_ghost = flags.get(at).is_some_and(|flags| flags & GHOST != 0);
        if is_folder { Some("dir") } else { is_ghost.then_some("ghost") }
    };
    let file = |(at, (folder, name)): (usize, (_, _))| File { folder, name, kind: kind(at) };
    let files: Vec<_> = paths.into_iter().enumerate().map(file).collect();
    match files.iter().find(|file| !file.lies_well(metadata.is_source_package())) {
        Some(file) => {
            Err(refused(format!("its header names a file {:?}, which is not a path from the root", file.path())))
        }
        None => Ok(files),
    }
}

/// Whether a file is named where all clients look and not only in the long list: what others are most likely to need by its path.
pub(super) fn is_primary(path: &str) -> bool {
    path.starts_with("/etc/") || path.contains("bin/") || path == "/usr/lib/sendmail"
}
