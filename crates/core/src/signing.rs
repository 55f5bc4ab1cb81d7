//! Keys that sign indexes: one per repository, made when first needed, kept sealed with the instance key.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use wharf_db::Durability;
use wharf_db::catalog::signing_keys::{self, SigningKey};
use wharf_types::Timestamp;

use crate::repository::Target;
use crate::{Core, Error, Result};

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

struct NewKey {
    repository: i64,
    public: Vec<u8>,
    secret: Vec<u8>,
    at: Timestamp,
}

impl From<SigningKey> for PublicKey {
    fn from(key: SigningKey) -> Self {
        Self { kind: key.kind, public: key.public }
    }
}

fn unusable(error: impl std::fmt::Display) -> Error {
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
        let active = self.inner.db.read(&repository, |tx, id| Box::pin(signing_keys::active(tx, *id))).await;
        let active = active.map_err(Error::from)?;
        if active.is_empty() { self.make_key(repository).await } else { Ok(active) }
    }

    async fn make_key(&self, repository: i64) -> Result<Vec<SigningKey>> {
        let pair = Ed25519KeyPair::generate().map_err(unusable)?;
        let pkcs8 = pair.to_pkcs8().map_err(unusable)?;
        let secret = self.inner.instance_key.seal(PURPOSE, pkcs8.as_ref()).map_err(unusable)?;
        let public = pair.public_key().as_ref().to_vec();
        let args = NewKey { repository, public, secret, at: self.inner.clock.now() };
        let made = self.inner.db.write(Durability::Full, args, |tx, new| {
            Box::pin(async move {
                // Two that ask at once get one key.
                if signing_keys::active(tx, new.repository).await?.is_empty() {
                    signing_keys::insert(tx, new.repository, KIND, &new.public, &new.secret, new.at).await?;
                }
                Ok::<_, Error>(signing_keys::active(tx, new.repository).await?)
            })
        });
        made.await
    }
}
