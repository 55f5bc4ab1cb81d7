//! The name of an object in a storage.

use std::fmt;
use std::str::FromStr;

/// The key of one object: 128 random bits as 32 lower-case hexadecimal digits. It is never the digest of the content and
/// never used twice, so the removal of an old object cannot hit a new one with the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(String);

/// A text that is not an object key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid object key {0:?}: expected 32 lower-case hexadecimal digits")]
pub struct InvalidKey(String);

impl ObjectKey {
    const LENGTH: usize = 32;

    /// A key made of random bytes, which the caller draws.
    pub fn new(random: [u8; 16]) -> Self {
        Self(hex::encode(random))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == Self::LENGTH && text.bytes().all(digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey(text.chars().take(100).collect()))
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_round_trips_through_text() {
        let key = ObjectKey::new([0xa7; 16]);
        assert_eq!(key.as_str(), "a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn malformed_keys_are_refused() {
        let (upper, long) = ("A7".repeat(16), "a7".repeat(17));
        for text in ["", "a7", "../../../../../../../../etc/passwd", &upper, &long, &"é".repeat(16)] {
            assert!(text.parse::<ObjectKey>().is_err(), "{text:?}");
        }
    }
}
