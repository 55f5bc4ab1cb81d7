//! OpenPGP keys of repositories. Each has its own, made when its index is first signed or its key first asked for; during a rotation
//! there are two, and both sign, until the old one is retired.

use wharf_db::catalog::signing_keys::{self, SigningKey};
use wharf_db::catalog::{audit, generations};
use wharf_db::{Durability, Tx};
use wharf_trust::openpgp::{Algorithm, Certificate, SecretKey, armored, certificates, keyring};
use wharf_types::Timestamp;

use super::{KeyError, PURPOSE};
use crate::publish::ask_for_index;
use crate::repository::Target;
use crate::{Actor, Core, Error, Result};

pub(crate) const KIND: &str = "openpgp";
/// More than one rotation at a time is a mistake, and each signature makes clients' downloads longer.
const MOST_ACTIVE: usize = 4;
/// So many of the past are listed.
const MOST_LISTED: i64 = 100;

/// An OpenPGP key of a repository.
#[derive(Debug, Clone)]
pub struct RepositoryKey {
    /// The public half.
    pub certificate: Certificate,
    /// When it was made here, or brought.
    pub created_at: Timestamp,
    /// Since when it signs no more; `None` if it signs.
    pub retired_at: Option<Timestamp>,
}

/// The public keys of a repository, as clients want them: all that sign now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeys {
    /// One armored block: `Signed-By` of apt, `gpgkey` of dnf.
    pub armored: String,
    /// OpenPGP packets: a keyring of GnuPG.
    pub binary: Vec<u8>,
}

/// The keys that sign a publication, opened.
pub(crate) struct Signers {
    pub(crate) keys: Vec<SecretKey>,
    /// Their numbers.
    pub(crate) ids: String,
}

struct Change {
    target: Target,
    what: What,
    actor: Actor,
    at: Timestamp,
    publish_delay: std::time::Duration,
}

enum What {
    Add { action: &'static str, key: NewKey },
    Retire(String),
}

/// A key on its way into its row.
struct NewKey {
    public: Vec<u8>,
    secret: Vec<u8>,
    fingerprint: String,
}

impl NewKey {
    fn row(&self, repository: i64, at: Timestamp) -> signing_keys::NewKey {
        let (public, secret) = (self.public.clone(), self.secret.clone());
        signing_keys::NewKey { repository, kind: KIND, public, secret, fingerprint: Some(self.fingerprint.clone()), at }
    }
}

fn certificate(row: &SigningKey) -> Result<Certificate> {
    let mut read = certificates(&row.public).map_err(super::unusable)?;
    read.pop().ok_or_else(|| super::unusable("its row holds none"))
}

fn id_list(rows: &[SigningKey]) -> String {
    rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>().join(" ")
}

impl Core {
    /// The OpenPGP keys of a repository, the newest first, retired ones too. Makes none.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn repository_keys(&self, target: &Target) -> Result<Vec<RepositoryKey>> {
        let rows = self.inner.db.read(target, |tx, target| {
            Box::pin(async move {
                let repository = target.require(tx).await?.id;
                Ok::<_, Error>(signing_keys::all(tx, repository, KIND, MOST_LISTED).await?)
            })
        });
        let key = |row: SigningKey| {
            let SigningKey { created_at, retired_at, .. } = row;
            Ok(RepositoryKey { certificate: certificate(&row)?, created_at, retired_at })
        };
        rows.await?.into_iter().map(key).collect()
    }

    /// The public OpenPGP keys that sign a repository's index. One is made if there is none, so that a client can be set up before
    /// the first package is there.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`].
    pub async fn public_keys(&self, target: &Target) -> Result<PublicKeys> {
        let found = self.inner.db.read(target, |tx, target| Box::pin(target.require(tx))).await?;
        let rows = self.active_openpgp(target, found.id).await?;
        let all = rows.iter().map(certificate).collect::<Result<Vec<_>>>()?;
        let armored = armored(&all).map_err(super::unusable)?;
        Ok(PublicKeys { armored, binary: keyring(&all).map_err(super::unusable)? })
    }

    /// Makes another key. From now on both sign: clients that know either are content, and have time to fetch the new one.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`KeyError::TooMany`].
    pub async fn rotate_key(
        &self,
        target: &Target,
        algorithm: Option<Algorithm>,
        actor: &Actor,
    ) -> Result<RepositoryKey> {
        let key = self.generate(target, algorithm).await?;
        self.add_key(target, "key.rotate", key, actor).await
    }

    /// Takes in a private key that its owner has brought; it signs from now on, beside those that are there.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`KeyError`].
    pub async fn import_key(
        &self,
        target: &Target,
        key: Vec<u8>,
        passphrase: String,
        actor: &Actor,
    ) -> Result<RepositoryKey> {
        let read = tokio::task::spawn_blocking(move || SecretKey::import(&key, &passphrase)).await;
        let key = read.map_err(super::unusable)?.map_err(|error| KeyError::Invalid(error.to_string()))?;
        self.add_key(target, "key.import", key, actor).await
    }

    /// Lets a key sign no more. The last one stays: something has to sign.
    ///
    /// # Errors
    /// [`Error::RepositoryUnknown`], [`KeyError::Unknown`], [`KeyError::Last`].
    pub async fn retire_key(&self, target: &Target, fingerprint: &str, actor: &Actor) -> Result<()> {
        self.change_keys(target, What::Retire(fingerprint.to_uppercase()), actor).await
    }

