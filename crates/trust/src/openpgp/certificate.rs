//! Certificates: public keys with what their owner says of them. What is not signed by the key itself does not count.

use std::collections::HashSet;

use pgp::armor::BlockType;
use pgp::composed::{Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{Fingerprint, KeyDetails, KeyId, SignedUser, Tag};
use wharf_types::Timestamp;

use super::{InvalidKey, MOST_BYTES, timestamp};

/// Most certificates of one file.
const MOST: usize = 200;

/// A public key whose own statements have been checked.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub(super) key: SignedPublicKey,
    user_id: String,
    expires_at: Option<Timestamp>,
    revoked: bool,
    primary_signs: bool,
    /// The subkeys that may sign: which, and until when.
    subkeys: Vec<(usize, Option<Timestamp>)>,
}

impl Certificate {
    /// Checks a key's statements about itself.
    ///
    /// # Errors
    /// A key that does not vouch for itself.
    pub(super) fn new(key: SignedPublicKey) -> Result<Self, InvalidKey> {
        let primary = &key.primary_key;
        let users: Vec<(&SignedUser, &Signature)> =
            key.details.users.iter().filter_map(|user| Some((user, own_statement(&key, user)?))).collect();
        let direct = key.details.direct_signatures.iter().filter(|sig| sig.verify_key(primary).is_ok());
        let Some(newest) = users.iter().map(|(_, sig)| *sig).chain(direct).max_by_key(|sig| made(sig)) else {
            return Err(InvalidKey("the key has no valid signature of its own".to_owned()));
        };
        let shown = users.iter().max_by_key(|(user, sig)| (user.is_primary(), made(sig)));
        let user_id = shown.and_then(|(user, _)| user.id.as_str()).unwrap_or_default().to_owned();
        let (expires_at, primary_signs) = (expiry(primary, newest), may_sign(newest).unwrap_or(true));
        let revoked = key.details.revocation_signatures.iter().any(|sig| sig.verify_key(primary).is_ok());
        let subkeys = key.public_subkeys.iter().enumerate();
        let subkeys = subkeys.filter_map(|(at, subkey)| Some((at, signing_until(&key, subkey)?))).collect();
        Ok(Self { expires_at, revoked, primary_signs, subkeys, user_id, key })
    }

    /// Of the primary key, in hexadecimal capitals.
    pub fn fingerprint(&self) -> String {
        format!("{:X}", self.key.fingerprint())
    }

    /// Who it says it is: the user id, or nothing.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// `rsa4096`, `ed25519` and so on.
    pub fn algorithm(&self) -> String {
        let bits = || {
            let numbers = self.key.public_params().to_bytes().ok()?;
            Some(u16::from_be_bytes([*numbers.first()?, *numbers.get(1)?]))
        };
        match self.key.algorithm() {
            PublicKeyAlgorithm::RSA | PublicKeyAlgorithm::RSASign => format!("rsa{}", bits().unwrap_or_default()),
            PublicKeyAlgorithm::EdDSALegacy | PublicKeyAlgorithm::Ed25519 => "ed25519".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    /// When the key was made.
    pub fn created_at(&self) -> Timestamp {
        timestamp(self.key.created_at())
    }

    /// When it ends, if it does.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Whether its owner has taken it back.
    pub fn is_revoked(&self) -> bool {
        self.revoked
    }

    /// The certificate as OpenPGP packets.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, InvalidKey> {
        self.key.to_bytes().map_err(InvalidKey::because)
    }

    /// The ids of all its keys: by these a signature says who made it.
    pub(super) fn key_ids(&self) -> HashSet<KeyId> {
        let subkeys = self.key.public_subkeys.iter().map(|subkey| subkey.key.legacy_key_id());
        std::iter::once(self.key.legacy_key_id()).chain(subkeys).collect()
    }

    pub(super) fn has(&self, fingerprint: &Fingerprint) -> bool {
        let mut subkeys = self.key.public_subkeys.iter();
        self.key.fingerprint() == *fingerprint || subkeys.any(|subkey| subkey.key.fingerprint() == *fingerprint)
    }

    pub(super) fn primary_may_sign(&self) -> bool {
        self.primary_signs
    }

    /// The subkeys that may sign: which of the certificate's, and until when.
    pub(super) fn signing_subkeys(&self) -> &[(usize, Option<Timestamp>)] {
        &self.subkeys
    }
}

fn made(signature: &Signature) -> Option<u32> {
    signature.created().map(pgp::types::Timestamp::as_secs)
}

fn is_binding(signature: &Signature) -> bool {
    matches!(
        signature.typ(),
        Some(
            SignatureType::CertGeneric
                | SignatureType::CertPersona
                | SignatureType::CertCasual
                | SignatureType::CertPositive
        )
    )
}

/// The newest of the key's own signatures over a user id, unless it was taken back later.
fn own_statement<'a>(key: &SignedPublicKey, user: &'a SignedUser) -> Option<&'a Signature> {
    let own = |sig: &&Signature| sig.verify_certification(&key.primary_key, Tag::UserId, &user.id).is_ok();
    let newest = user.signatures.iter().filter(|sig| is_binding(sig)).filter(own).max_by_key(|sig| made(sig))?;
    let taken_back = |sig: &&Signature| sig.typ() == Some(SignatureType::CertRevocation) && made(sig) >= made(newest);
    if user.signatures.iter().filter(taken_back).any(|sig| own(&sig)) { None } else { Some(newest) }
}

