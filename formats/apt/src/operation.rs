//! Every request that is understood.

use wharf_auth::{Access, Operation, Verb};
use wharf_types::{Digest, RepoName};

use crate::NAME;
use crate::name::{Component, Distribution};

/// A part of a distribution: where a package is listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The distribution.
    pub distribution: Distribution,
    /// The component.
    pub component: Component,
}

/// A package by what it is called; the architecture of a source is `source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
}

/// How an upload is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// In plain text, at once unless the request says `wait=1`.
    Own,
    /// As Gitea does it: when the index lists the package.
    Gitea,
    /// As Nexus does it: the same.
    Nexus,
    /// As Nexus's components API does it: the package is a part of a form, and there is nothing to say.
    Form,
    /// As GitLab does it: JSON, and a package that names no distribution waits for its .changes.
    GitLab,
    /// As Artifactory does it: JSON about the file.
    Artifactory,
}

/// A file that comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where it is to be listed; empty is where the repository says.
    pub spots: Vec<Spot>,
    /// What the request calls it; empty if it does not.
    pub file_name: String,
    /// For which architectures the request says it is; empty is any.
    pub architectures: Vec<String>,
    /// What the request says that it hashes to.
    pub digest: Option<Digest>,
    /// Whether to answer when the index lists it.
    pub wait: bool,
    /// How to answer.
    pub dialect: Dialect,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Take a file into distributions.
    Add {
        /// Repository.
        name: RepoName,
        /// What and where.
        upload: Upload,
    },
    /// Take a file that a .changes will name, or that .changes.
    Receive {
        /// Repository.
        name: RepoName,
        /// What the client calls it.
        file_name: String,
        /// Whether to answer when the index lists what it brings.
        wait: bool,
    },
    /// Read a file of the pool.
    ReadFile {
        /// Repository.
        name: RepoName,
        /// Inside it.
        path: String,
    },
    /// Take a file of the pool out of all distributions.
    RemoveFile {
        /// Repository.
        name: RepoName,
        /// Inside it.
        path: String,
        /// Whether to answer when no index lists it any more.
        wait: bool,
    },
    /// Take a package out of one distribution.
    Remove {
        /// Repository.
        name: RepoName,
        /// From where.
        spot: Spot,
        /// What.
        called: Called,
        /// Whether to answer when the index does not list it any more.
        wait: bool,
    },
    /// List a package of one distribution in another.
    Copy {
        /// Repository.
        name: RepoName,
        /// From where.
        spot: Spot,
        /// What.
        called: Called,
        /// Where to.
        to: Spot,
        /// Whether to answer when the index lists it.
        wait: bool,
    },
    /// Read a file of a distribution's current index.
    ReadIndex {
        /// Repository.
        name: RepoName,
        /// Whose index.
        distribution: Distribution,
        /// Which of its files.
        file: String,
    },
    /// Read the public keys that sign the indexes.
    ReadKeys {
        /// Repository.
        name: RepoName,
        /// As text, or as packets.
        armored: bool,
    },
    /// Read what was said of a repository, or of a distribution.
    ReadSettings {
        /// Repository.
        name: RepoName,
        /// Of which distribution; `None` is of the repository.
        distribution: Option<Distribution>,
    },
    /// Say it anew, or forget it.
    WriteSettings {
        /// Repository.
        name: RepoName,
        /// Of which distribution; `None` is of the repository.
        distribution: Option<Distribution>,
        /// Whether nothing is said any more.
        forget: bool,
        /// Whether to answer when the index shows it.
        wait: bool,
    },
    /// Read how to use the repository.
    ReadSetup {
        /// Repository.
        name: RepoName,
    },
    /// Read a file of any index that is kept.
    ReadIndexByHash {
        /// Repository.
        name: RepoName,
        /// Of the file.
        digest: Digest,
    },
}

impl Op {
    fn repository(&self) -> (&RepoName, Verb) {
        match self {
            Self::ReadFile { name, .. } | Self::ReadIndex { name, .. } | Self::ReadIndexByHash { name, .. } => {
                (name, Verb::Pull)
            }
            Self::Add { name, .. } | Self::Receive { name, .. } | Self::Copy { name, .. } => (name, Verb::Push),
            Self::ReadSettings { name, .. } | Self::ReadKeys { name, .. } | Self::ReadSetup { name } => {
                (name, Verb::View)
            }
            Self::WriteSettings { name, .. } => (name, Verb::Configure),
            Self::RemoveFile { name, .. } | Self::Remove { name, .. } => (name, Verb::Delete),
        }
    }
}

impl Operation for Op {
    fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "package.add",
            Self::Receive { .. } => "upload.receive",
            Self::ReadFile { .. } => "package.read",
            Self::RemoveFile { .. } => "file.remove",
            Self::Remove { .. } => "package.remove",
            Self::Copy { .. } => "package.copy",
            Self::ReadIndex { .. } => "index.read",
            Self::ReadIndexByHash { .. } => "index.read-by-hash",
            Self::ReadKeys { .. } => "keys.read",
            Self::ReadSetup { .. } => "setup.read",
            Self::ReadSettings { .. } => "settings.read",
            Self::WriteSettings { .. } => "settings.write",
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::Receive { .. } => "package.add",
            Self::RemoveFile { .. } => "package.remove",
            Self::Copy { .. } => "package.place",
            Self::WriteSettings { .. } => "settings.set",
            other => other.name(),
        }
    }

    fn access(&self) -> Access<'_> {
        let (name, verb) = self.repository();
        Access::Repository { format: NAME, name, verb }
    }
    fn about(&self) -> (Option<&str>, Option<Digest>) {
        let subject = match self {
            Self::ReadFile { path, .. } | Self::RemoveFile { path, .. } => Some(path.as_str()),
            Self::Remove { called, .. } => Some(called.name.as_str()),
            _ => None,
        };
        (subject, None)
    }
}
