//! Patterns over tags.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wharf_types::Tag;

/// A glob over tags: `*` stands for any characters, `?` for one, `[0-9]` for one of a class, `{a,b}` for one of several.
#[derive(Clone)]
pub struct TagPattern {
    text: String,
    matcher: GlobMatcher,
}

/// A text that is not a pattern over tags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid tag pattern {value:?}: {reason}")]
pub struct InvalidTagPattern {
    value: String,
    reason: String,
}

impl TagPattern {
    /// A tag has 128 characters at most.
    pub const MAX_LENGTH: usize = 128;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the tag fits.
    pub fn matches(&self, tag: &Tag) -> bool {
        self.matcher.is_match(tag.as_str())
    }
}

impl FromStr for TagPattern {
    type Err = InvalidTagPattern;

    fn from_str(text: &str) -> Result<Self, InvalidTagPattern> {
        let refuse = |reason: &str| {
            Err(InvalidTagPattern { value: text.chars().take(200).collect(), reason: reason.to_owned() })
        };
        if !(1..=Self::MAX_LENGTH).contains(&text.len()) {
            return refuse("a pattern has 1 to 128 characters");
        }
        let known = |b: u8| b.is_ascii_alphanumeric() || b"._-*?[]{},!".contains(&b);
        if !text.bytes().all(known) {
            return refuse(
                "only letters, digits, '.', '_', '-' and the signs * ? [ ] { } , ! stand in patterns over tags",
            );
        }
        match GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build() {
            Ok(glob) => Ok(Self { text: text.to_owned(), matcher: glob.compile_matcher() }),
            Err(error) => refuse(&error.kind().to_string()),
        }
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TagPattern({:?})", self.text)
    }
}

impl PartialEq for TagPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TagPattern {}

impl Serialize for TagPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for TagPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_the_whole_tag() {
        let table = [
            ("*", "anything-1.0", true),
            ("v*", "v1", true),
            ("v*", "av1", false),
            ("v1.?", "v1.2", true),
            ("v1.?", "v1.23", false),
            ("v[0-9]*", "v1.2.3", true),
            ("v[0-9]*", "vnext", false),
            ("{release,stable}-*", "stable-2", true),
            ("{release,stable}-*", "edge-2", false),
            ("v[!0]*", "v1", true),
            ("v[!0]*", "v0", false),
            ("V1", "v1", false),
            ("1.0", "1x0", false),
            ("**", "x", true),
        ];
        for (pattern, tag, expected) in table {
            let pattern: TagPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&tag.parse().unwrap()), expected, "{pattern} on {tag}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for text in ["", "a/b", "a b", "[", "[z-a]", "{a", "a}", "\\*", "é", &"a".repeat(129)] {
            assert!(text.parse::<TagPattern>().is_err(), "{text:?}");
        }
    }
}
