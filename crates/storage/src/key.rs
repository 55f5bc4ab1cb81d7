//! The name of an object in a storage.

use std::fmt;
use std::str::FromStr;

use wharf_types::Timestamp;

/// The key of one object: 32 lower-case hexadecimal digits. It is never the digest of the content and never used twice, so the
/// removal of an old object cannot hit a new one with the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(String);

/// A text that is not an object key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid object key {0:?}: expected 32 lower-case hexadecimal digits")]
pub struct InvalidKey(String);

impl ObjectKey {
    const LENGTH: usize = 32;

    /// A key made of these bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(hex::encode(bytes))
    }

    /// The key of an object that is made at this time: one byte of `random`, by which objects lie scattered in a storage, the time
    /// in milliseconds, so that those that come and go together lie together in an index without the first byte, and what is left of
    /// `random`, 72 bits that nobody guesses.
    pub fn at(time: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[0] = random[0];
        bytes[1..7].copy_from_slice(&time.as_millis().to_be_bytes()[2..]);
        bytes[7..].copy_from_slice(&random[1..]);
        Self::new(bytes)
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
    fn keys_without_their_first_byte_are_in_the_order_of_their_times() {
        let keys: Vec<_> = [(9, 255), (10, 1), (1_800_000_000_000, 128)]
            .map(|(time, random)| ObjectKey::at(Timestamp::from_millis(time), [random; 10]))
            .into();
        assert!(keys.is_sorted_by_key(|key| key.as_str()[2..].to_owned()) && !keys.is_sorted());
        assert_eq!(keys[2].as_str(), "8001a3185c5000808080808080808080");
    }

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
