//! Every request that is understood.

use std::fmt;
use std::str::FromStr;

use wharf_auth::{Access, Operation, Verb};
use wharf_types::{Digest, RepoName};

use crate::NAME;

/// One of the indexes of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel(String);

/// A text that names no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid channel {0:?}: 1 to 64 of lower-case letters, digits and '-'")]
pub struct InvalidChannel(String);

impl Channel {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Channel {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidChannel(text.chars().take(100).collect()))
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A form of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// Plain Ed25519 keys, one a line.
    Lines,
    /// OpenPGP, armored.
    Armored,
    /// OpenPGP packets.
    Binary,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Take a package into a channel.
    AddPackage {
        /// Repository.
        name: RepoName,
        /// Which index lists it.
        channel: Channel,
        /// Whether to answer when it does.
        wait: bool,
    },
    /// Read a package.
    ReadPackage {
        /// Repository.
        name: RepoName,
        /// Inside it.
        path: String,
    },
    /// Take a package out.
    RemovePackage {
        /// Repository.
        name: RepoName,
        /// Which index lists it.
        channel: Channel,
        /// Inside the repository.
        path: String,
        /// Whether to answer when the index lists it no more.
        wait: bool,
    },
    /// Read a file of the current index.
    ReadIndex {
        /// Repository.
        name: RepoName,
        /// Which index.
        channel: Channel,
        /// Which of its files.
        file: &'static str,
    },
    /// Read a file of any index that is kept.
    ReadIndexByHash {
        /// Repository.
        name: RepoName,
        /// Of the file.
        digest: Digest,
    },
    /// Read the keys that sign the indexes.
    ReadKeys {
        /// Repository.
        name: RepoName,
        /// In which form.
        form: KeyForm,
    },
    /// Read how to use the repository.
    ReadSetup {
        /// Repository.
        name: RepoName,
    },
}

impl Op {
    fn repository(&self) -> (&RepoName, Verb) {
        match self {
            Self::ReadKeys { name, .. } | Self::ReadSetup { name } => (name, Verb::View),
            Self::ReadPackage { name, .. } | Self::ReadIndex { name, .. } | Self::ReadIndexByHash { name, .. } => {
                (name, Verb::Pull)
            }
            Self::AddPackage { name, .. } => (name, Verb::Push),
            Self::RemovePackage { name, .. } => (name, Verb::Delete),
        }
    }
}

impl Operation for Op {
    fn name(&self) -> &'static str {
        match self {
            Self::AddPackage { .. } => "package.add",
            Self::ReadPackage { .. } => "package.read",
            Self::RemovePackage { .. } => "package.remove",
            Self::ReadIndex { .. } => "index.read",
            Self::ReadIndexByHash { .. } => "index.read-by-hash",
            Self::ReadKeys { .. } => "keys.read",
            Self::ReadSetup { .. } => "setup.read",
        }
    }

    fn access(&self) -> Access<'_> {
        let (name, verb) = self.repository();
        Access::Repository { format: NAME, name, verb }
    }
}
