//! The scopes of registry tokens (the token specification of the Docker registry).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wharf_types::{FormatName, RepoName};

use crate::Verb;

/// More scopes than this in one token are ignored: its text must fit into a header.
const MOST_SCOPES: usize = 64;

/// What a registry token may be used for, at most: `repository:team/app:pull,push`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    resource: Resource,
    actions: Actions,
}

/// What a scope is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Resource {
    /// `repository:<name>` of the OCI format; `repository(<format>):<name>` of another.
    Repository { format: Option<String>, name: RepoName },
    /// `registry:catalog`.
    Catalog,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Actions {
    pull: bool,
    push: bool,
    delete: bool,
    all: bool,
}

/// The format whose repositories need no class. `image` and `plugin` are Docker's classes for it.
const PLAIN_FORMAT: &str = "oci";
const PLAIN_CLASSES: [&str; 3] = ["image", "plugin", PLAIN_FORMAT];

/// The scopes in a text: several are separated by spaces, unknown and malformed ones are left out, as the specification says.
pub fn parse_scope(text: &str) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = Vec::new();
    for scope in text.split_whitespace().filter_map(Scope::parse) {
        let room = scopes.len() < MOST_SCOPES;
        match scopes.iter_mut().find(|known| known.resource == scope.resource) {
            Some(known) => known.actions.add(scope.actions),
            None if room => scopes.push(scope),
            None => break,
        }
    }
    scopes
}

impl Scope {
    /// What a token must cover for `verb` on a repository; `None` if registry tokens are not for this verb.
    pub fn needed(format: FormatName, name: &RepoName, verb: Verb) -> Option<Self> {
        let actions = match verb {
            Verb::View | Verb::Pull => Actions { pull: true, ..Actions::default() },
            // Clients that push also ask what is there already.
            Verb::Push => Actions { pull: true, push: true, ..Actions::default() },
            Verb::Delete => Actions { delete: true, ..Actions::default() },
            Verb::Configure | Verb::Govern | Verb::ReadAudit => return None,
        };
        let format = (format.as_str() != PLAIN_FORMAT).then(|| format.as_str().to_owned());
        Some(Self { resource: Resource::Repository { format, name: name.clone() }, actions })
    }

    /// What a token must cover to list repositories.
    pub fn catalog() -> Self {
        Self { resource: Resource::Catalog, actions: Actions { all: true, ..Actions::default() } }
    }

    /// Whether a token with this scope may do `verb` on a repository.
    pub fn covers(&self, format: FormatName, name: &RepoName, verb: Verb) -> bool {
        let Resource::Repository { format: class, name: own } = &self.resource else { return false };
        own == name && class.as_deref().unwrap_or(PLAIN_FORMAT) == format.as_str() && self.actions.cover(verb)
    }

    /// Whether a token with this scope may list repositories.
    pub fn covers_catalog(&self) -> bool {
        self.resource == Resource::Catalog && self.actions.all
    }

    /// The part of this scope that `others` cover too, for a token made from a token.
    pub(crate) fn within(&self, others: &[Self]) -> Option<Self> {
        let other = others.iter().find(|other| other.resource == self.resource)?;
        let actions = self.actions.and(other.actions);
        (actions != Actions::default()).then(|| Self { resource: self.resource.clone(), actions })
    }

    fn parse(text: &str) -> Option<Self> {
        // A name may hold a colon of its own (host:port), so the type ends at the first one and the actions begin at the last.
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let (kind, class) = match kind.split_once('(') {
            Some((kind, class)) => (kind, Some(class.strip_suffix(')')?)),
            None => (kind, None),
        };
        let resource = match (kind, class) {
            ("registry", None) if name == "catalog" => Resource::Catalog,
            ("repository", class) => {
                let format = class.filter(|class| !PLAIN_CLASSES.contains(class)).map(str::to_owned);
                Resource::Repository { format, name: RepoName::from_str(name).ok()? }
            }
            _ => return None,
        };
        let actions = Actions::parse(actions);
        (actions != Actions::default()).then_some(Self { resource, actions })
    }
}

impl Actions {
    fn parse(text: &str) -> Self {
        let mut actions = Self::default();
        for action in text.split(',') {
            match action {
                "pull" => actions.pull = true,
                "push" => actions.push = true,
                "delete" => actions.delete = true,
                "*" => actions.all = true,
                _ => {}
            }
        }
        actions
    }

    fn add(&mut self, more: Self) {
        self.pull |= more.pull;
        self.push |= more.push;
        self.delete |= more.delete;
        self.all |= more.all;
    }

    fn and(self, other: Self) -> Self {
        if self.all && other.all {
            return Self { all: true, ..Self::default() };
        }
        let both = |a: fn(&Self) -> bool| (a(&self) || self.all) && (a(&other) || other.all);
        Self { pull: both(|a| a.pull), push: both(|a| a.push), delete: both(|a| a.delete), all: false }
    }

    fn cover(self, verb: Verb) -> bool {
        match verb {
            Verb::View | Verb::Pull => self.pull || self.all,
            Verb::Push => self.push || self.all,
            Verb::Delete => self.delete || self.all,
            // These are not words of the token specification; `*` there means everything a client knows, not these.
            Verb::Configure | Verb::Govern | Verb::ReadAudit => false,
        }
    }

    fn words(self) -> impl Iterator<Item = &'static str> {
        [(self.pull, "pull"), (self.push, "push"), (self.delete, "delete"), (self.all, "*")]
            .into_iter()
            .filter_map(|(set, word)| set.then_some(word))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resource {
            Resource::Repository { format: None, name } => write!(f, "repository:{name}:")?,
            Resource::Repository { format: Some(format), name } => write!(f, "repository({format}):{name}:")?,
            Resource::Catalog => f.write_str("registry:catalog:")?,
        }
        f.write_str(&self.actions.words().collect::<Vec<_>>().join(","))
    }
}

/// A scope as tokens carry it: the `access` claim of the token specification.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccessClaim {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    name: String,
    actions: Vec<String>,
}

impl From<&Scope> for AccessClaim {
    fn from(scope: &Scope) -> Self {
        let actions = scope.actions.words().map(str::to_owned).collect();
        match &scope.resource {
            Resource::Repository { format, name } => {
                Self { kind: "repository".into(), class: format.clone(), name: name.to_string(), actions }
            }
            Resource::Catalog => Self { kind: "registry".into(), class: None, name: "catalog".into(), actions },
        }
    }
}

impl AccessClaim {
    pub(crate) fn scope(&self) -> Option<Scope> {
        let class = self.class.as_ref().map(|class| format!("({class})")).unwrap_or_default();
        Scope::parse(&format!("{}{class}:{}:{}", self.kind, self.name, self.actions.join(",")))
    }
}

#[cfg(test)]
mod tests;
