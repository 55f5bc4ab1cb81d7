//! Every request that is understood.

use wharf_auth::{Access, Operation, Verb};
use wharf_types::{Digest, RepoName};

use crate::NAME;
use crate::extra::Extra;

/// Whose way of answering an upload is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Our own.
    Own,
    /// Of Gitea and Forgejo.
    Gitea,
    /// Of Nexus.
    Nexus,
    /// Of Nexus's components API: the package is a part of a form.
    Form,
    /// Of Artifactory.
    Artifactory,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Take a package in.
    AddPackage {
        /// Repository.
        name: RepoName,
        /// How to answer.
        dialect: Dialect,
        /// Whether to answer when the metadata list it.
        wait: bool,
    },
    /// Read a package.
    ReadPackage {
        /// Repository.
        name: RepoName,
        /// Inside it.
        path: String,
    },
    /// Read what a package says of itself, and who has signed it.
    DescribePackage {
        /// Repository.
        name: RepoName,
        /// Inside it.
        path: String,
    },
    /// Take a package out.
    RemovePackage {
        /// Repository.
        name: RepoName,
        /// Inside it.
        path: String,
        /// Whether to answer when the metadata list it no more.
        wait: bool,
    },
    /// Take in what stands beside the packages: advisories, groups, modules.
    AddExtra {
        /// Repository.
        name: RepoName,
        /// What of them.
        extra: Extra,
        /// What its uploader calls it.
        called: Option<String>,
        /// Whether to answer when the metadata say it.
        wait: bool,
    },
    /// Take in an advisory about packages of the repository.
    AddAdvisory {
        /// Repository.
        name: RepoName,
        /// Whether to answer when the metadata say it.
        wait: bool,
    },
    /// Take such a thing out.
    RemoveExtra {
        /// Repository.
        name: RepoName,
        /// What of them.
        extra: Extra,
        /// Which, by its own name.
        id: String,
        /// Whether to answer when the metadata say it no more.
        wait: bool,
    },
    /// Nothing: metadata are always written anew.
    Reindex {
        /// Repository.
        name: RepoName,
    },
    /// Read a file of the current metadata.
    ReadIndex {
        /// Repository.
        name: RepoName,
        /// Which of the files.
        file: &'static str,
    },
    /// Read a file of any metadata that are kept.
    ReadIndexByHash {
        /// Repository.
        name: RepoName,
        /// Of the file.
        digest: Digest,
        /// What its name says behind the digest.
        file: String,
    },
    /// Read where the current metadata stay as they are.
    ReadMirrorList {
        /// Repository.
        name: RepoName,
        /// Which repomd.xml.
        file: &'static str,
    },
    /// Read a repomd.xml that may have been current before.
    ReadRepomdAt {
        /// Repository.
        name: RepoName,
        /// Of the repomd.xml.
        digest: Digest,
    },
    /// Read the signature of such a repomd.xml.
    ReadSignatureAt {
        /// Repository.
        name: RepoName,
        /// Of the repomd.xml.
        digest: Digest,
    },
    /// Read the keys that sign the metadata.
    ReadKeys {
        /// Repository.
        name: RepoName,
    },
    /// Read what its owner says of a repository.
    ReadSettings {
        /// Repository.
        name: RepoName,
    },
    /// Say it anew, or forget it.
    WriteSettings {
        /// Repository.
        name: RepoName,
        /// Whether nothing is said any more.
        forget: bool,
    },
    /// Read how to use the repository.
    ReadSetup {
        /// Repository.
        name: RepoName,
    },
    /// Read the file that dnf wants of a repository.
    ReadRepoFile {
        /// Repository.
        name: RepoName,
    },
}

impl Op {
    fn repository(&self) -> (&RepoName, Verb) {
        match self {
            Self::ReadRepoFile { name }
            | Self::ReadKeys { name }
            | Self::ReadSetup { name }
            | Self::ReadSettings { name } => (name, Verb::View),
            Self::WriteSettings { name, .. } => (name, Verb::Configure),
            Self::ReadPackage { name, .. }
            | Self::DescribePackage { name, .. }
            | Self::ReadIndex { name, .. }
            | Self::ReadMirrorList { name, .. }
            | Self::ReadRepomdAt { name, .. }
            | Self::ReadSignatureAt { name, .. }
            | Self::ReadIndexByHash { name, .. } => (name, Verb::Pull),
            Self::AddPackage { name, .. }
            | Self::AddExtra { name, .. }
            | Self::AddAdvisory { name, .. }
            | Self::Reindex { name } => (name, Verb::Push),
            Self::RemovePackage { name, .. } | Self::RemoveExtra { name, .. } => (name, Verb::Delete),
        }
    }
}

impl Operation for Op {
    fn name(&self) -> &'static str {
        match self {
            Self::AddPackage { .. } => "package.add",
            Self::ReadPackage { .. } => "package.read",
            Self::DescribePackage { .. } => "package.describe",
            Self::RemovePackage { .. } => "package.remove",
            Self::AddExtra { .. } => "metadata.add",
            Self::AddAdvisory { .. } => "advisory.add",
            Self::RemoveExtra { .. } => "metadata.remove",
            Self::Reindex { .. } => "index.ask",
            Self::ReadIndex { .. } => "index.read",
            Self::ReadIndexByHash { .. } => "index.read-by-hash",
            Self::ReadMirrorList { .. } => "mirror-list.read",
            Self::ReadRepomdAt { .. } => "index.read-at",
            Self::ReadSignatureAt { .. } => "signature.read-at",
            Self::ReadKeys { .. } => "keys.read",
            Self::ReadSettings { .. } => "settings.read",
            Self::WriteSettings { .. } => "settings.write",
            Self::ReadSetup { .. } => "setup.read",
            Self::ReadRepoFile { .. } => "repo-file.read",
        }
    }

    /// What stands beside the packages is kept as they are.
    fn action(&self) -> &'static str {
        match self {
            Self::AddExtra { .. } | Self::AddAdvisory { .. } => "package.add",
            Self::RemoveExtra { .. } => "package.remove",
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
            Self::ReadPackage { path, .. } | Self::RemovePackage { path, .. } => Some(path.as_str()),
            Self::RemoveExtra { id, .. } => Some(id.as_str()),
            _ => None,
        };
        (subject, None)
    }
}
