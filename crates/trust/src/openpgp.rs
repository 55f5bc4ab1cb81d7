//! OpenPGP (RFC 9580): keys that sign indexes, and certificates that vouch for what others upload.

mod certificate;
mod secret;
mod sign;
mod verify;

use wharf_types::Timestamp;

pub use certificate::{Certificate, armored, certificates, keyring};
pub use secret::{Algorithm, SecretKey};
pub use sign::{clear_sign, sign_detached};
pub use verify::{Signer, Unverified, verify_clear_signed, verify_detached};

/// Most bytes of a file of keys or signatures that is looked at.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Why something cannot be used as a key, or a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKey(pub(crate) String);

impl InvalidKey {
    fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// OpenPGP counts seconds.
fn seconds(at: Timestamp) -> pgp::types::Timestamp {
    pgp::types::Timestamp::from_secs(u32::try_from(at.as_millis() / 1000).unwrap_or_default())
}

fn timestamp(at: pgp::types::Timestamp) -> Timestamp {
    Timestamp::from_millis(i64::from(at.as_secs()) * 1000)
}
