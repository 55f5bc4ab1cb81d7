//! OpenPGP keys: those that sign a repository's index, and those whose owners a project trusts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_core::{Certificate, KeyAlgorithm, RepositoryKey, TrustedKey};
use wharf_types::Timestamp;

use super::answer::Done;
use super::body::{Json, Nothing};
use super::endpoint::Ask;
use super::page::List;
use super::problem::Problem;

/// A public key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Key {
    /// Of the primary key, in hexadecimal capitals.
    fingerprint: String,
    /// `ed25519`, `rsa4096` and so on.
    algorithm: String,
    /// Who it says it is.
    user_id: String,
    /// When it was made here, or added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends by its owner's word; null if never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Since when it signs no more; null if it does. Of a project's keyring always null.
    #[schema(value_type = Option<String>, format = DateTime)]
    retired_at: Option<Timestamp>,
    /// Whether its owner has taken it back.
    revoked: bool,
    /// Who added it to a project's keyring.
    #[serde(skip_serializing_if = "Option::is_none")]
    added_by: Option<String>,
}

impl Key {
    fn of(certificate: &Certificate, created_at: Timestamp) -> Self {
        Self {
            fingerprint: certificate.fingerprint(),
            algorithm: certificate.algorithm(),
            user_id: certificate.user_id().to_owned(),
            created_at,
            expires_at: certificate.expires_at(),
            retired_at: None,
            revoked: certificate.is_revoked(),
            added_by: None,
        }
    }
}

impl From<RepositoryKey> for Key {
    fn from(key: RepositoryKey) -> Self {
        Self { retired_at: key.retired_at, ..Self::of(&key.certificate, key.created_at) }
    }
}

impl From<TrustedKey> for Key {
    fn from(key: TrustedKey) -> Self {
        Self { added_by: Some(key.added_by), ..Self::of(&key.certificate, key.created_at) }
    }
}

pub(super) async fn list(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Key>>, Problem> {
    Ok(Json(List::whole(ask.core.repository_keys(&ask.repository()?).await?)))
}

/// The public keys that sign now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Export {
    /// One armored block: what apt and dnf are given.
    armored: String,
    /// OpenPGP packets in base64: a keyring.
    binary: String,
}

pub(super) async fn export(ask: Ask<'_>, _: Nothing) -> Result<Json<Export>, Problem> {
    let keys = ask.core.public_keys(&ask.repository()?).await?;
    Ok(Json(Export { armored: keys.armored, binary: STANDARD.encode(keys.binary) }))
}

/// What a new key is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// `ed25519` or `rsa4096`; without, what the server is set to.
    algorithm: Option<String>,
}

pub(super) async fn rotate(ask: Ask<'_>, Json(how): Json<Rotation>) -> Result<Json<Key>, Problem> {
    let algorithm = how.algorithm.map(|text| text.parse::<KeyAlgorithm>()).transpose().map_err(Problem::invalid)?;
    Ok(Json(ask.core.rotate_key(&ask.repository()?, algorithm, &ask.actor()).await?.into()))
}

/// A private key that signs from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    /// The private key, armored, or OpenPGP packets in base64.
    key: String,
    /// What opens it; without, it is not locked. It is not kept.
    #[serde(default)]
    passphrase: String,
}

pub(super) async fn import(ask: Ask<'_>, Json(new): Json<Import>) -> Result<Json<Key>, Problem> {
    let key = packets(&new.key)?;
    Ok(Json(ask.core.import_key(&ask.repository()?, key, new.passphrase, &ask.actor()).await?.into()))
}

pub(super) async fn retire(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    ask.core.retire_key(&ask.repository()?, ask.subject("key")?.as_str(), &ask.actor()).await?;
    Ok(Done)
}

pub(super) async fn keyring(ask: Ask<'_>, _: Nothing) -> Result<Json<List<Key>>, Problem> {
    Ok(Json(List::whole(ask.core.project_keyring(ask.project()?).await?)))
}

/// Public keys to be trusted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Trust {
    /// Public keys: any number of armored blocks, or OpenPGP packets in base64.
    keys: String,
}

pub(super) async fn trust(ask: Ask<'_>, Json(new): Json<Trust>) -> Result<Json<List<Key>>, Problem> {
    let keys = packets(&new.keys)?;
    Ok(Json(List::whole(ask.core.trust_keys(ask.project()?, keys, &ask.actor()).await?)))
}

pub(super) async fn distrust(ask: Ask<'_>, _: Nothing) -> Result<Done, Problem> {
    ask.core.distrust_key(ask.project()?, ask.subject("key")?.as_str(), &ask.actor()).await?;
    Ok(Done)
}

fn packets(text: &str) -> Result<Vec<u8>, Problem> {
    if text.contains("-----BEGIN ") {
        return Ok(text.as_bytes().to_vec());
    }
    let packed: String = text.split_whitespace().collect();
    STANDARD.decode(packed).map_err(|_| Problem::invalid("a key is armored, or OpenPGP packets in base64"))
}
