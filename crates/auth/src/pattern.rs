//! Patterns over names of repositories.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wharf_types::{ProjectName, RepoName};

/// A glob over names: `*` and `?` stay within a segment, a segment `**` stands for any number of them; `**` alone matches all.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    matcher: Matcher,
}

// Most patterns are one of the first two, which cost nothing to match.
#[derive(Clone)]
enum Matcher {
    All,
    Literal,
    Glob(GlobMatcher),
}

/// A text that is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid pattern {value:?}: {reason}")]
pub struct InvalidPattern {
    value: String,
    reason: &'static str,
}

impl Pattern {
    /// The pattern that matches everything.
    pub fn all() -> Self {
        Self { text: "**".to_owned(), matcher: Matcher::All }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches everything.
    pub fn is_all(&self) -> bool {
        matches!(self.matcher, Matcher::All)
    }

    /// Whether it matches `name`.
    pub fn matches(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::All => true,
            Matcher::Literal => self.text == name,
            Matcher::Glob(glob) => glob.is_match(name),
        }
    }

    /// For a pattern over full names: whether it matches this repository.
    pub(crate) fn matches_repository(&self, name: &RepoName) -> bool {
        match &self.matcher {
            Matcher::All => true,
            Matcher::Literal => {
                let rest = self.text.strip_prefix(name.project().as_str()).and_then(|rest| rest.strip_prefix('/'));
                rest == Some(name.path())
            }
            Matcher::Glob(glob) => glob.is_match(name.full()),
        }
    }

    /// For a pattern over full names: whether it matches every repository of the project.
    pub(crate) fn matches_all_of(&self, project: &ProjectName) -> bool {
        self.is_all() || self.text.strip_prefix(project.as_str()) == Some("/**") || self.text == "*/**"
    }

    /// For a pattern over full names: whether it can match some repository of the project.
    pub(crate) fn touches(&self, project: &ProjectName) -> bool {
        let first = self.text.split('/').next().unwrap_or_default();
        if first.contains(['*', '?']) {
            compile(first).is_some_and(|glob| glob.is_match(project.as_str()))
        } else {
            first == project.as_str()
        }
    }
}

fn compile(text: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(text).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let refuse = |reason| Err(InvalidPattern { value: text.chars().take(300).collect(), reason });
        if text.len() > RepoName::MAX_LENGTH {
            return refuse("longer than 255 characters");
        }
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/*?".contains(&b);
        if !text.bytes().all(known) {
            return refuse("only lower-case letters, digits, '.', '_', '-', '/', '*' and '?' stand in patterns");
        }
        if text.split('/').any(|segment| segment.is_empty() || (segment.contains("**") && segment != "**")) {
            return refuse("segments between '/' are not empty, and '**' is a segment of its own");
        }
        let matcher = match text {
            "**" => Matcher::All,
            _ if !text.contains(['*', '?']) => Matcher::Literal,
            _ => match compile(text) {
                Some(glob) => Matcher::Glob(glob),
                None => return refuse("not a glob"),
            },
        };
        Ok(Self { text: text.to_owned(), matcher })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_stays_within_a_segment_and_two_do_not() {
        let table = [
            ("**", "a", true),
            ("**", "a/b/c", true),
            ("*", "a", true),
            ("*", "a/b", false),
            ("web", "web", true),
            ("web", "web/a", false),
            ("web/*", "web/a", true),
            ("web/*", "web/a/b", false),
            ("web/**", "web/a/b", true),
            ("web/**", "web", false),
            ("web/**", "webx/a", false),
            ("**/base", "base", true),
            ("**/base", "a/b/base", true),
            ("v?", "v1", true),
            ("v?", "v12", false),
            ("a?b", "a/b", false),
            ("team-*/x", "team-1/x", true),
        ];
        for (glob, name, expected) in table {
            assert_eq!(pattern(glob).matches(name), expected, "{glob} on {name}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for text in ["", "/", "a//b", "/a", "a/", "a**", "**a/b", "A", "a b", "[a]", "{a,b}", "a\\*", &"a".repeat(256)]
        {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn patterns_over_full_names_know_their_project() {
        let team: ProjectName = "team".parse().unwrap();
        let table = [
            ("**", true, true),
            ("team/**", true, true),
            ("*/**", true, true),
            ("team/web", false, true),
            ("t*/web", false, true),
        ];
        for (text, all, some) in table {
            assert_eq!((pattern(text).matches_all_of(&team), pattern(text).touches(&team)), (all, some), "{text}");
        }
        for text in ["teams/**", "other/team", "t?/x"] {
            assert!(!pattern(text).touches(&team) && !pattern(text).matches_all_of(&team), "{text}");
        }
        let short: RepoName = "app".parse().unwrap();
        assert!(pattern("default/app").matches_repository(&short));
        assert!(pattern("default/*").matches_repository(&short));
        assert!(!pattern("app").matches_repository(&short));
    }
}