/// Whether a key's own signature lets it sign data; `None` if it says nothing of what the key is for.
fn may_sign(statement: &Signature) -> Option<bool> {
    let says = statement.config()?.hashed_subpackets().any(|part| matches!(part.data, SubpacketData::KeyFlags(_)));
    says.then(|| statement.key_flags().sign())
}

fn expiry(key: &impl KeyDetails, statement: &Signature) -> Option<Timestamp> {
    let after = statement.key_expiration_time()?.as_secs();
    (after > 0).then(|| Timestamp::from_millis((i64::from(key.created_at().as_secs()) + i64::from(after)) * 1000))
}

/// `Some` if the subkey may sign, with the time until which.
fn signing_until(key: &SignedPublicKey, subkey: &SignedPublicSubKey) -> Option<Option<Timestamp>> {
    let primary = &key.primary_key;
    let bound = |sig: &&Signature| sig.verify_subkey_binding(primary, &subkey.key).is_ok();
    let of = |kind: SignatureType| subkey.signatures.iter().filter(move |sig| sig.typ() == Some(kind)).filter(bound);
    if of(SignatureType::SubkeyRevocation).next().is_some() {
        return None;
    }
    let newest = of(SignatureType::SubkeyBinding).max_by_key(|sig| made(sig))?;
    // Without the subkey's own word anybody could claim it (section 5.2.1.9).
    let back = newest.embedded_signature().filter(|back| back.verify_primary_key_binding(&subkey.key, primary).is_ok());
    (newest.key_flags().sign() && back.is_some()).then(|| expiry(&subkey.key, newest))
}

/// Reads certificates: OpenPGP packets, or any number of armored blocks.
///
/// # Errors
/// What cannot be read, private keys, and keys that do not vouch for themselves.
pub fn certificates(input: &[u8]) -> Result<Vec<Certificate>, InvalidKey> {
    if input.len() > MOST_BYTES {
        return Err(InvalidKey(format!("more than {MOST_BYTES} bytes are no key")));
    }
    let mut found = Vec::new();
    for block in blocks(input)? {
        let keys = SignedPublicKey::from_bytes_many(block.as_slice()).map_err(InvalidKey::because)?;
        for key in keys {
            if found.len() == MOST {
                return Err(InvalidKey(format!("more than {MOST} keys at once")));
            }
            found.push(Certificate::new(key.map_err(InvalidKey::because)?)?);
        }
    }
    if found.is_empty() {
        return Err(InvalidKey("there is no OpenPGP public key in it".to_owned()));
    }
    Ok(found)
}

/// The packets of each armored block; the input itself if it has none.
pub(super) fn blocks(input: &[u8]) -> Result<Vec<Vec<u8>>, InvalidKey> {
    const BEGIN: &str = "-----BEGIN PGP ";
    const END: &str = "-----END PGP ";
    let Some(text) = std::str::from_utf8(input).ok().filter(|text| text.contains(BEGIN)) else {
        return Ok(vec![input.to_vec()]);
    };
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let Some(end) = rest[begin..].find(END) else {
            return Err(InvalidKey("an armored block does not end".to_owned()));
        };
        let line_end = rest[begin + end..].find('\n').map_or(rest.len(), |line| begin + end + line + 1);
        let mut unarmored = pgp::armor::Dearmor::new(&rest.as_bytes()[begin..line_end]);
        let mut packets = Vec::new();
        unarmored.read_header().map_err(InvalidKey::because)?;
        std::io::Read::read_to_end(&mut unarmored, &mut packets).map_err(InvalidKey::because)?;
        if unarmored.typ == Some(BlockType::CleartextMessage) {
            return Err(InvalidKey("this is a signed message, not a key".to_owned()));
        }
        blocks.push(packets);
        rest = &rest[line_end..];
    }
    Ok(blocks)
}

/// All certificates in one armored block: apt reads no more than one of a file.
///
/// # Errors
/// What cannot be written.
pub fn armored(certificates: &[Certificate]) -> Result<String, InvalidKey> {
    struct All<'a>(&'a [Certificate]);
    impl Serialize for All<'_> {
        fn to_writer<W: std::io::Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
            self.0.iter().try_for_each(|certificate| certificate.key.to_writer(writer))
        }

        fn write_len(&self) -> usize {
            self.0.iter().map(|certificate| certificate.key.write_len()).sum()
        }
    }
    let mut out = Vec::new();
    pgp::armor::write(&All(certificates), BlockType::PublicKey, &mut out, None, true).map_err(InvalidKey::because)?;
    String::from_utf8(out).map_err(InvalidKey::because)
}

/// All certificates as packets: what `gpgv --keyring` and `/etc/apt/keyrings/*.gpg` take.
///
/// # Errors
/// What cannot be written.
pub fn keyring(certificates: &[Certificate]) -> Result<Vec<u8>, InvalidKey> {
    let all: Result<Vec<_>, _> = certificates.iter().map(Certificate::to_bytes).collect();
    Ok(all?.concat())
}
