//! Who can hold a grant.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use wharf_db::identity::subjects::Kind;
use wharf_types::SubjectName;

use super::{IdentityError, name_of};

/// Who holds a grant: `user:<name>`, `group:<name>` or `robot:<full name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// One user.
    User(SubjectName),
    /// Every user in a group.
    Group(SubjectName),
    /// A robot.
    Robot(SubjectName),
}

impl Grantee {
    /// The name.
    pub fn name(&self) -> &SubjectName {
        match self {
            Self::User(name) | Self::Group(name) | Self::Robot(name) => name,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::User(_) => Kind::User,
            Self::Group(_) => Kind::Group,
            Self::Robot(_) => Kind::Robot,
        }
    }

    pub(super) fn of(kind: &str, name: SubjectName) -> Self {
        match kind {
            "group" => Self::Group(name),
            "robot" => Self::Robot(name),
            _ => Self::User(name),
        }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind().as_str(), self.name())
    }
}

impl Serialize for Grantee {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Grantee {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let expected =
            || IdentityError::Invalid(format!("expected user:<name>, group:<name> or robot:<name>, got {text:?}"));
        let (kind, name) = text.split_once(':').ok_or_else(expected)?;
        let name = name_of(name)?;
        match kind {
            "user" | "group" | "robot" => Ok(Self::of(kind, name)),
            _ => Err(expected()),
        }
    }
}
