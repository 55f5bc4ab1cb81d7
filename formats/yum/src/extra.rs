//! What stands beside the packages of a repository: advisories, groups of packages, modules. Each is kept in parts that come and go by
//! themselves, as packages do: an advisory, a file of groups, a document of modules.

pub(crate) mod advisory;
mod groups;
mod modules;
pub(crate) mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use sha2::{Digest, Sha256};
use wharf_core::{Contents, InspectError};

use crate::package::refused;

/// Most bytes of one part.
const LARGEST: u64 = 16 << 20;
/// The kind of their fragments.
pub(crate) const KIND: &str = "extra";

/// What of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// Of `updateinfo.xml`.
    Advisory,
    /// Of `comps.xml`.
    Groups,
    /// Of `modules.yaml`.
    Module,
}

impl Extra {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Advisory, Self::Groups, Self::Module];

    /// The part of the repository that lists them, and their folder.
    pub(crate) fn part(self) -> &'static str {
        match self {
            Self::Advisory => "updateinfo",
            Self::Groups => "comps",
            Self::Module => "modules",
        }
    }

    /// The file that clients read.
    pub fn file(self) -> &'static str {
        match self {
            Self::Advisory => "updateinfo.xml",
            Self::Groups => "comps.xml",
            Self::Module => "modules.yaml",
        }
    }

    pub(crate) fn of_part(part: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extra| extra.part() == part)
    }

    pub(crate) fn of_file(file: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extra| extra.file() == file)
    }

    /// What stands before and behind them in their file.
    pub(crate) fn frame(self) -> (&'static str, &'static str) {
        match self {
            Self::Advisory => ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n", "</updates>\n"),
            Self::Groups => ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<comps>\n", "</comps>\n"),
            Self::Module => ("", ""),
        }
    }

    /// The parts of a file that somebody has made of many.
    pub(crate) fn split(self, text: &str) -> Result<Vec<String>, InspectError> {
        match self {
            Self::Advisory => xml::children(text, "updates", Some("update")),
            Self::Groups => Ok(vec![text.to_owned()]),
            Self::Module => Ok(modules::documents(text)),
        }
    }

    /// Whether a file of this kind says all that another one says, in the same words.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn covers(self, all: &str, some: &str) -> Result<bool, InspectError> {
        let parts = |text| match self {
            Self::Groups => xml::children(text, "comps", None),
            _ => self.split(text),
        };
        let all = parts(all)?;
        let known: BTreeSet<&str> = all.iter().map(|part| part.trim()).collect();
        Ok(parts(some)?.iter().all(|part| known.contains(part.trim())))
    }

    /// What all parts of this name begin with. A new one is written beside the old, so that there is always one.
    pub(crate) fn prefix(self, id: &str) -> String {
        format!("{}/{id}@", self.part())
    }
}

/// What one part says of itself.
struct Said {
    id: String,
    version: String,
    fragment: String,
}

/// Reads one part. `name` is what its uploader calls it, where it has no name of its own.
pub(crate) fn inspect(extra: Extra, name: Option<&str>, file: &mut dyn Read) -> Result<Contents, InspectError> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| refused(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(refused(format!("it has more than {} MiB", LARGEST >> 20)));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| refused("it is not UTF-8"))?;
    let Said { id, version, fragment } = match extra {
        Extra::Advisory => advisory::read(text)?,
        Extra::Groups => groups::read(text, name.unwrap_or("comps"))?,
        Extra::Module => modules::read(text)?,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+:~^-".contains(c);
    if id.len() > 200 || !id.starts_with(|c: char| c.is_ascii_alphanumeric()) || !id.chars().all(plain) {
        let shown: String = id.chars().take(100).collect();
        return Err(refused(format!(
            "its name is {shown:?}: it must be up to 200 letters, digits and some of '._+:~^-'"
        )));
    }
    let digest = hex::encode(Sha256::digest(&bytes));
    let path = format!("{}{}", extra.prefix(&id), &digest[..16]);
    Ok(Contents {
        name: id,
        version,
        sorts_as: Some(path.clone()),
        path,
        fragments: BTreeMap::from([(KIND.to_owned(), fragment.into_bytes())]),
        part: Some(extra.part().to_owned()),
        ..Contents::default()
    })
}

#[cfg(test)]
mod tests;
