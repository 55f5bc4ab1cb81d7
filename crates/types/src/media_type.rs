//! Media types as manifests and descriptors name them (RFC 6838 without parameters).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// A media type such as `application/vnd.oci.image.manifest.v1+json`, kept byte for byte as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct MediaType(String);

/// A text that is not `type/subtype` of RFC 6838 restricted names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid media type {0:?}")]
pub struct InvalidMediaType(String);

impl MediaType {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes the media type out of a Content-Type header: what stands before the first `;`.
    ///
    /// # Errors
    /// Refuses what [`MediaType::from_str`] refuses.
    pub fn from_content_type(header: &str) -> Result<Self, InvalidMediaType> {
        header.split(';').next().unwrap_or_default().trim().parse()
    }
}

fn restricted_name(text: &str) -> bool {
    (1..=127).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    fn from_str(text: &str) -> Result<Self, InvalidMediaType> {
        match text.split_once('/') {
            Some((kind, subtype)) if restricted_name(kind) && restricted_name(subtype) => Ok(Self(text.to_owned())),
            _ => Err(InvalidMediaType(text.chars().take(200).collect())),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_content_type_are_left_out() {
        let parsed = MediaType::from_content_type("application/vnd.oci.image.index.v1+json; charset=utf-8").unwrap();
        assert_eq!(parsed.as_str(), "application/vnd.oci.image.index.v1+json");
    }

    #[test]
    fn what_could_break_a_header_is_refused() {
        for text in ["", "application", "/json", "application/", "a/b\r\nx: y", "a/b/c", "a b/c"] {
            assert!(text.parse::<MediaType>().is_err(), "{text:?}");
        }
    }
}
