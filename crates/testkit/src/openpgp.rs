//! OpenPGP keys of people in tests.

use wharf_trust::openpgp::{Algorithm, SecretKey, clear_sign, keyring, sign_detached};
use wharf_types::Timestamp;

/// Somebody's key.
pub struct OpenPgpKey {
    /// The private key without a passphrase, as OpenPGP packets.
    pub secret: Vec<u8>,
    /// The public key, as OpenPGP packets.
    pub public: Vec<u8>,
    key: SecretKey,
}

/// Makes a key for a user id, dated long ago.
///
/// # Panics
/// If the user id is none.
pub fn openpgp_key(user_id: &str) -> OpenPgpKey {
    let random = |bytes: &mut [u8]| rand::Rng::fill_bytes(&mut rand::rng(), bytes);
    let key =
        SecretKey::generate(Algorithm::Ed25519, user_id, Timestamp::from_millis(LONG_AGO), &random).expect("a key");
    let (secret, public) = (key.to_bytes().expect("a key"), keyring(&[key.certificate().clone()]).expect("a key"));
    OpenPgpKey { secret, public, key }
}

/// 2020.
const LONG_AGO: i64 = 1_577_836_800_000;

impl OpenPgpKey {
    /// The text with a signature around it.
    ///
    /// # Panics
    /// If it cannot be signed.
    pub fn clear_sign(&self, text: &str) -> String {
        clear_sign(text, std::slice::from_ref(&self.key), Timestamp::from_millis(LONG_AGO + 1000)).expect("a signature")
    }

    /// A signature beside the data, armored.
    ///
    /// # Panics
    /// If it cannot be signed.
    pub fn sign_detached(&self, data: &[u8]) -> String {
        let at = Timestamp::from_millis(LONG_AGO + 1000);
        sign_detached(data, std::slice::from_ref(&self.key), at).expect("a signature")
    }
}
