//! Content digests (OCI image-spec, "Digests").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

/// The hash algorithms that content may be addressed by. Others of the registered grammar are refused, because a server
/// that cannot verify a digest must not store under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, the canonical algorithm.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name as it stands before the colon of a digest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the raw hash in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }
}

impl FromStr for Algorithm {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(InvalidDigest::new(text, "supported algorithms are sha256 and sha512")),
        }
    }
}

/// `sha512:` and its hash in hex.
const LONGEST_TEXT: usize = 7 + 128;

/// A verified-form digest: algorithm and raw hash. The text form is `sha256:<64 lower-case hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    // Unused bytes of a shorter hash stay zero, so that the derived order and equality hold.
    hash: [u8; 64],
}

/// A text that is not a digest this server can verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid digest {value:?}: {reason}")]
pub struct InvalidDigest {
    value: String,
    reason: &'static str,
}

impl InvalidDigest {
    fn new(value: &str, reason: &'static str) -> Self {
        Self { value: value.chars().take(200).collect(), reason }
    }
}

impl Digest {
    /// The digest of bytes in memory.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::from_raw(algorithm, &Sha256::digest(content)),
            Algorithm::Sha512 => Self::from_raw(algorithm, &Sha512::digest(content)),
        }
    }

    /// The canonical (SHA-256) digest of bytes in memory.
    pub fn sha256(content: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, content)
    }

    /// A digest of a finished hash. Only the first `algorithm.size()` bytes are used; a shorter slice is padded with zeros.
    pub fn from_raw(algorithm: Algorithm, raw: &[u8]) -> Self {
        let mut hash = [0; 64];
        let size = algorithm.size().min(raw.len());
        hash[..size].copy_from_slice(&raw[..size]);
        Self { algorithm, hash }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw hash, `algorithm().size()` bytes.
    pub fn raw(&self) -> &[u8] {
        &self.hash[..self.algorithm.size()]
    }

    /// Lower-case hex of the hash without the algorithm.
    pub fn hex(&self) -> String {
        hex::encode(self.raw())
    }

    /// Hands its text form to `write`, without an allocation.
    fn with_text<T>(&self, write: impl FnOnce(&str) -> T) -> Option<T> {
        let mut buffer = [0; LONGEST_TEXT];
        let (name, length) = (self.algorithm.as_str(), self.text_length());
        let text = buffer.get_mut(..length)?;
        text.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        *text.get_mut(name.len())? = b':';
        hex::encode_to_slice(self.raw(), text.get_mut(name.len() + 1..)?).ok()?;
        std::str::from_utf8(text).ok().map(write)
    }

    fn text_length(&self) -> usize {
        self.algorithm.as_str().len() + 1 + 2 * self.algorithm.size()
    }

    /// Its text form in quotes, which is how entity tags are written.
    pub fn quoted(&self) -> String {
        let mut text = String::with_capacity(self.text_length() + 2);
        text.push('"');
        self.with_text(|digest| text.push_str(digest));
        text.push('"');
        text
    }

    /// The form in which databases hold a digest: one byte for the algorithm, then the raw hash. Sorts like the text form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(65);
        bytes.push(self.algorithm.code());
        bytes.extend_from_slice(self.raw());
        bytes
    }

    /// Reads [`Digest::to_bytes`] back.
    ///
    /// # Errors
    /// Refuses an unknown algorithm byte or a hash of another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidDigest> {
        let algorithm = match bytes.first() {
            Some(1) => Algorithm::Sha256,
            Some(2) => Algorithm::Sha512,
            _ => return Err(InvalidDigest::new(&hex::encode(bytes), "unknown algorithm byte")),
        };
        if bytes.len() != algorithm.size() + 1 {
            return Err(InvalidDigest::new(&hex::encode(bytes), "wrong length"));
        }
        Ok(Self::from_raw(algorithm, &bytes[1..]))
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (algorithm, hex) = text.split_once(':').ok_or(InvalidDigest::new(text, "expected <algorithm>:<hex>"))?;
        let algorithm: Algorithm = algorithm.parse().map_err(|e: InvalidDigest| InvalidDigest::new(text, e.reason))?;
        if hex.len() != algorithm.size() * 2 {
            return Err(InvalidDigest::new(text, "wrong number of hex digits"));
        }
        // Upper-case hex would give one content two names.
        if hex.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(InvalidDigest::new(text, "hex digits must be lower case"));
        }
        let mut hash = [0; 64];
        hex::decode_to_slice(hex, &mut hash[..algorithm.size()])
            .map_err(|_| InvalidDigest::new(text, "not hexadecimal"))?;
        Ok(Self { algorithm, hash })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The buffer has exactly the length that the encoder wants, so this cannot fail.
        self.with_text(|text| f.write_str(text)).unwrap_or(Err(fmt::Error))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_round_trips_through_text_and_bytes() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, b"wharf");
            assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
            assert_eq!(Digest::from_bytes(&digest.to_bytes()).unwrap(), digest);
        }
        assert_eq!(Digest::sha256(b"").to_string(), EMPTY);
    }

    #[test]
    fn malformed_digests_are_refused() {
        let upper = EMPTY.to_uppercase().replace("SHA256", "sha256");
        for text in [
            "",
            ":",
            "sha256",
            "sha256:",
            "sha256:ab",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            &upper,
            "sha256:../../etc/passwd",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        assert!(EMPTY.replace('e', "g").parse::<Digest>().is_err());
    }
}
