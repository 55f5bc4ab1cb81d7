//! Personal tokens and secrets of robots: 256 random bits behind a recognisable prefix.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is just above 2^256.
const LENGTH: usize = 43;
/// How much of a secret may be shown, so that its owner recognises it: the prefix and four characters.
const HINT: usize = 8;

/// The prefix of personal tokens.
const PERSONAL: &str = "wft_";
/// The prefix of robots' secrets.
const ROBOT: &str = "wfr_";

/// A freshly made token. It is shown once; the database keeps its hash.
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn personal() -> Self {
        Self::random(PERSONAL)
    }

    pub(crate) fn robot() -> Self {
        Self::random(ROBOT)
    }

    fn random(prefix: &str) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + LENGTH));
        text.push_str(prefix);
        while text.len() < prefix.len() + LENGTH {
            // Numbers beyond the alphabet are drawn again: a remainder would favour its beginning.
            let number = usize::from(rand::random::<u8>() >> 2);
            if let Some(&letter) = ALPHABET.get(number) {
                text.push(char::from(letter));
            }
        }
        Self(text)
    }

    /// The secret itself, to be shown to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }

    pub(crate) fn hint(&self) -> &str {
        hint(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}…)", self.hint())
    }
}

/// Whether `text` has the form of a personal token or robot's secret. No password has.
pub(crate) fn is_secret(text: &str) -> bool {
    let rest = text.strip_prefix(PERSONAL).or_else(|| text.strip_prefix(ROBOT));
    rest.is_some_and(|rest| rest.len() == LENGTH && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The part of a secret that may be shown; of anything else nothing.
pub(crate) fn hint(text: &str) -> &str {
    if is_secret(text) { &text[..HINT] } else { "" }
}

/// Whether `text` begins like a personal token or robot's secret.
pub(crate) fn has_prefix(text: &str) -> bool {
    text.starts_with(PERSONAL) || text.starts_with(ROBOT)
}

/// What the database keeps. A plain hash is enough for 256 random bits.
pub(crate) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A number that follows from the secret, by which registry tokens name it.
pub(crate) fn generation(hash: &[u8; 32]) -> i64 {
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_their_form_and_differ() {
        let (one, two) = (Secret::personal(), Secret::robot());
        assert!(one.reveal().starts_with("wft_") && two.reveal().starts_with("wfr_"));
        for secret in [&one, &two] {
            assert!(is_secret(secret.reveal()), "{}", secret.reveal());
            assert_eq!(secret.reveal().len(), 47);
        }
        assert_ne!(one.hash(), Secret::personal().hash());
    }

    #[test]
    fn other_texts_are_no_secrets() {
        for text in
            ["", "wft_", "wft_short", "hunter42", "wfx_0123456789012345678901234567890123456789012", "eyJhbGciOi.e30.x"]
        {
            assert!(!is_secret(text), "{text}");
        }
    }

    #[test]
    fn debug_shows_the_hint_only() {
        let secret = Secret::personal();
        assert_eq!(format!("{secret:?}"), format!("Secret({}…)", &secret.reveal()[..8]));
    }
}
