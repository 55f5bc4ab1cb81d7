//! What a package file says of itself. Every byte of it is a stranger's.

mod archive;
mod bounds;
mod changes;
mod depend;
mod describe;
mod files;
mod identity;
mod payload;
mod signature;

use std::collections::BTreeMap;
use std::io::Read;

use rpm::{IndexTag, PackageMetadata};
use wharf_core::{Contents, InspectError};

pub(crate) use describe::{FILELISTS, OTHER, PRIMARY, filled};
use identity::Identity;
pub use identity::path_of;
pub(crate) use identity::place_of;
use signature::Signer;

/// What a package says before its payload.
pub(crate) struct Rpm {
    metadata: PackageMetadata,
    pub(crate) identity: Identity,
    /// Where its header lies, in bytes.
    header: std::ops::Range<u64>,
}

/// Reads a package to its end.
pub(crate) fn inspect(file: &mut dyn Read) -> Result<Contents, InspectError> {
    let (rpm, head) = read_head(file)?;
    let paths = files::all(&rpm.metadata)?.iter().map(|file| file.path().trim_start_matches('/').into()).collect();
    payload::check(file, &rpm.metadata, &head, &paths)?;
    rpm.contents()
}

/// Reads a package up to its payload.
pub(crate) fn read(file: &mut dyn Read) -> Result<Rpm, InspectError> {
    Ok(read_head(file)?.0)
}

fn read_head(file: &mut dyn Read) -> Result<(Rpm, bounds::Head), InspectError> {
    let head = bounds::read(file)?;
    let metadata = PackageMetadata::parse(&mut head.bytes.as_slice()).map_err(unreadable)?;
    let identity = Identity::read(&metadata)?;
    let header = head.header_start as u64..head.bytes.len() as u64;
    Ok((Rpm { metadata, identity, header }, head))
}

impl Rpm {
    /// Who has signed it.
    pub(crate) fn signers(&self) -> Vec<Signer> {
        signature::signers(&self.metadata)
    }

    /// The source package it was built from; empty if it is one.
    pub(crate) fn source(&self) -> Result<String, InspectError> {
        text(&self.metadata, IndexTag::RPMTAG_SOURCERPM)
    }

    fn contents(&self) -> Result<Contents, InspectError> {
        let depends = depend::all(&self.metadata)?;
        let files = files::all(&self.metadata)?;
        let requires = depend::needed(&depends, &files);
        let fragments = BTreeMap::from([
            (describe::PRIMARY.to_owned(), describe::primary(self, &depends, &requires, &files)?),
            (describe::FILELISTS.to_owned(), describe::filelists(self, &files)),
            (describe::OTHER.to_owned(), describe::other(self, &changes::newest(&self.metadata)?)),
        ]);
        Ok(Contents {
            name: self.identity.name.clone(),
            version: self.identity.evr(),
            architecture: self.identity.arch.clone(),
            depends: requires.iter().map(|entry| entry.name.clone()).collect(),
            path: self.identity.path(),
            fragments,
            part: Some(String::new()),
            ..Contents::default()
        })
    }
}

pub(crate) fn refused(why: impl Into<String>) -> InspectError {
    InspectError(why.into())
}

fn unreadable(error: rpm::Error) -> InspectError {
    refused(format!("its header cannot be read: {error}"))
}

/// What is not there is `None`.
fn optional<T>(found: Result<T, rpm::Error>) -> Result<Option<T>, InspectError> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(rpm::Error::TagNotFound(_)) => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

/// A text, translated or not; empty if it is not there.
fn text(metadata: &PackageMetadata, tag: IndexTag) -> Result<String, InspectError> {
    let header = &metadata.header;
    let found = match header.get_entry_data_as_i18n_string(tag) {
        Err(rpm::Error::UnexpectedTagDataType { .. }) => header.get_entry_data_as_string(tag),
        found => found,
    };
    Ok(optional(found)?.unwrap_or_default().to_owned())
}

/// A number of either width; 0 if it is not there.
fn number(metadata: &PackageMetadata, tags: &[IndexTag]) -> u64 {
    let header = &metadata.header;
    let read = |tag: &IndexTag| {
        let wide = header.get_entry_data_as_u64(*tag);
        wide.ok().or_else(|| header.get_entry_data_as_u32(*tag).ok().map(u64::from))
    };
    tags.iter().find_map(read).unwrap_or_default()
}

#[cfg(test)]
mod tests;
