//! What an operation asks for.

use std::fmt;

use serde::{Deserialize, Serialize};
use wharf_types::{Digest, FormatName, ProjectName, RepoName};

/// What may be done with a project or a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// See that it exists, its tags and its metadata.
    View,
    /// Read content.
    Pull,
    /// Add content and move tags.
    Push,
    /// Remove content and tags.
    Delete,
    /// Tag rules and settings.
    Configure,
    /// Members, robots, visibility, deleting the whole.
    Govern,
    /// Read who did what.
    ReadAudit,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 7] =
        [Self::View, Self::Pull, Self::Push, Self::Delete, Self::Configure, Self::Govern, Self::ReadAudit];

    /// The verb as texts, scopes of tokens and the audit log write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::Configure => "configure",
            Self::Govern => "govern",
            Self::ReadAudit => "read-audit",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What may be done with the server as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerVerb {
    /// Create and change users, groups, server-wide robots and server roles.
    ManageIdentities,
    /// See users, groups and robots.
    ListIdentities,
    /// Change what belongs to no project: mirrors, collection, keys.
    ManageServer,
    /// See the state of the server: jobs, storage, settings.
    InspectServer,
    /// Read the audit log of everything.
    ReadAudit,
    /// Create projects.
    CreateProject,
}

impl ServerVerb {
    /// Every verb.
    pub const ALL: [Self; 6] = [
        Self::ManageIdentities,
        Self::ListIdentities,
        Self::ManageServer,
        Self::InspectServer,
        Self::ReadAudit,
        Self::CreateProject,
    ];

    /// The verb in words, to follow "may not".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ManageIdentities => "manage identities",
            Self::ListIdentities => "list identities",
            Self::ManageServer => "manage the server",
            Self::InspectServer => "inspect the server",
            Self::ReadAudit => "read the audit log of the server",
            Self::CreateProject => "create projects",
        }
    }
}

impl fmt::Display for ServerVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an operation needs of the one who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access<'a> {
    /// Nothing.
    Anyone,
    /// To be somebody. A registry token is enough, whatever its scope: this is the ping of `/v2/`.
    SignedIn,
    /// To be somebody, by password or by a token without limits: what concerns the caller's own account and its credentials.
    OwnAccount,
    /// A listing of repositories across projects, filtered by [`Auth::visibility`](crate::Auth::visibility). Anonymous callers
    /// are asked to sign in, or to fetch an anonymous token, so that clients with a password use it.
    Catalog,
    /// Something about the server as a whole.
    Server(ServerVerb),
    /// Something about a project as a whole.
    Project {
        /// The project, which need not exist.
        project: &'a ProjectName,
        /// What is to be done.
        verb: Verb,
    },
    /// Something about one repository.
    Repository {
        /// The format it is of.
        format: FormatName,
        /// The repository, which need not exist.
        name: &'a RepoName,
        /// What is to be done.
        verb: Verb,
    },
}

/// A request that was understood. One enum value is at once route, access check, metric label and audit verb.
pub trait Operation: Send + Sync {
    /// A short constant name: metric label.
    fn name(&self) -> &'static str;

    /// What the audit log calls it, done or not.
    fn action(&self) -> &'static str {
        self.name()
    }

    /// What it needs.
    fn access(&self) -> Access<'_>;

    /// What inside the repository it is about, for the audit log: a tag, path or name, and content.
    fn about(&self) -> (Option<&str>, Option<Digest>) {
        (None, None)
    }
}
