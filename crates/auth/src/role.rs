//! Roles: which verbs each of them holds. Written out once, here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ServerVerb, Verb};

/// A role on a project or on those of its repositories that match a pattern. Each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees that it exists, and its metadata.
    Viewer,
    /// Also reads content.
    Puller,
    /// Also adds content.
    Pusher,
    /// Also deletes, sets rules and reads the audit log.
    Maintainer,
    /// Also decides who is a member.
    Owner,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Puller, Self::Pusher, Self::Maintainer, Self::Owner];

    /// What the role allows.
    pub fn verbs(self) -> &'static [Verb] {
        use Verb::{Configure, Delete, Govern, Pull, Push, ReadAudit, View};
        match self {
            Self::Viewer => &[View],
            Self::Puller => &[View, Pull],
            Self::Pusher => &[View, Pull, Push],
            Self::Maintainer => &[View, Pull, Push, Delete, Configure, ReadAudit],
            Self::Owner => &[View, Pull, Push, Delete, Configure, ReadAudit, Govern],
        }
    }

    /// Whether the role allows `verb`.
    pub fn allows(self, verb: Verb) -> bool {
        self.verbs().contains(&verb)
    }

    /// The least role that allows `verb`.
    pub fn needed_for(verb: Verb) -> Self {
        Self::ALL.into_iter().find(|role| role.allows(verb)).unwrap_or(Self::Owner)
    }

    /// The name, as the database and the API write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Puller => "puller",
            Self::Pusher => "pusher",
            Self::Maintainer => "maintainer",
            Self::Owner => "owner",
        }
    }
}

/// A role on the whole server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerRole {
    /// May do everything.
    Administrator,
    /// Sees everything and reads every audit log; pulls nothing.
    Auditor,
    /// May create projects, and owns what it creates.
    Creator,
}

impl ServerRole {
    /// Every server role.
    pub const ALL: [Self; 3] = [Self::Administrator, Self::Auditor, Self::Creator];

    /// What the role allows on the server.
    pub fn verbs(self) -> &'static [ServerVerb] {
        match self {
            Self::Administrator => &ServerVerb::ALL,
            Self::Auditor => &[ServerVerb::ListIdentities, ServerVerb::InspectServer, ServerVerb::ReadAudit],
            Self::Creator => &[ServerVerb::CreateProject],
        }
    }

    /// What the role allows on every project and repository.
    pub fn verbs_everywhere(self) -> &'static [Verb] {
        match self {
            Self::Administrator => &Verb::ALL,
            Self::Auditor => &[Verb::View, Verb::ReadAudit],
            Self::Creator => &[],
        }
    }

    /// The name, as the database and the API write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
            Self::Creator => "creator",
        }
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {value:?}: expected one of {expected}")]
pub struct UnknownRole {
    value: String,
    expected: &'static str,
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let expected = "viewer, puller, pusher, maintainer, owner";
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole { value: text.chars().take(100).collect(), expected })
    }
}

impl FromStr for ServerRole {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let expected = "administrator, auditor, creator";
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole { value: text.chars().take(100).collect(), expected })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ServerRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row per role: V view, L pull, S push, D delete, C configure, G govern, A read audit.
    #[test]
    fn every_role_allows_exactly_its_verbs() {
        let letter = |verb| match verb {
            Verb::View => 'V',
            Verb::Pull => 'L',
            Verb::Push => 'S',
            Verb::Delete => 'D',
            Verb::Configure => 'C',
            Verb::Govern => 'G',
            Verb::ReadAudit => 'A',
        };
        let row = |role: Role| -> String { Verb::ALL.into_iter().filter(|&v| role.allows(v)).map(letter).collect() };
        assert_eq!(Role::ALL.map(row), ["V", "VL", "VLS", "VLSDCA", "VLSDCGA"]);
        let row = |role: ServerRole| -> String { role.verbs_everywhere().iter().copied().map(letter).collect() };
        assert_eq!(ServerRole::ALL.map(row), ["VLSDCGA", "VA", ""]);
    }

    #[test]
    fn roles_are_ordered_by_what_they_allow() {
        for pair in Role::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
            assert!(pair[0].verbs().iter().all(|&verb| pair[1].allows(verb)));
        }
        assert_eq!(Role::needed_for(Verb::Push), Role::Pusher);
        assert_eq!(Role::needed_for(Verb::ReadAudit), Role::Maintainer);
        assert_eq!(Role::needed_for(Verb::Govern), Role::Owner);
    }

    #[test]
    fn names_are_read_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for role in ServerRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("Owner".parse::<Role>().is_err());
    }
}
