//! Registry and refresh tokens as signed texts (JWT, HS256).
//!
//! All replicas hold the same instance key, and nobody else has to check these tokens, so a symmetric signature is enough:
//! it is the cheapest to verify and leaves no public key to confuse with a secret.

use std::collections::HashSet;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wharf_types::Timestamp;

use crate::scope::{AccessClaim, Scope};
use crate::{InstanceKey, Rejected};

/// Replicas' clocks may differ by this much.
const SKEW_SECONDS: i64 = 30;
/// Longer texts are not looked at.
const LONGEST: usize = 16 * 1024;

/// The two kinds of tokens. They are signed by different keys, so that neither passes for the other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Registry,
    Refresh,
}

impl Kind {
    fn purpose(self) -> &'static str {
        match self {
            Self::Registry => "registry token",
            Self::Refresh => "refresh token",
        }
    }
}

/// What a token says: who, by which credential, and at most what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    /// The subject's name, for people who look into tokens; `holder` is what counts.
    pub(crate) sub: String,
    pub(crate) exp: i64,
    pub(crate) nbf: i64,
    pub(crate) iat: i64,
    /// None in a token for nobody in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) holder: Option<Holder>,
    #[serde(default)]
    pub(crate) access: Vec<AccessClaim>,
    /// The program a refresh token was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
}

/// The credential behind a token. When it ends, the token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// The user or robot.
    pub(crate) id: i64,
    /// The personal token or robot's secret; none if it was the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<i64>,
    /// The generation of the password or of the token.
    pub(crate) generation: i64,
}

impl Claims {
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        self.access.iter().filter_map(AccessClaim::scope).collect()
    }

    /// Refuses a token outside its time.
    pub(crate) fn check_time(&self, now: Timestamp) -> Result<(), Rejected> {
        if now.as_secs() >= self.exp {
            return Err(Rejected::Expired);
        }
        if now.as_secs() + SKEW_SECONDS < self.nbf { Err(Rejected::BadCredentials) } else { Ok(()) }
    }
}

/// Signs tokens of one kind and reads them back.
pub(crate) struct Signer {
    key_id: String,
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
}

impl Signer {
    pub(crate) fn new(key: &InstanceKey, kind: Kind, service: &str) -> Self {
        let secret = key.derive(kind.purpose());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[service]);
        validation.set_audience(&[service]);
        validation.required_spec_claims = HashSet::from(["exp", "nbf", "iss", "aud", "sub"].map(str::to_owned));
        // The time is checked against our own clock, at every use and not only when a token is read.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            key_id: key.id(),
            signing: EncodingKey::from_secret(secret.as_slice()),
            checking: DecodingKey::from_secret(secret.as_slice()),
            validation,
        }
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, Rejected> {
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, claims, &self.signing)
            .map_err(|e| Rejected::Unavailable(format!("signing a token: {e}")))
    }

    /// The claims of a token that we signed, whatever its time.
    pub(crate) fn read(&self, text: &str) -> Result<Claims, Rejected> {
        if text.len() > LONGEST {
            return Err(Rejected::BadCredentials);
        }
        let read = decode::<Claims>(text, &self.checking, &self.validation)?;
        if read.header.kid.as_deref() == Some(&self.key_id) { Ok(read.claims) } else { Err(Rejected::BadCredentials) }
    }
}

fn decode<T: DeserializeOwned>(
    text: &str,
    key: &DecodingKey,
    validation: &Validation,
) -> Result<jsonwebtoken::TokenData<T>, Rejected> {
    // Every reason is the same to the outside: a forger learns nothing.
    jsonwebtoken::decode(text, key, validation).map_err(|_| Rejected::BadCredentials)
}

#[cfg(test)]
mod tests;
