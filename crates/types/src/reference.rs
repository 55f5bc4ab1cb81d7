//! Tags, and what a request may name a manifest by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Digest, InvalidDigest};

/// A tag (OCI distribution-spec: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Tag(String);

/// A text that is not a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid tag {0:?}: 1 to 128 of letters, digits, '_', '.' and '-', not beginning with '.' or '-'")]
pub struct InvalidTag(String);

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag that clients without the referrers API keep a subject's referrers under: `sha256-<hex>`.
    pub fn of_referrers(subject: &Digest) -> Self {
        // distribution-spec, "Referrers Tag Schema": the hash is cut to 64 characters.
        let hex: String = subject.hex().chars().take(64).collect();
        Self(format!("{}-{hex}", subject.algorithm().as_str()))
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let valid = (1..=128).contains(&text.len())
            && word(text.as_bytes()[0])
            && text.bytes().all(|b| word(b) || b == b'.' || b == b'-');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidTag(text.chars().take(200).collect())) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A manifest is asked for by tag or by digest. A colon decides which: tags cannot contain one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Whatever the tag points at now.
    Tag(Tag),
    /// Exactly this content.
    Digest(Digest),
}

/// A reference that is neither a tag nor a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// It has no colon, so it had to be a tag.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    /// It has a colon, so it had to be a digest.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if text.contains(':') { Ok(Self::Digest(text.parse()?)) } else { Ok(Self::Tag(text.parse()?)) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_makes_a_reference_a_digest() {
        assert!(matches!("latest".parse(), Ok(Reference::Tag(_))));
        assert!(matches!(Digest::sha256(b"").to_string().parse(), Ok(Reference::Digest(_))));
        assert!(matches!("sha256:zz".parse::<Reference>(), Err(InvalidReference::Digest(_))));
    }

    #[test]
    fn malformed_tags_are_refused() {
        for text in ["", ".", "..", "-a", ".a", "a/b", "a b", "é", &"a".repeat(129)] {
            assert!(text.parse::<Tag>().is_err(), "{text:?}");
        }
        for text in ["a", "_", "1.2.3", "2.0.0_build.7", &"a".repeat(128)] {
            assert!(text.parse::<Tag>().is_ok(), "{text:?}");
        }
    }

    #[test]
    fn the_referrers_tag_of_a_sha512_subject_still_fits() {
        let tag = Tag::of_referrers(&Digest::of(crate::Algorithm::Sha512, b""));
        assert_eq!(tag.as_str().len(), "sha512-".len() + 64);
    }
}
