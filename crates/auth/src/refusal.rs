//! The two ways to say no.

use std::time::Duration;

/// Why a credential was not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Rejected {
    /// No such name, a wrong secret, a forged token: one answer for all, so that names cannot be probed.
    #[error("unknown name or wrong password or token")]
    BadCredentials,
    /// Too many wrong guesses for this account or from this address.
    #[error("too many failed attempts, try again in {} s", retry_after.as_secs().max(1))]
    Throttled {
        /// When to come back: `Retry-After`.
        retry_after: Duration,
    },
    /// It was good once.
    #[error("the credential has expired")]
    Expired,
    /// The secret is right, but its owner was disabled.
    #[error("the account is disabled, ask an administrator")]
    Disabled,
    /// It could not be checked now.
    #[error("credentials cannot be checked now: {0}")]
    Unavailable(String),
}

/// Why somebody may not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// Nobody is signed in, and that might help: 401 with a challenge.
    #[error("sign in first")]
    SignIn {
        /// The scope to ask a registry token for, where one would help.
        scope: Option<String>,
    },
    /// The registry token does not cover this: 401 with the scope that would.
    #[error("the token does not cover this operation, which needs the scope {scope}")]
    Narrow {
        /// The scope to ask for.
        scope: String,
    },
    /// It does not exist, or it is none of the caller's business: both answer like what does not exist.
    #[error("{hint}")]
    Hidden {
        /// Whom to ask, in words that do not tell the two cases apart.
        hint: String,
    },
    /// The caller may know that it exists, but may not do this: 403.
    #[error("{reason}")]
    Forbidden {
        /// What is missing and whom to ask.
        reason: String,
    },
    /// It could not be decided now.
    #[error("permissions cannot be read now: {0}")]
    Unavailable(String),
}

impl From<wharf_db::Error> for Rejected {
    fn from(error: wharf_db::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<wharf_db::Error> for Refused {
    fn from(error: wharf_db::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}
