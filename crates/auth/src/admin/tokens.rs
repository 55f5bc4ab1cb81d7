//! Personal tokens.

use serde::Serialize;
use wharf_db::Tx;
use wharf_db::catalog::audit;
use wharf_db::identity::subjects::Kind;
use wharf_db::identity::tokens as rows;
use wharf_types::{SubjectName, Timestamp};

use super::{IdentityError, find, record};
use crate::identity::{Credential, Identity};
use crate::{Auth, Limit, Origin, Secret, Subject};

/// More tokens than this are a sign that somebody makes one for each run of something.
const MOST_TOKENS: i64 = 200;
/// More limits than this in one token would slow its owner's requests down.
const MOST_LIMITS: usize = 50;
/// How long tokens that ended stay in lists.
const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// A personal token as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenInfo {
    /// By which it is revoked.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// How its secret begins.
    pub hint: String,
    /// At most what it may be used for; none for all that its owner may.
    pub limits: Option<Vec<Limit>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no good.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to a few seconds.
    pub last_used_at: Option<Timestamp>,
}

/// A personal token to be made.
#[derive(Debug, Clone, Default)]
pub struct NewToken {
    /// What its owner calls it.
    pub name: String,
    /// At most what it may be used for; none for all that its owner may.
    pub limits: Option<Vec<Limit>>,
    /// From when on it is no good.
    pub expires_at: Option<Timestamp>,
}

pub(super) struct Create {
    pub(super) subject: i64,
    pub(super) name: String,
    pub(super) hash: [u8; 32],
    pub(super) hint: String,
    pub(super) limits: Option<String>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) entry: audit::Entry,
}

impl Auth {
    /// Makes a token for the caller, who sees the secret this once. A token makes none that is wider or lasts longer than itself.
    ///
    /// # Errors
    /// [`IdentityError::NotAllowed`] by a token with limits, and for robots; [`IdentityError::Invalid`] for a name, limit or
    /// time that will not do.
    pub async fn create_token(
        &self,
        by: &Identity,
        origin: &Origin,
        new: NewToken,
    ) -> Result<(TokenInfo, Secret), IdentityError> {
        let Subject::User { id, name } = by.subject() else {
            return Err(IdentityError::NotAllowed("only users have personal tokens".into()));
        };
        self.check_new_token(by, &new)?;
        let secret = Secret::personal();
        let limits = new.limits.as_ref().map(serde_json::to_string).transpose();
        let mut entry = self.entry(by, origin, "token.create", name);
        entry.detail = Some(format!("{} {}", secret.hint(), new.name));
        let args = Create {
            subject: *id,
            name: new.name,
            hash: secret.hash(),
            hint: secret.hint().to_owned(),
            limits: limits.map_err(|error| IdentityError::Invalid(error.to_string()))?,
            expires_at: new.expires_at,
            entry,
        };
        let row = self.change(args, |tx, args| Box::pin(create(tx, args))).await?;
        Ok((shown(row), secret))
    }

    fn check_new_token(&self, by: &Identity, new: &NewToken) -> Result<(), IdentityError> {
        let invalid = |text: &str| Err(IdentityError::Invalid(text.to_owned()));
        let not_allowed = |text: &str| Err(IdentityError::NotAllowed(text.to_owned()));
        if !by.is_whole() {
            return not_allowed("a token with limits makes no tokens");
        }
        if let Credential::Token { id, .. } = &by.credential {
            let own = by.account().and_then(|account| account.tokens.get(id)).and_then(|token| token.expires_at);
            if own.is_some_and(|own| new.expires_at.is_none_or(|end| end > own)) {
                return not_allowed("a token makes no tokens that last longer than itself");
            }
        }
        if !(1..=100).contains(&new.name.chars().count()) {
            return invalid("the name of a token has 1 to 100 characters");
        }
        if new.limits.as_ref().is_some_and(|limits| limits.is_empty() || limits.len() > MOST_LIMITS) {
            return invalid("a token has no limits, or between 1 and 50");
        }
        if new.expires_at.is_some_and(|end| end <= self.0.clock.now()) {
            return invalid("the token would have expired already");
        }
        Ok(())
    }

    /// A user's tokens, oldest first.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn tokens(&self, user: &SubjectName) -> Result<Vec<TokenInfo>, IdentityError> {
        let rows = self.0.db.snapshot(user, |tx, user| {
            Box::pin(async move {
                let user = find(tx, Kind::User, user).await?;
                Ok::<_, IdentityError>(rows::of_subject(tx, user.id).await?)
            })
        });
        Ok(rows.await?.into_iter().map(shown).collect())
    }

    /// Ends a token at once, and the registry tokens that were made with it.
    ///
    /// # Errors
    /// [`IdentityError::NoSuch`].
    pub async fn revoke_token(
        &self,
        by: &Identity,
        origin: &Origin,
        user: &SubjectName,
        id: i64,
    ) -> Result<(), IdentityError> {
        self.change((self.target(by, origin, "token.revoke", user), id), |tx, (target, id)| {
            Box::pin(async move {
                let user = target.find(tx).await?;
                let hint = rows::delete(tx, user.id, *id).await?;
                let hint = hint.ok_or_else(|| IdentityError::NoSuch { what: "token", name: id.to_string() })?;
                record(tx, &audit::Entry { detail: Some(hint), ..target.entry.clone() }).await
            })
        })
        .await
    }
}

/// Makes a token or a robot's secret.
pub(super) async fn create(tx: &mut Tx<'_>, args: &Create) -> Result<rows::Token, IdentityError> {
    rows::forget_expired(tx, args.subject, args.entry.at.before(REMEMBERED)).await?;
    let new = rows::NewToken {
        subject_id: args.subject,
        name: &args.name,
        hash: &args.hash,
        hint: &args.hint,
        limits: args.limits.as_deref(),
        at: args.entry.at,
        expires_at: args.expires_at,
    };
    // A second run of the same transaction finds the row there, and the line in the audit log with it.
    if rows::create(tx, &new).await?.is_some() {
        record(tx, &args.entry).await?;
    }
    if rows::count(tx, args.subject).await? > MOST_TOKENS {
        return Err(IdentityError::Invalid(format!(
            "more than {MOST_TOKENS} tokens: revoke those that are not needed"
        )));
    }
    let made = rows::by_hash(tx, &args.hash).await?.map(|(_, id)| id);
    let all = rows::of_subject(tx, args.subject).await?;
    let made = all.into_iter().find(|token| Some(token.id) == made);
    made.ok_or_else(|| IdentityError::NoSuch { what: "token", name: args.name.clone() })
}

fn shown(row: rows::Token) -> TokenInfo {
    TokenInfo {
        id: row.id,
        name: row.name,
        hint: row.hint,
        limits: row.limits.map(|json| serde_json::from_str(&json).unwrap_or_default()),
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    }
}