    async fn add_key(
        &self,
        target: &Target,
        action: &'static str,
        key: SecretKey,
        actor: &Actor,
    ) -> Result<RepositoryKey> {
        let certificate = key.certificate().clone();
        let key = self.sealed(&key)?;
        self.change_keys(target, What::Add { action, key }, actor).await?;
        Ok(RepositoryKey { certificate, created_at: self.inner.clock.now(), retired_at: None })
    }

    async fn change_keys(&self, target: &Target, what: What, actor: &Actor) -> Result<()> {
        let (at, publish_delay) = (self.inner.clock.now(), self.inner.config.publish_delay);
        let change = Change { target: target.clone(), what, actor: actor.clone(), at, publish_delay };
        self.inner.db.write(Durability::Full, change, |tx, c| Box::pin(carry_out(tx, c))).await?;
        self.inner.work.notify_one();
        Ok(())
    }

    /// The keys that sign now, opened; one is made if there is none.
    pub(crate) async fn signers(&self, target: &Target, repository: i64) -> Result<Signers> {
        let rows = self.active_openpgp(target, repository).await?;
        let open = |row: &SigningKey| {
            let secret = self.inner.instance_key.open(PURPOSE, &row.secret).map_err(super::unusable)?;
            SecretKey::from_bytes(&secret).map_err(super::unusable)
        };
        Ok(Signers { keys: rows.iter().map(open).collect::<Result<_>>()?, ids: id_list(&rows) })
    }

    /// Whether other OpenPGP keys sign now than signed that generation.
    pub(crate) async fn keys_have_changed(&self, repository: i64, generation: Option<i64>) -> Result<bool> {
        let Some(generation) = generation else { return Ok(false) };
        let args = (repository, generation);
        let found = self.inner.db.read(&args, |tx, (repository, generation)| {
            Box::pin(async move {
                let active = signing_keys::active(tx, *repository, KIND).await?;
                Ok::<_, wharf_db::Error>((id_list(&active), generations::signed_by(tx, *generation).await?))
            })
        });
        let (now, then) = found.await.map_err(Error::from)?;
        Ok(now != then)
    }

    async fn active_openpgp(&self, target: &Target, repository: i64) -> Result<Vec<SigningKey>> {
        let active = self.inner.db.read(&repository, |tx, id| Box::pin(signing_keys::active(tx, *id, KIND))).await;
        let active = active.map_err(Error::from)?;
        if !active.is_empty() {
            return Ok(active);
        }
        let key = self.generate(target, None).await?;
        let row = self.sealed(&key)?.row(repository, self.inner.clock.now());
        self.first_key(row).await
    }

    async fn generate(&self, target: &Target, algorithm: Option<Algorithm>) -> Result<SecretKey> {
        let algorithm = algorithm.unwrap_or(self.inner.config.key_algorithm);
        let (service, at) = (&self.inner.auth.config().service, self.inner.clock.now());
        let user_id = format!("{} ({} repository of {service})", target.name.full(), target.format);
        let entropy = self.inner.entropy.clone();
        // An RSA key takes a second.
        let made = tokio::task::spawn_blocking(move || {
            SecretKey::generate(algorithm, &user_id, at, &|bytes: &mut [u8]| entropy.fill(bytes))
        });
        made.await.map_err(super::unusable)?.map_err(super::unusable)
    }

    fn sealed(&self, key: &SecretKey) -> Result<NewKey> {
        let plain = key.to_bytes().map_err(super::unusable)?;
        let secret = self.inner.instance_key.seal(PURPOSE, &plain).map_err(super::unusable)?;
        let public = key.certificate().to_bytes().map_err(super::unusable)?;
        Ok(NewKey { public, secret, fingerprint: key.certificate().fingerprint() })
    }
}

async fn carry_out(tx: &mut Tx<'_>, change: &Change) -> Result<()> {
    let Change { target, what, actor, at, publish_delay } = change;
    let repository = target.require(tx).await?.id;
    let active = signing_keys::active(tx, repository, KIND).await?;
    let (action, fingerprint) = match what {
        What::Add { action, key } => {
            let known = active.iter().map(|row| row.public.as_slice()).any(|public| public == key.public);
            if known {
                return Err(KeyError::Exists(key.fingerprint.clone()).into());
            }
            if active.len() >= MOST_ACTIVE {
                return Err(KeyError::TooMany(MOST_ACTIVE).into());
            }
            signing_keys::insert(tx, &key.row(repository, *at)).await?;
            (*action, &key.fingerprint)
        }
        What::Retire(fingerprint) => {
            let mut found = None;
            for row in &active {
                if certificate(row)?.fingerprint() == *fingerprint {
                    found = Some(row.id);
                }
            }
            let id = found.ok_or_else(|| KeyError::Unknown(fingerprint.clone()))?;
            if active.len() == 1 {
                return Err(KeyError::Last.into());
            }
            signing_keys::retire(tx, id, *at).await?;
            ("key.retire", fingerprint)
        }
    };
    let entry = crate::actor::about(actor.did(action, &target.name, *at), Some(fingerprint.clone()), None);
    audit::append(tx, &entry).await?;
    for channel in generations::channels(tx, repository).await? {
        ask_for_index(tx, target, (repository, &channel), *publish_delay, *at).await?;
    }
    Ok(())
}
