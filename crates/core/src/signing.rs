//! Keys that sign indexes: one per repository, made when first needed, kept sealed with the instance key.

mod keyring;
mod openpgp;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use wharf_db::Durability;
use wharf_db::catalog::signing_keys::{self, NewKey, SigningKey};

use crate::repository::Target;
use crate::{Core, Error, Result};
pub use keyring::{TrustedKey, Verdict};
pub(crate) use openpgp::Signers;
pub use openpgp::{PublicKeys, RepositoryKey};

const KIND: &str = "ed25519";
const PURPOSE: &str = "signing-keys";

/// The public half of a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// `ed25519`: the 32 bytes of RFC 8032.
    pub kind: String,
    /// The key.
    pub public: Vec<u8>,
}

/// A signature and the key that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// What verifies it.
    pub key: PublicKey,
    /// `ed25519`: the 64 bytes of RFC 8032.
    pub signature: Vec<u8>,
}

/// Why a key cannot be used so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is none, or not one for this.
    #[error("the key cannot be used: {0}")]
    Invalid(String),
    /// No such key is in use here.
    #[error("there is no key {0} in use here")]
    Unknown(String),
    /// It signs for this repository already.
    #[error("the key {0} signs for this repository already")]
    Exists(String),
    /// Something has to sign.
    #[error("it is the only key that signs for this repository: rotate it or import another first")]
    Last,
    /// There are enough.
    #[error("there are {0} keys already: retire or remove one first")]
    TooMany(usize),
}

impl From<SigningKey> for PublicKey {
    fn from(key: SigningKey) -> Self {
        Self { kind: KIND.to_owned(), public: key.public }
    }
}

pub(crate) fn unusable(error: impl std::fmt::Display) -> Error {
    Error::Inconsistent(format!("a signing key cannot be used: {error}"))
}

impl Core {
    /// The keys that sign the repository's index now. Made if there is none, so that a client can be set up before the first
    /// package is there.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn signing_keys(&self, target: &Target) -> Result<Vec<PublicKey>> {
        let found = self.inner.db.read(target, |tx, target| Box::pin(target.require(tx))).await?;
        let keys = self.active_keys(found.id).await?;
        Ok(keys.into_iter().map(PublicKey::from).collect())
    }

    pub(crate) async fn sign(&self, repository: i64, message: &[u8]) -> Result<Vec<Signature>> {
        let keys = self.active_keys(repository).await?;
        let sign = |key: SigningKey| {
            let pkcs8 = self.inner.instance_key.open(PURPOSE, &key.secret).map_err(unusable)?;
            let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(unusable)?;
            Ok(Signature { signature: pair.sign(message).as_ref().to_vec(), key: key.into() })
        };
        keys.into_iter().map(sign).collect()
    }

    async fn active_keys(&self, repository: i64) -> Result<Vec<SigningKey>> {
        let active = self.inner.db.read(&repository, |tx, id| Box::pin(signing_keys::active(tx, *id, KIND))).await;
        let active = active.map_err(Error::from)?;
        if active.is_empty() { self.make_key(repository).await } else { Ok(active) }
    }

    async fn make_key(&self, repository: i64) -> Result<Vec<SigningKey>> {
        let pair = Ed25519KeyPair::generate().map_err(unusable)?;
        let pkcs8 = pair.to_pkcs8().map_err(unusable)?;
        let secret = self.inner.instance_key.seal(PURPOSE, pkcs8.as_ref()).map_err(unusable)?;
        let public = pair.public_key().as_ref().to_vec();
        let at = self.inner.clock.now();
        self.first_key(NewKey { repository, kind: KIND, public, secret, fingerprint: None, at }).await
    }

    /// Writes a repository's first key of a kind down. Of two that make one at once both get the same.
    async fn first_key(&self, key: NewKey) -> Result<Vec<SigningKey>> {
        let made = self.inner.db.write(Durability::Full, key, |tx, new| {
            Box::pin(async move {
                if signing_keys::active(tx, new.repository, new.kind).await?.is_empty() {
                    signing_keys::insert(tx, new).await?;
                }
                Ok::<_, Error>(signing_keys::active(tx, new.repository, new.kind).await?)
            })
        });
        made.await
    }
}
