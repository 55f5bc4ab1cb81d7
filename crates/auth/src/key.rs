//! The instance key: the one secret outside the database, from which all others are derived.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const FORM: &str = "wharf-key-v1";
const SALT: &[u8] = b"wharf instance key v1";
const ID_BYTES: usize = 8;

/// 32 random bytes and the id that follows from them. The text form is `wharf-key-v1:<id>:<base64>`.
#[derive(Clone)]
pub struct InstanceKey {
    id: [u8; ID_BYTES],
    secret: Zeroizing<[u8; 32]>,
}

/// A text that is not an instance key. Does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an instance key: {0}")]
pub struct InvalidKey(&'static str);

/// Sealed bytes that do not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// Another instance key sealed them.
    #[error("sealed with the instance key {sealed_with}, this one is {this}")]
    OtherKey {
        /// The id of the key that is needed.
        sealed_with: String,
        /// The id of the key at hand.
        this: String,
    },
    /// They were changed, cut off, or sealed for another purpose.
    #[error("sealed bytes are damaged or were sealed for another purpose")]
    Damaged,
}

impl InstanceKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self::from_secret(Zeroizing::new(rand::random()))
    }

    fn from_secret(secret: Zeroizing<[u8; 32]>) -> Self {
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&hkdf(&secret, "id")[..ID_BYTES]);
        Self { id, secret }
    }

    /// The id, 16 hex digits: safe to show, and bound to the key itself.
    pub fn id(&self) -> String {
        hex::encode(self.id)
    }

    /// The form in which files and environment hold it.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{FORM}:{}:{}", self.id(), STANDARD.encode(*self.secret)))
    }

    /// A key for one purpose (HKDF-SHA256); keys of different purposes say nothing about each other.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(hkdf(&self.secret, &format!("derive {purpose}")))
    }

    /// Encrypts a secret for the database: key id, nonce, then AES-256-GCM over `plain`, bound to its purpose.
    ///
    /// # Errors
    /// [`Unsealable::Damaged`] for plaintexts beyond what AES-GCM can take.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut body = plain.to_vec();
        self.cipher(purpose)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(self.id), &mut body)
            .map_err(|_| Unsealable::Damaged)?;
        Ok([&self.id[..], &nonce, &body].concat())
    }

    /// Decrypts what [`InstanceKey::seal`] made for the same purpose.
    ///
    /// # Errors
    /// [`Unsealable::OtherKey`] if another key sealed it, [`Unsealable::Damaged`] if it is not what was sealed.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (id, rest) = sealed.split_first_chunk::<ID_BYTES>().ok_or(Unsealable::Damaged)?;
        if *id != self.id {
            return Err(Unsealable::OtherKey { sealed_with: hex::encode(id), this: self.id() });
        }
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Unsealable::Damaged)?;
        let mut body = Zeroizing::new(body.to_vec());
        let plain = self
            .cipher(purpose)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(self.id), &mut body)
            .map_err(|_| Unsealable::Damaged)?
            .len();
        body.truncate(plain);
        Ok(body)
    }

    fn cipher(&self, purpose: &str) -> Result<LessSafeKey, Unsealable> {
        let key = hkdf(&self.secret, &format!("seal {purpose}"));
        UnboundKey::new(&AES_256_GCM, &key).map(LessSafeKey::new).map_err(|_| Unsealable::Damaged)
    }
}

/// HKDF-SHA256 (RFC 5869) for one block of output, which is all that is ever asked for.
fn hkdf(secret: &[u8; 32], info: &str) -> [u8; 32] {
    let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SALT), secret);
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref()));
    context.update(info.as_bytes());
    context.update(&[1]);
    let mut block = [0; 32];
    block.copy_from_slice(context.sign().as_ref());
    block
}

impl FromStr for InstanceKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let form = InvalidKey("expected wharf-key-v1:<id>:<base64>");
        let mut parts = text.trim().split(':');
        let (Some(FORM), Some(id), Some(encoded), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form);
        };
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| form.clone())?);
        let secret: [u8; 32] = bytes.as_slice().try_into().map_err(|_| InvalidKey("expected 32 bytes"))?;
        let key = Self::from_secret(Zeroizing::new(secret));
        if key.id() == id {
            Ok(key)
        } else {
            Err(InvalidKey("the id does not belong to the bytes; was it copied in full?"))
        }
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORM}:{}:…", self.id())
    }
}

impl fmt::Debug for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_read_back_and_never_shown_by_accident() {
        let key = InstanceKey::generate();
        let text = key.to_text();
        let read: InstanceKey = format!("  {}\n", *text).parse().unwrap();
        assert_eq!((read.id(), *read.secret), (key.id(), *key.secret));
        let secret = text.rsplit(':').next().unwrap();
        assert!(!format!("{key} {key:?}").contains(secret));
    }

    #[test]
    fn a_key_with_a_mistake_is_refused() {
        let text = InstanceKey::generate().to_text();
        let other = InstanceKey::generate().to_text();
        let id = |text: &str| text.split(':').nth(1).unwrap().to_owned();
        let swapped = text.replace(&id(&text), &id(&other));
        for wrong in ["", "wharf-key-v1", "secret", &text[..text.len() - 4], &format!("{}:x", *text), &swapped] {
            assert!(wrong.parse::<InstanceKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn derived_keys_are_stable_and_differ_by_purpose() {
        let key = InstanceKey::from_secret(Zeroizing::new([7; 32]));
        assert_eq!(key.derive("a"), key.clone().derive("a"));
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_ne!(key.derive("a"), InstanceKey::from_secret(Zeroizing::new([8; 32])).derive("a"));
    }

    #[test]
    fn derivation_is_hkdf_sha256() {
        use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
        let mut expected = [0; 32];
        let extracted = Salt::new(HKDF_SHA256, SALT).extract(&[7; 32]);
        extracted.expand(&[b"derive a"], HKDF_SHA256).unwrap().fill(&mut expected).unwrap();
        assert_eq!(*InstanceKey::from_secret(Zeroizing::new([7; 32])).derive("a"), expected);
    }

    #[test]
    fn what_was_sealed_opens_for_its_purpose_and_key_only() {
        let key = InstanceKey::generate();
        let mut sealed = key.seal("signing key", b"secret").unwrap();
        assert_eq!(*key.open("signing key", &sealed).unwrap(), b"secret");
        assert_eq!(key.open("webhook", &sealed), Err(Unsealable::Damaged));
        let other = InstanceKey::generate();
        assert!(matches!(other.open("signing key", &sealed), Err(Unsealable::OtherKey { .. })));
        assert_ne!(key.seal("signing key", b"secret").unwrap(), sealed);
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(key.open("signing key", &sealed), Err(Unsealable::Damaged));
        assert_eq!(key.open("signing key", b"short"), Err(Unsealable::Damaged));
    }
}
