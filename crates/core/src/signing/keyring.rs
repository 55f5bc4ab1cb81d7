//! Whom a project trusts: public keys that its people have added, and signatures on what is uploaded checked against them.

use wharf_db::catalog::{audit, project_keys, projects};
use wharf_db::{Durability, Tx};
use wharf_trust::openpgp::{Certificate, Signer, Unverified, certificates, verify_clear_signed, verify_detached};
use wharf_types::{ProjectName, Timestamp};

use super::KeyError;
use crate::{Actor, Core, Error, Result};

/// More than any project's uploaders.
const MOST: usize = 500;

/// A key whose owner a project trusts.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// The public key.
    pub certificate: Certificate,
    /// Who added it.
    pub added_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// What a project's keyring says of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The project has no keys: nothing can be said.
    NoKeyring,
    /// A trusted key has signed this.
    Good(Signer),
    /// No trusted key has, and why.
    Bad(Unverified),
}

struct Change {
    project: ProjectName,
    /// To be added; without any the key is removed.
    keys: Vec<project_keys::ProjectKey>,
    removed: Option<String>,
    actor: Actor,
    at: Timestamp,
}

impl Core {
    /// The keys whose owners a project trusts, by fingerprint.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`].
    pub async fn project_keyring(&self, project: &ProjectName) -> Result<Vec<TrustedKey>> {
        let rows = self.inner.db.read(project, |tx, name| {
            Box::pin(async move {
                let project = projects::find(tx, name).await?.ok_or_else(|| Error::ProjectUnknown(name.clone()))?;
                Ok::<_, Error>(project_keys::of_project(tx, project.id).await?)
            })
        });
        let mut keys = Vec::new();
        for row in rows.await? {
            let project_keys::ProjectKey { public, added_by, created_at, .. } = row;
            for certificate in certificates(&public).map_err(super::unusable)? {
                keys.push(TrustedKey { certificate, added_by: added_by.clone(), created_at });
            }
        }
        Ok(keys)
    }

    /// Adds public keys, armored or not; those that are there are brought up to date.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`], [`KeyError::Invalid`], [`KeyError::TooMany`].
    pub async fn trust_keys(&self, project: &ProjectName, keys: Vec<u8>, actor: &Actor) -> Result<Vec<TrustedKey>> {
        let read = tokio::task::spawn_blocking(move || certificates(&keys)).await.map_err(super::unusable)?;
        let read = read.map_err(|error| KeyError::Invalid(error.to_string()))?;
        let (at, added_by) = (self.inner.clock.now(), actor.name.clone());
        let row = |key: &Certificate| {
            let (fingerprint, public) = (key.fingerprint(), key.to_bytes().map_err(super::unusable)?);
            Ok(project_keys::ProjectKey { fingerprint, public, added_by: added_by.clone(), created_at: at })
        };
        let rows = read.iter().map(row).collect::<Result<Vec<_>>>()?;
        let change = Change { project: project.clone(), keys: rows, removed: None, actor: actor.clone(), at };
        self.inner.db.write(Durability::Full, change, |tx, c| Box::pin(carry_out(tx, c))).await?;
        let trusted = |certificate| TrustedKey { certificate, added_by: actor.name.clone(), created_at: at };
        Ok(read.into_iter().map(trusted).collect())
    }

    /// Removes a key: from now on what it signs is signed by a stranger.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`], [`KeyError::Unknown`].
    pub async fn distrust_key(&self, project: &ProjectName, fingerprint: &str, actor: &Actor) -> Result<()> {
        let (removed, at) = (Some(fingerprint.to_uppercase()), self.inner.clock.now());
        let change = Change { project: project.clone(), keys: Vec::new(), removed, actor: actor.clone(), at };
        self.inner.db.write(Durability::Full, change, |tx, c| Box::pin(carry_out(tx, c))).await
    }

    /// Checks a detached signature (armored or not) against a project's keyring.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`].
    pub async fn verify_detached(&self, project: &ProjectName, data: &[u8], signature: &[u8]) -> Result<Verdict> {
        let Some(keyring) = self.keyring_of(project).await? else { return Ok(Verdict::NoKeyring) };
        let outcome = verify_detached(&keyring, data, signature, self.inner.clock.now());
        Ok(outcome.map_or_else(Verdict::Bad, Verdict::Good))
    }

    /// Checks a clear-signed message (`.changes`, `.dsc`, `.prov`) against a project's keyring, and gives the text that is signed,
    /// where a trusted key has: nothing else of the message may be read then.
    ///
    /// # Errors
    /// [`Error::ProjectUnknown`].
    pub async fn verify_clear_signed(&self, project: &ProjectName, message: &str) -> Result<(Verdict, Option<String>)> {
        let Some(keyring) = self.keyring_of(project).await? else { return Ok((Verdict::NoKeyring, None)) };
        Ok(match verify_clear_signed(&keyring, message, self.inner.clock.now()) {
            Ok((text, signer)) => (Verdict::Good(signer), Some(text)),
            Err(why) => (Verdict::Bad(why), None),
        })
    }

    async fn keyring_of(&self, project: &ProjectName) -> Result<Option<Vec<Certificate>>> {
        let keys: Vec<_> = self.project_keyring(project).await?.into_iter().map(|key| key.certificate).collect();
        Ok((!keys.is_empty()).then_some(keys))
    }
}

async fn carry_out(tx: &mut Tx<'_>, change: &Change) -> Result<()> {
    let Change { project: name, keys, removed, actor, at } = change;
    let project = projects::find(tx, name).await?.ok_or_else(|| Error::ProjectUnknown(name.clone()))?;
    for key in keys {
        project_keys::put(tx, project.id, key).await?;
        let mut entry = actor.did_to_project("keyring.add", name.as_str(), *at);
        entry.subject = Some(key.fingerprint.clone());
        audit::append(tx, &entry).await?;
    }
    if project_keys::of_project(tx, project.id).await?.len() > MOST {
        return Err(KeyError::TooMany(MOST).into());
    }
    if let Some(fingerprint) = removed {
        if !project_keys::remove(tx, project.id, fingerprint).await? {
            return Err(KeyError::Unknown(fingerprint.clone()).into());
        }
        let mut entry = actor.did_to_project("keyring.remove", name.as_str(), *at);
        entry.subject = Some(fingerprint.clone());
        audit::append(tx, &entry).await?;
    }
    Ok(())
}
