//! Who asks, and by which credential.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use wharf_types::{ProjectName, SubjectName, Timestamp};

use crate::account::Account;
use crate::limit::Limit;
use crate::scope::Scope;
use crate::{ServerRole, secret};

/// What a client showed.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// No credential.
    Nothing,
    /// HTTP Basic. The password may be a password, a personal token or a robot's secret.
    Basic {
        /// The name before the colon.
        user: &'a str,
        /// What follows it.
        password: &'a str,
    },
    /// HTTP Bearer: a registry token of ours, or a personal token or robot's secret as it is.
    Bearer(&'a str),
}

impl Presented<'_> {
    /// What kind of credential it is, in words for the audit log, with the part of a token that may be shown.
    pub fn kind(&self) -> String {
        let token = |text: &str| format!("token {}…", secret::hint(text));
        match self {
            Self::Nothing => "anonymous".to_owned(),
            Self::Bearer(text) if secret::is_secret(text) => token(text),
            Self::Bearer(_) => "registry token".to_owned(),
            Self::Basic { password, .. } if secret::is_secret(password) => token(password),
            Self::Basic { .. } => "password".to_owned(),
        }
    }
}

impl fmt::Debug for Presented<'_> {
    // Secrets stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Basic { user, .. } => f.debug_struct("Basic").field("user", user).finish_non_exhaustive(),
            Self::Bearer(_) => f.write_str("Bearer(…)"),
        }
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Nobody in particular.
    Anonymous,
    /// The server itself, in the named job.
    System(&'static str),
    /// A person.
    User {
        /// Surrogate key.
        id: i64,
        /// Its name.
        name: SubjectName,
    },
    /// A program.
    Robot {
        /// Surrogate key.
        id: i64,
        /// Its name, `<project>+<name>` or `server+<name>`.
        name: SubjectName,
        /// The project it belongs to; none for a server-wide robot.
        project: Option<ProjectName>,
    },
}

impl Subject {
    /// The surrogate key of a user or robot.
    pub fn id(&self) -> Option<i64> {
        match self {
            Self::Anonymous | Self::System(_) => None,
            Self::User { id, .. } | Self::Robot { id, .. } => Some(*id),
        }
    }

    /// The name for logs and the audit log: `anonymous` and `system:<job>` where there is no account.
    pub fn name(&self) -> String {
        match self {
            Self::User { name, .. } | Self::Robot { name, .. } => name.as_str().to_owned(),
            Self::Anonymous | Self::System(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::System(job) => write!(f, "system:{job}"),
            Self::User { name, .. } | Self::Robot { name, .. } => write!(f, "{name}"),
        }
    }
}

/// By what somebody proved who they are. Never holds the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    Anonymous,
    System,
    Password,
    /// A personal token or robot's secret: its row, and the part of it that may be shown.
    Token {
        id: i64,
        hint: Arc<str>,
    },
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::System => f.write_str("system"),
            Self::Password => f.write_str("password"),
            Self::Token { hint, .. } => write!(f, "token {hint}…"),
        }
    }
}

/// At most what an identity may do, whatever its grants say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cap {
    /// The scopes of a registry token; none of these limits without one.
    pub(crate) scopes: Option<Arc<[Scope]>>,
    /// The limits of the personal token behind it.
    pub(crate) limits: Option<Arc<[Limit]>>,
}

/// Somebody who proved who they are, for the length of one request.
#[derive(Clone)]
pub struct Identity {
    pub(crate) who: Who,
    pub(crate) credential: Credential,
    pub(crate) cap: Cap,
    /// The state of identities that `who` was read in, and when.
    pub(crate) epoch: i64,
    pub(crate) at: Timestamp,
    pub(crate) fresh: bool,
}

/// An account with one of its credentials, small enough to count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    subject: Option<i64>,
    token: Option<i64>,
    by_registry_token: bool,
}

/// Where the subject comes from.
#[derive(Clone)]
pub(crate) enum Who {
    Nobody,
    System(Subject),
    Account(Arc<Account>),
}

impl Identity {
    /// Who it is.
    pub fn subject(&self) -> &Subject {
        match &self.who {
            Who::Nobody => &Subject::Anonymous,
            Who::System(subject) => subject,
            Who::Account(account) => &account.subject,
        }
    }

    /// By what, in words for the audit log: `password`, `token wft_ab12…`, `registry token by password`, `anonymous`.
    pub fn credential(&self) -> String {
        match self.cap.scopes {
            Some(_) => format!("registry token by {}", self.credential),
            None => self.credential.to_string(),
        }
    }

    /// Who it is and by what, to tell from others.
    pub fn caller(&self) -> Caller {
        let token = match &self.credential {
            Credential::Token { id, .. } => Some(*id),
            Credential::Anonymous | Credential::System | Credential::Password => None,
        };
        Caller { subject: self.subject().id(), token, by_registry_token: self.cap.scopes.is_some() }
    }

    /// Whether it was shown by a registry token, which nobody in particular may have too.
    pub fn has_registry_token(&self) -> bool {
        self.cap.scopes.is_some()
    }

    /// Whether the credential was checked just now and not remembered from an earlier request: then this is a login.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Nobody in particular, for what is written down about a request whose sender was never found out.
    pub fn nobody(at: Timestamp) -> Self {
        let (who, credential, cap) = (Who::Nobody, Credential::Anonymous, Cap::default());
        Self { who, credential, cap, epoch: 0, at, fresh: false }
    }

    /// Whether nobody signed in.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.who, Who::Nobody)
    }

    /// Whether the credential stands for all that its owner may do: neither a registry token nor a limited personal token.
    pub fn is_whole(&self) -> bool {
        self.cap.scopes.is_none() && self.cap.limits.is_none() && !self.is_anonymous()
    }

    /// Whether it may do everything anyway, so that no grant need be made for it.
    pub fn is_administrator(&self) -> bool {
        self.account().is_some_and(|account| account.server_roles.contains(&ServerRole::Administrator))
    }

    pub(crate) fn account(&self) -> Option<&Arc<Account>> {
        match &self.who {
            Who::Account(account) => Some(account),
            Who::Nobody | Who::System(_) => None,
        }
    }

    /// The server itself, in a job, a command on the server's own machine or the start.
    pub fn system(job: &'static str) -> Self {
        Self {
            who: Who::System(Subject::System(job)),
            credential: Credential::System,
            cap: Cap::default(),
            epoch: 0,
            at: Timestamp::default(),
            fresh: false,
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", self.subject())
            .field("credential", &self.credential())
            .finish_non_exhaustive()
    }
}

/// Where a change was asked from, for the audit log.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The request.
    pub request_id: Option<String>,
}
