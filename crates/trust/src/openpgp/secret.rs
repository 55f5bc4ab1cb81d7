//! Keys that sign: made here, or brought by their owner.

use std::fmt;
use std::str::FromStr;

use pgp::composed::{Deserializable, EncryptionCaps, KeyType, SecretKeyParamsBuilder, SignedSecretKey};
use pgp::packet::{SecretKey as PrimaryKey, SecretSubkey};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails, KeyVersion, Password, SecretParams};
use rand_core_06::{CryptoRng, RngCore};
use wharf_types::Timestamp;

use super::certificate::blocks;
use super::{Certificate, InvalidKey, MOST_BYTES, seconds};

/// What a new key is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Small and fast; what clients of the last ten years understand.
    #[default]
    Ed25519,
    /// For older ones. Making it takes about a second.
    Rsa4096,
}

impl Algorithm {
    /// As settings and the API name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa4096 => "rsa4096",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        [Self::Ed25519, Self::Rsa4096]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| InvalidKey(format!("{text:?} is no kind of key, only ed25519 and rsa4096 are")))
    }
}

/// A key that can sign.
pub struct SecretKey {
    key: SignedSecretKey,
    certificate: Certificate,
    part: Part,
}

/// Which of a key's parts signs.
#[derive(Debug, Clone, Copy)]
enum Part {
    Primary,
    Subkey(usize),
}

/// What signs.
pub(super) enum Signing<'a> {
    Primary(&'a PrimaryKey),
    Subkey(&'a SecretSubkey),
}

/// Random numbers for pgp.
struct Random<'a>(&'a (dyn Fn(&mut [u8]) + Sync));

impl RngCore for Random<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        u32::from_ne_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        u64::from_ne_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        (self.0)(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core_06::Error> {
        (self.0)(out);
        Ok(())
    }
}

impl CryptoRng for Random<'_> {}

impl SecretKey {
    /// Makes a key. `random` must be unpredictable.
    ///
    /// # Errors
    /// A user id that no key can have.
    pub fn generate(
        algorithm: Algorithm,
        user_id: &str,
        at: Timestamp,
        random: &(dyn Fn(&mut [u8]) + Sync),
    ) -> Result<Self, InvalidKey> {
        let kind = match algorithm {
            // The form before RFC 9580, because GnuPG and rpm know no other.
            Algorithm::Ed25519 => KeyType::Ed25519Legacy,
            Algorithm::Rsa4096 => KeyType::Rsa(4096),
        };
        let mut params = SecretKeyParamsBuilder::default();
        params
            .version(KeyVersion::V4)
            .key_type(kind)
            .can_certify(true)
            .can_sign(true)
            .can_encrypt(EncryptionCaps::None)
            .created_at(seconds(at))
            .primary_user_id(user_id.to_owned());
        let params = params.build().map_err(InvalidKey::because)?;
        Self::new(params.generate(Random(random)).map_err(InvalidKey::because)?)
    }

    /// Takes a private key in: armored or not, with its passphrase if it has one. What comes out needs none any more.
    ///
    /// # Errors
    /// What is no private key, a wrong passphrase, and keys that cannot sign or do not vouch for themselves.
    pub fn import(input: &[u8], passphrase: &str) -> Result<Self, InvalidKey> {
        if input.len() > MOST_BYTES {
            return Err(InvalidKey(format!("more than {MOST_BYTES} bytes are no key")));
        }
        let mut keys = Vec::new();
        for block in blocks(input)? {
            for key in SignedSecretKey::from_bytes_many(block.as_slice()).map_err(InvalidKey::because)? {
                keys.push(key.map_err(|_| InvalidKey("there is no OpenPGP private key in it".to_owned()))?);
            }
        }
        let [key] = <[SignedSecretKey; 1]>::try_from(keys).map_err(|keys| match keys.len() {
            0 => InvalidKey("there is no OpenPGP private key in it".to_owned()),
            many => InvalidKey(format!("there are {many} keys in it, and only one can be taken at a time")),
        })?;
        Self::new(unlocked(key, passphrase))
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// Anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        Self::new(SignedSecretKey::from_bytes(bytes).map_err(InvalidKey::because)?)
    }

    /// The key as OpenPGP packets, without a passphrase: to be sealed by whoever keeps it.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, InvalidKey> {
        self.key.to_bytes().map_err(InvalidKey::because)
    }

    /// The public half.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn new(key: SignedSecretKey) -> Result<Self, InvalidKey> {
        let certificate = Certificate::new(key.to_public_key())?;
        if certificate.is_revoked() {
            return Err(InvalidKey("the key was revoked by its owner".to_owned()));
        }
        let part = signing_part(&key, &certificate)?;
        Ok(Self { key, certificate, part })
    }

    pub(super) fn signing(&self) -> Option<Signing<'_>> {
        match self.part {
            Part::Primary => Some(Signing::Primary(&self.key.primary_key)),
            Part::Subkey(at) => self.key.secret_subkeys.get(at).map(|subkey| Signing::Subkey(&subkey.key)),
        }
    }
}

/// What the passphrase does not open stays shut: perhaps it is not needed.
fn unlocked(mut key: SignedSecretKey, passphrase: &str) -> SignedSecretKey {
    let password = Password::from(passphrase);
    let _ = key.primary_key.remove_password(&password);
    for subkey in &mut key.secret_subkeys {
        let _ = subkey.key.remove_password(&password);
    }
    key
}

/// The newest subkey that may sign and is here, as GnuPG chooses; the primary key otherwise.
fn signing_part(key: &SignedSecretKey, certificate: &Certificate) -> Result<Part, InvalidKey> {
    let may_sign: Vec<_> = certificate
        .signing_subkeys()
        .iter()
        .filter_map(|(at, _)| certificate.key.public_subkeys.get(*at))
        .map(|subkey| subkey.key.fingerprint())
        .collect();
    let subkeys = key.secret_subkeys.iter().enumerate().filter(|(_, sub)| may_sign.contains(&sub.key.fingerprint()));
    let open = |params: &SecretParams| matches!(params, SecretParams::Plain(_));
    let newest =
        subkeys.clone().filter(|(_, sub)| open(sub.key.secret_params())).max_by_key(|(_, sub)| sub.key.created_at());
    if let Some((at, _)) = newest {
        return Ok(Part::Subkey(at));
    }
    let primary = certificate.primary_may_sign();
    if primary && open(key.primary_key.secret_params()) {
        return Ok(Part::Primary);
    }
    if primary || subkeys.count() > 0 {
        return Err(InvalidKey("the private key is locked: the passphrase does not open it".to_owned()));
    }
    Err(InvalidKey("the key is not for signing".to_owned()))
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("fingerprint", &self.certificate.fingerprint()).finish_non_exhaustive()
    }
}
