//! Registry tokens and refresh tokens (the token specification of the Docker registry).

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use wharf_types::Timestamp;

use crate::account::Account;
use crate::identity::{Cap, Credential, Identity, Who};
use crate::jwt::{Claims, Holder};
use crate::scope::{AccessClaim, Scope};
use crate::{Auth, Rejected};

/// A registry token, as the token endpoint answers it.
#[derive(Clone)]
pub struct RegistryToken {
    /// The text for `Authorization: Bearer`.
    pub token: String,
    /// How long it is good for.
    pub expires_in: Duration,
    /// When it was made.
    pub issued_at: Timestamp,
}

impl std::fmt::Debug for RegistryToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryToken").field("issued_at", &self.issued_at).finish_non_exhaustive()
    }
}

/// A registry token whose signature was checked.
pub(crate) struct Verified {
    pub(crate) claims: Claims,
    pub(crate) scopes: Arc<[Scope]>,
    /// Its holder, as this token last met it.
    account: ArcSwapOption<Account>,
}

impl Auth {
    /// A registry token for `identity`, good for at most `scopes`. Whether the grants allow that much is asked when it is used,
    /// so a scope that is asked for is a scope that is written in; only a token made from a token gets no more than that one had.
    ///
    /// # Errors
    /// [`Rejected::Unavailable`] if signing fails.
    pub fn issue_token(
        &self,
        identity: &Identity,
        scopes: &[Scope],
        now: Timestamp,
    ) -> Result<RegistryToken, Rejected> {
        let ttl = self.0.config.registry_token_ttl;
        let access = match &identity.cap.scopes {
            None => scopes.iter().map(AccessClaim::from).collect(),
            Some(had) => {
                scopes.iter().filter_map(|scope| scope.within(had)).map(|scope| AccessClaim::from(&scope)).collect()
            }
        };
        let claims = Claims { access, ..self.claims(identity, now, ttl) };
        Ok(RegistryToken { token: self.0.registry.sign(&claims)?, expires_in: ttl, issued_at: now })
    }

