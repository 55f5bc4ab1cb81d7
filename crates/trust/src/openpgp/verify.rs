//! Whether a signature is one of a known key, and that key good when it was made.

use pgp::armor::DearmorOptions;
use pgp::composed::{CleartextSignedMessage, Deserializable, DetachedSignature};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use wharf_types::Timestamp;

use super::certificate::blocks;
use super::{Certificate, MOST_BYTES, timestamp};

/// Who vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Of the certificate, in hexadecimal capitals.
    pub fingerprint: String,
    /// Who it says it is.
    pub user_id: String,
    /// When it signed, by its own clock.
    pub signed_at: Timestamp,
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It is none, or damaged.
    #[error("there is no readable OpenPGP signature: {0}")]
    Unreadable(String),
    /// It may be good, but nobody here knows the key.
    #[error("it is signed by the key {0}, which is not in the keyring")]
    UnknownKey(String),
    /// The key is known, and has not signed this; or it may not sign; or not any more.
    #[error("the signature of {fingerprint} does not count: {why}")]
    Bad {
        /// Of the certificate.
        fingerprint: String,
        /// In words.
        why: String,
    },
}

/// Checks a detached signature, armored or not, by any certificate of the keyring. Of several signatures one good one is enough.
///
/// # Errors
/// [`Unverified`], with the most telling reason.
pub fn verify_detached(
    keyring: &[Certificate],
    data: &[u8],
    signature: &[u8],
    now: Timestamp,
) -> Result<Signer, Unverified> {
    let unreadable = |error: &dyn std::fmt::Display| Unverified::Unreadable(error.to_string());
    if signature.len() > MOST_BYTES {
        return Err(unreadable(&"it is too large"));
    }
    let mut signatures = Vec::new();
    for block in blocks(signature).map_err(|error| unreadable(&error))? {
        for found in DetachedSignature::from_bytes_many(block.as_slice()).map_err(|error| unreadable(&error))? {
            signatures.push(found.map_err(|error| unreadable(&error))?.signature);
        }
    }
    any_good(keyring, &signatures, data, now)
}

/// Checks a clear-signed message (section 7) and gives the text that is signed, with plain line ends: what stands around it is
/// nobody's word.
///
/// # Errors
/// [`Unverified`], with the most telling reason.
pub fn verify_clear_signed(
    keyring: &[Certificate],
    message: &str,
    now: Timestamp,
) -> Result<(String, Signer), Unverified> {
    if message.len() > MOST_BYTES {
        return Err(Unverified::Unreadable("it is too large".to_owned()));
    }
    let read = CleartextSignedMessage::from_armor_buf(message.as_bytes(), DearmorOptions::default());
    let (message, _) = read.map_err(|error| Unverified::Unreadable(error.to_string()))?;
    let text = message.signed_text();
    let signer = any_good(keyring, message.signatures(), text.as_bytes(), now)?;
    Ok((text.replace("\r\n", "\n"), signer))
}

fn any_good(
    keyring: &[Certificate],
    signatures: &[Signature],
    data: &[u8],
    now: Timestamp,
) -> Result<Signer, Unverified> {
    let mut worst = None;
    for signature in signatures {
        match one(keyring, signature, data, now) {
            Ok(signer) => return Ok(signer),
            // A known key that does not vouch says more than an unknown one.
            Err(bad @ Unverified::Bad { .. }) => worst = Some(bad),
            Err(other) => worst = worst.or(Some(other)),
        }
    }
    Err(worst.unwrap_or_else(|| Unverified::Unreadable("there is none".to_owned())))
}

fn one(keyring: &[Certificate], signature: &Signature, data: &[u8], now: Timestamp) -> Result<Signer, Unverified> {
    let mut named: Vec<_> = signature.issuer_key_id().into_iter().copied().collect();
    let fingerprints = signature.issuer_fingerprint();
    let knows = |certificate: &&Certificate| {
        let ids = certificate.key_ids();
        let by_fingerprint = fingerprints.iter().any(|fingerprint| certificate.has(fingerprint));
        by_fingerprint || named.iter().any(|id| ids.contains(id))
    };
    let known: Vec<_> = keyring.iter().filter(knows).collect();
    let mut verdict = None;
    for certificate in known {
        match by(certificate, signature, data, now) {
            Ok(signer) => return Ok(signer),
            Err(why) => verdict = Some(Unverified::Bad { fingerprint: certificate.fingerprint(), why }),
        }
    }
    Err(verdict.unwrap_or_else(|| {
        let fingerprint = fingerprints.first().map(|fingerprint| format!("{fingerprint:X}"));
        Unverified::UnknownKey(fingerprint.or_else(|| named.pop().map(hex::encode_upper)).unwrap_or_default())
    }))
}

fn by(certificate: &Certificate, signature: &Signature, data: &[u8], now: Timestamp) -> Result<Signer, String> {
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err("it is no signature over a document".to_owned());
    }
    let weak = [HashAlgorithm::Md5, HashAlgorithm::Sha1, HashAlgorithm::Ripemd160];
    if let Some(hash) = signature.hash_alg().filter(|hash| weak.contains(hash)) {
        return Err(format!("{hash} can be forged"));
    }
    let Some(signed_at) = signature.created().map(timestamp) else { return Err("it does not say when".to_owned()) };
    if certificate.is_revoked() {
        return Err("its owner has revoked the key".to_owned());
    }
    let over = |end: Option<Timestamp>| end.is_some_and(|end| end <= signed_at || end <= now);
    if over(certificate.expires_at()) {
        return Err("the key has expired".to_owned());
    }
    let lifetime = signature.signature_expiration_time().map(|time| i64::from(time.as_secs()) * 1000);
    if lifetime.is_some_and(|lifetime| lifetime > 0 && signed_at.as_millis() + lifetime <= now.as_millis()) {
        return Err("the signature has expired".to_owned());
    }
    let key = &certificate.key;
    let primary = certificate.primary_may_sign() && signature.verify(&key.primary_key, data).is_ok();
    let mut subkeys = certificate.signing_subkeys().iter().filter(|(_, end)| !over(*end));
    let subkey = || {
        subkeys.any(|(at, _)| key.public_subkeys.get(*at).is_some_and(|sub| signature.verify(&sub.key, data).is_ok()))
    };
    if !primary && !{ subkey }() {
        return Err("it does not fit what it should sign, or the key may not sign".to_owned());
    }
    Ok(Signer { fingerprint: certificate.fingerprint(), user_id: certificate.user_id().to_owned(), signed_at })
}
