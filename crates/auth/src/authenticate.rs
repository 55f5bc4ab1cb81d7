//! Who are you.

use std::net::IpAddr;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use wharf_db::Durability;
use wharf_db::identity::users;
use wharf_types::Timestamp;

use crate::account::Account;
use crate::identity::{Cap, Credential, Identity, Presented, Who};
use crate::password::Attempt;
use crate::throttle::Guess;
use crate::{Auth, Rejected, secret};

impl Auth {
    /// Who presents this. `from` is the client's address, by which guesses are slowed down.
    ///
    /// # Errors
    /// [`Rejected`]; the answer to an unknown name and to a wrong password is the same and takes the same time.
    pub async fn authenticate(&self, presented: Presented<'_>, from: Option<IpAddr>) -> Result<Identity, Rejected> {
        let (epoch, now) = (self.0.accounts.epoch().await?, self.0.clock.now());
        match presented {
            Presented::Nothing => Ok(Identity {
                who: Who::Nobody,
                credential: Credential::Anonymous,
                cap: Cap::default(),
                epoch,
                at: now,
                fresh: false,
            }),
            Presented::Bearer(text) if secret::is_secret(text) => {
                Box::pin(self.by_secret(None, text, from, epoch, now)).await
            }
            Presented::Bearer(text) => self.by_registry_token(text, epoch, now).await,
            Presented::Basic { user, password } if secret::is_secret(password) => {
                Box::pin(self.by_secret(Some(user), password, from, epoch, now)).await
            }
            Presented::Basic { user, password } => match self.by_proof(user, password, epoch, now) {
                Some(identity) => identity,
                // What follows a password is large, and would be a part of every request's task.
                None => Box::pin(self.by_password(user, password, from, epoch, now)).await,
            },
        }
    }

    async fn by_secret(
        &self,
        user: Option<&str>,
        text: &str,
        from: Option<IpAddr>,
        epoch: i64,
        now: Timestamp,
    ) -> Result<Identity, Rejected> {
        let hash = secret::hash(text);
        let found = self.0.accounts.by_secret(hash, epoch).await?;
        // The name beside a secret must be its owner's: otherwise logs of proxies would name somebody else.
        let owned = found.filter(|(account, token, _)| {
            let same = |user: &str| bool::from(user.as_bytes().ct_eq(account.subject.name().as_bytes()));
            account.tokens.contains_key(token) && user.is_none_or(same)
        });
        match owned {
            Some((account, token, fresh)) => Ok(Identity { fresh, ..self.token_identity(account, token, epoch, now)? }),
            None => {
                let guess = Guess::at_token(from, now);
                let waits = self.0.passwords.throttle().wait(guess);
                self.0.passwords.throttle().failed(guess);
                Err(waits.map_or(Rejected::BadCredentials, |retry_after| Rejected::Throttled { retry_after }))
            }
        }
    }

    /// Who showed this password a moment ago.
    fn by_proof(&self, user: &str, password: &str, epoch: i64, now: Timestamp) -> Option<Result<Identity, Rejected>> {
        let account = self.0.accounts.known_login(user, epoch)?;
        self.0.proofs.hold(&account, password, now).then(|| self.password_identity(account, epoch, now))
    }

    async fn by_password(
        &self,
        user: &str,
        password: &str,
        from: Option<IpAddr>,
        epoch: i64,
        now: Timestamp,
    ) -> Result<Identity, Rejected> {
        let account = self.0.accounts.by_login(user, epoch).await?;
        let stored = account.as_ref().and_then(|account| account.password.as_deref());
        let attempt = Attempt { user, password, stored };
        let right = self.0.passwords.verify(attempt, Guess::at_password(user, from, now)).await?;
        let account = account.ok_or(Rejected::BadCredentials)?;
        self.0.proofs.keep(&account, password, now);
        if let Some(better) = right.rehashed {
            self.keep_better_hash(&account, better).await;
        }
        Ok(Identity { fresh: right.fresh, ..self.password_identity(account, epoch, now)? })
    }

    /// The account that was meant by a credential that was refused, if there is one: names that nobody has are not told, because
    /// people type passwords into the wrong field.
    pub async fn account_meant(&self, presented: Presented<'_>) -> Option<String> {
        let Presented::Basic { user, .. } = presented else { return None };
        let epoch = self.0.accounts.epoch().await.ok()?;
        let account = self.0.accounts.by_login(user, epoch).await.ok()??;
        Some(account.subject.name())
    }

    /// Keeps a hash in today's form. That it could not be kept is no reason to turn the owner away.
    async fn keep_better_hash(&self, account: &Arc<Account>, better: String) {
        let (Some(id), Some(old)) = (account.subject.id(), account.password.clone()) else { return };
        let kept = self.0.db.write(Durability::Relaxed, (id, old, better), |tx, (id, old, better)| {
            Box::pin(users::rehash(tx, *id, old, better))
        });
        if let Err(error) = kept.await {
            tracing::warn!(user.name = %account.subject, %error, "a password hash could not be renewed");
        }
    }
}