    /// A token for `client_id` that stands for the credential of `identity` until that ends; `None` if there is none to stand
    /// for, because nobody signed in or it was by a registry token.
    ///
    /// # Errors
    /// [`Rejected::Unavailable`] if signing fails.
    pub fn issue_refresh(
        &self,
        identity: &Identity,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Option<String>, Rejected> {
        if holder(identity).is_none() || identity.cap.scopes.is_some() {
            return Ok(None);
        }
        let client = Some(client_id.chars().take(100).collect());
        let claims = Claims { client, ..self.claims(identity, now, self.0.config.refresh_token_ttl) };
        self.0.refresh.sign(&claims).map(Some)
    }

    /// Who a refresh token stands for. The identity has the credential the token was made with.
    ///
    /// # Errors
    /// [`Rejected`] like [`Auth::authenticate`].
    pub async fn redeem_refresh(&self, token: &str) -> Result<Identity, Rejected> {
        let (epoch, now) = (self.0.accounts.epoch().await?, self.0.clock.now());
        let claims = self.0.refresh.read(token)?;
        claims.check_time(now)?;
        let holder = claims.holder.ok_or(Rejected::BadCredentials)?;
        let account = self.0.accounts.by_id(holder.id, epoch).await?;
        self.holder_identity(account, holder, None, epoch, now)
    }

    /// Who a registry token stands for.
    pub(crate) async fn by_registry_token(&self, text: &str, epoch: i64, now: Timestamp) -> Result<Identity, Rejected> {
        let verified = match self.0.verified.get(text) {
            Some(verified) => verified,
            None => {
                let claims = self.0.registry.read(text)?;
                claims.check_time(now)?;
                let scopes = claims.scopes().into();
                let verified = Arc::new(Verified { claims, scopes, account: ArcSwapOption::empty() });
                self.0.verified.insert(text.into(), Arc::clone(&verified));
                verified
            }
        };
        verified.claims.check_time(now)?;
        let scopes = Some(Arc::clone(&verified.scopes));
        match verified.claims.holder {
            Some(holder) => {
                let account = self.holder_of(&verified, holder, epoch).await?;
                self.holder_identity(account, holder, scopes, epoch, now)
            }
            None => Ok(Identity {
                who: Who::Nobody,
                credential: Credential::Anonymous,
                cap: Cap { scopes, limits: None },
                epoch,
                at: now,
                fresh: false,
            }),
        }
    }

    /// The account behind a token in this state of identities, which the token remembers.
    async fn holder_of(
        &self,
        verified: &Verified,
        holder: Holder,
        epoch: i64,
    ) -> Result<Option<Arc<Account>>, Rejected> {
        let known = verified.account.load_full().filter(|known| known.epoch >= epoch);
        if known.is_some() {
            return Ok(known);
        }
        // On the heap, so that it is no part of every request's task.
        let account = Box::pin(self.0.accounts.by_id(holder.id, epoch)).await?;
        verified.account.store(account.clone());
        Ok(account)
    }

    /// The identity behind a signed token, if the credential it was made with is still good.
    fn holder_identity(
        &self,
        account: Option<Arc<Account>>,
        holder: Holder,
        scopes: Option<Arc<[Scope]>>,
        epoch: i64,
        now: Timestamp,
    ) -> Result<Identity, Rejected> {
        let account = account.ok_or(Rejected::BadCredentials)?;
        let mut identity = match holder.token {
            None if account.generation == holder.generation && account.password.is_some() => {
                self.password_identity(account, epoch, now)?
            }
            None => return Err(Rejected::Expired),
            Some(id) if account.tokens.get(&id).is_some_and(|token| token.generation == holder.generation) => {
                self.token_identity(account, id, epoch, now)?
            }
            Some(_) => return Err(Rejected::Expired),
        };
        identity.cap.scopes = scopes;
        Ok(identity)
    }

    /// Somebody whose password is right.
    pub(crate) fn password_identity(
        &self,
        account: Arc<Account>,
        epoch: i64,
        now: Timestamp,
    ) -> Result<Identity, Rejected> {
        if account.disabled {
            return Err(Rejected::Disabled);
        }
        self.0.usage.note(&account, None, now);
        Ok(Identity {
            who: Who::Account(account),
            credential: Credential::Password,
            cap: Cap::default(),
            epoch,
            at: now,
            fresh: false,
        })
    }

    /// Somebody who holds this token, if it has not ended.
    pub(crate) fn token_identity(
        &self,
        account: Arc<Account>,
        id: i64,
        epoch: i64,
        now: Timestamp,
    ) -> Result<Identity, Rejected> {
        let token = account.tokens.get(&id).ok_or(Rejected::BadCredentials)?;
        if token.expires_at.is_some_and(|end| end <= now) {
            return Err(Rejected::Expired);
        }
        if account.disabled {
            return Err(Rejected::Disabled);
        }
        self.0.usage.note(&account, Some(id), now);
        let credential = Credential::Token { id, hint: Arc::clone(&token.hint) };
        let cap = Cap { scopes: None, limits: token.limits.clone() };
        Ok(Identity { who: Who::Account(account), credential, cap, epoch, at: now, fresh: false })
    }

    fn claims(&self, identity: &Identity, now: Timestamp, ttl: Duration) -> Claims {
        Claims {
            iss: self.0.config.service.clone(),
            aud: self.0.config.service.clone(),
            sub: identity.subject().name(),
            exp: now.after(ttl).as_secs(),
            nbf: now.as_secs(),
            iat: now.as_secs(),
            holder: holder(identity),
            access: Vec::new(),
            client: None,
        }
    }
}

/// The credential that tokens made for `identity` are bound to.
fn holder(identity: &Identity) -> Option<Holder> {
    let account = identity.account()?;
    let id = account.subject.id()?;
    match &identity.credential {
        Credential::Password => Some(Holder { id, token: None, generation: account.generation }),
        Credential::Token { id: token, .. } => {
            Some(Holder { id, token: Some(*token), generation: account.tokens.get(token)?.generation })
        }
        Credential::Anonymous | Credential::System => None,
    }
}
