//! A user or robot with everything authorization asks about it, as one transaction read it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use wharf_types::{ProjectName, Timestamp};

use crate::identity::Credential;
use crate::limit::Limit;
use crate::proof::Proven;
use crate::{Pattern, Role, ServerRole, ServerVerb, Subject, Verb};

/// What is known about a user or robot in one state of identities.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) subject: Subject,
    /// Drawn anew when sessions must end; what they were made from is compared with it.
    pub(crate) generation: i64,
    pub(crate) disabled: bool,
    /// PHC string, or a bcrypt hash as it was imported.
    pub(crate) password: Option<String>,
    pub(crate) proven: Proven,
    pub(crate) server_roles: Vec<ServerRole>,
    /// Own grants and those through groups.
    pub(crate) grants: HashMap<ProjectName, Vec<Grant>>,
    pub(crate) tokens: HashMap<i64, Token>,
    /// The state of identities this was read in.
    pub(crate) epoch: i64,
    pub(crate) touched: Touched,
}

/// A role on the repositories of a project that match a pattern.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) pattern: Pattern,
    pub(crate) role: Role,
}

/// A personal token or robot's secret.
#[derive(Debug)]
pub(crate) struct Token {
    /// Follows from the secret, so a token that is named again after its row was reused does not match.
    pub(crate) generation: i64,
    pub(crate) hint: Arc<str>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) limits: Option<Arc<[Limit]>>,
    pub(crate) touched: Touched,
}

impl Account {
    /// Whether a credential that was good when the account was at `generation` still is.
    pub(crate) fn honours(&self, credential: &Credential, generation: i64, now: Timestamp) -> bool {
        match credential {
            Credential::Password => self.generation == generation,
            Credential::Token { id, .. } => {
                self.tokens.get(id).is_some_and(|token| token.expires_at.is_none_or(|end| end > now))
            }
            Credential::Anonymous | Credential::System => true,
        }
    }

    /// Whether a server role allows `verb`.
    pub(crate) fn may_on_server(&self, verb: ServerVerb) -> bool {
        self.server_roles.iter().any(|role| role.verbs().contains(&verb))
    }

    /// Whether a server role allows `verb` on whatever project there is.
    pub(crate) fn may_everywhere(&self, verb: Verb) -> bool {
        self.server_roles.iter().any(|role| role.verbs_everywhere().contains(&verb))
    }

    /// Whether a grant allows `verb` on the repository at `path` of `project`.
    pub(crate) fn may_on_path(&self, project: &ProjectName, path: &str, verb: Verb) -> bool {
        self.grants_on(project).iter().any(|grant| grant.role.allows(verb) && grant.pattern.matches(path))
    }

    /// Whether a grant allows `verb` on the project. A grant on a part of it is enough to see it, and nothing else.
    pub(crate) fn may_on_project(&self, project: &ProjectName, verb: Verb) -> bool {
        self.grants_on(project)
            .iter()
            .any(|grant| verb == Verb::View || grant.pattern.is_all() && grant.role.allows(verb))
    }

    /// The best role that grants give on `path`, or on the whole project.
    pub(crate) fn role_on(&self, project: &ProjectName, path: Option<&str>) -> Option<Role> {
        let fits = |grant: &&Grant| path.map_or_else(|| grant.pattern.is_all(), |path| grant.pattern.matches(path));
        self.grants_on(project).iter().filter(fits).map(|grant| grant.role).max()
    }

    fn grants_on(&self, project: &ProjectName) -> &[Grant] {
        self.grants.get(project).map_or(&[], Vec::as_slice)
    }
}

/// When something was last seen in use, to a few seconds.
#[derive(Debug, Default)]
pub(crate) struct Touched(AtomicI64);

impl Touched {
    /// Uses within this time of a noted one are not noted.
    const PAUSE_MILLIS: i64 = 5_000;

    /// Notes a use; true if that is worth writing down.
    pub(crate) fn now(&self, now: Timestamp) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        let due = (now.as_millis().saturating_sub(last)).abs() >= Self::PAUSE_MILLIS;
        due && self.0.compare_exchange(last, now.as_millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
