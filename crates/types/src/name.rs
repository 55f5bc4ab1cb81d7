//! Names of projects, repositories, formats and of those who act.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a repository of one segment lives.
pub const DEFAULT_PROJECT: &str = "default";

/// A name that does not follow its grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {value:?}: {reason}")]
pub struct InvalidName {
    what: &'static str,
    value: String,
    reason: &'static str,
}

impl InvalidName {
    fn new(what: &'static str, value: &str, reason: &'static str) -> Self {
        Self { what, value: value.chars().take(300).collect(), reason }
    }
}

/// The grammar of one path component (OCI distribution-spec): `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    if !word(first) || !word(last) {
        return false;
    }
    // Only runs of separators between two words remain: `.`, `_`, `__` or any number of `-`.
    bytes
        .split(|&b| word(b))
        .filter(|run| !run.is_empty())
        .all(|run| run == b"." || run == b"_" || run == b"__" || run.iter().all(|&b| b == b'-'))
}

const COMPONENT_RULE: &str =
    "lower-case letters and digits, separated by '.', '_', '__' or '-', in parts divided by '/'";

/// A project: the first segment of a repository's name, and the unit of membership.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ProjectName(String);

impl ProjectName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.len() > 128 {
            return Err(InvalidName::new("project name", text, "longer than 128 characters"));
        }
        if component(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName::new("project name", text, COMPONENT_RULE))
        }
    }
}

/// A repository of any format: `<project>/<path>`, or one segment, which is in the project `default`.
///
/// `app` and `default/app` are equal; [`fmt::Display`] gives the name back as it was asked for.
#[derive(Debug, Clone)]
pub struct RepoName {
    asked: String,
    project: ProjectName,
    path_at: usize,
}

impl RepoName {
    /// Longest name accepted, in characters. Clients limit host and name together to 255.
    pub const MAX_LENGTH: usize = 255;

    /// The name as it was asked for.
    pub fn as_str(&self) -> &str {
        &self.asked
    }

    /// The project it belongs to.
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// The name inside the project, one or more segments.
    pub fn path(&self) -> &str {
        &self.asked[self.path_at..]
    }

    /// The one name under which the catalog keeps it: short in the default project where that is possible.
    pub fn canonical(&self) -> &str {
        let short = self.project.0 == DEFAULT_PROJECT && !self.path().contains('/');
        if short { self.path() } else { &self.asked }
    }

    /// The name with its project always written out.
    pub fn full(&self) -> String {
        format!("{}/{}", self.project.0, self.path())
    }

    /// The repository `path` of `project`, named in full except in the default project, where clients use the short form.
    ///
    /// # Errors
    /// Refuses what [`RepoName::from_str`] refuses.
    pub fn of(project: &ProjectName, path: &str) -> Result<Self, InvalidName> {
        if project.as_str() == DEFAULT_PROJECT && !path.contains('/') {
            path.parse()
        } else {
            format!("{}/{path}", project.as_str()).parse()
        }
    }
}

impl FromStr for RepoName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.len() > Self::MAX_LENGTH {
            return Err(InvalidName::new("repository name", text, "longer than 255 characters"));
        }
        if !text.split('/').all(component) {
            return Err(InvalidName::new("repository name", text, COMPONENT_RULE));
        }
        let (project, path_at) = match text.split_once('/') {
            Some((project, _)) => (project, project.len() + 1),
            None => (DEFAULT_PROJECT, 0),
        };
        Ok(Self { asked: text.to_owned(), project: project.parse()?, path_at })
    }
}

impl PartialEq for RepoName {
    fn eq(&self, other: &Self) -> bool {
        self.project == other.project && self.path() == other.path()
    }
}

impl Eq for RepoName {}

impl Hash for RepoName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.project.hash(state);
        self.path().hash(state);
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.asked)
    }
}

/// Who acts: the name of a user, robot or group. Part of HTTP Basic, so it holds no colon; kept out of shells' way, so no `$`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct SubjectName(String);

impl SubjectName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SubjectName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let valid = (1..=128).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+@".contains(&b));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName::new("name", text, "1 to 128 of letters, digits, '.', '_', '-', '+' and '@'"))
        }
    }
}

/// The short name of a format (`oci`, `apt` …): mount, configuration key, metric label and audit field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct FormatName(&'static str);

impl FormatName {
    /// A format declares its own name; nothing parses one out of a request.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

macro_rules! text_forms {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
text_forms!(ProjectName, SubjectName, FormatName);

macro_rules! parsed_on_deserialize {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
parsed_on_deserialize!(ProjectName, RepoName, SubjectName);

impl Serialize for RepoName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_one_segment_name_is_in_the_default_project() {
        let short: RepoName = "app".parse().unwrap();
        let long: RepoName = "default/app".parse().unwrap();
        assert_eq!(short, long);
        assert_eq!((short.to_string(), long.to_string()), ("app".into(), "default/app".into()));
        assert_eq!((short.project().as_str(), short.path()), ("default", "app"));
        assert_eq!((short.canonical(), long.canonical()), ("app", "app"));
    }

    #[test]
    fn names_of_any_depth_are_accepted() {
        let deep = vec!["a"; 128].join("/");
        assert_eq!(deep.len(), 255);
        assert_eq!(deep.parse::<RepoName>().unwrap().project().as_str(), "a");
    }

    #[test]
    fn malformed_names_are_refused() {
        let long = "a".repeat(256);
        let cases = [
            "", "/", "a/", "/a", "a//b", "A/b", "a/../b", "..", ".a", "a.", "a..b", "a___b", "a._b", "a b", "a%2fb",
            "é", &long,
        ];
        for text in cases {
            assert!(text.parse::<RepoName>().is_err(), "{text:?}");
        }
        for text in ["a", "a.b", "a__b", "a---b", "0/1", "team/app/web"] {
            assert!(text.parse::<RepoName>().is_ok(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_valid_name_never_leaves_its_folder(text in "[a-zA-Z0-9._/-]{0,40}") {
            if let Ok(name) = text.parse::<RepoName>() {
                prop_assert!(name.as_str().split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
                prop_assert_eq!(name.full().parse::<RepoName>().unwrap(), name);
            }
        }
    }
}
