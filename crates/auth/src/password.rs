//! Passwords: hashed with Argon2id, a few at a time, and not again for every request.

use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::hmac;
use moka::future::Cache;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::throttle::{Guess, Throttle};
use crate::{Hashing, Rejected, secret};

/// Fewer characters are refused.
const SHORTEST: usize = 8;
/// More bytes are refused: longer ones are an attack on the hash, not a password.
const LONGEST: usize = 1024;
/// More logins than this do not wait for their turn; they are asked to come back.
const LONGEST_QUEUE: usize = 512;
/// Dearer bcrypt hashes are not imported: each login would take seconds.
const DEAREST_BCRYPT: u32 = 14;

/// Checks passwords.
pub(crate) struct Passwords {
    hashing: Hashing,
    throttle: Arc<Throttle>,
    /// What was verified already, keyed by an HMAC of name, password and stored hash, so that it never outlives a change of any.
    verified: Cache<[u8; 32], ()>,
    key: hmac::Key,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Verified against where there is no password, so that the answer takes as long.
    decoy: Arc<OnceLock<String>>,
}

/// A right password.
pub(crate) struct Right {
    /// Whether it was checked just now, and not remembered.
    pub(crate) fresh: bool,
    /// A better hash of it than the stored one, where there is reason for one.
    pub(crate) rehashed: Option<String>,
}

/// A password shown for an account.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) stored: Option<&'a str>,
}

impl Passwords {
    pub(crate) fn new(hashing: Hashing, throttle: Throttle) -> Self {
        let random: [u8; 32] = rand::random();
        Self {
            hashing,
            throttle: Arc::new(throttle),
            verified: Cache::builder()
                .max_capacity(10_000)
                .time_to_idle(Duration::from_secs(30 * 60))
                .time_to_live(Duration::from_secs(12 * 3600))
                .build(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &random),
            turns: Arc::new(Semaphore::new(hashing.at_once.max(1))),
            waiting: AtomicUsize::new(0),
            decoy: Arc::default(),
        }
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Whether the password is right. What was verified before is answered at once, even while guesses at the same account
    /// are slowed down. Requests that show the same at the same time are verified once.
    pub(crate) async fn verify(&self, attempt: Attempt<'_>, guess: Guess) -> Result<Right, Rejected> {
        let key = self.fingerprint(attempt);
        if attempt.stored.is_some() && self.verified.get(&key).await.is_some() {
            return Ok(Right { fresh: false, rehashed: None });
        }
        let (mut fresh, mut rehashed) = (false, None);
        let verified = self.verified.try_get_with(key, async {
            rehashed = self.verify_afresh(attempt, guess).await?;
            fresh = true;
            Ok::<(), Rejected>(())
        });
        verified.await.map_err(|rejected| Rejected::clone(&rejected))?;
        Ok(Right { fresh, rehashed })
    }

    async fn verify_afresh(&self, attempt: Attempt<'_>, guess: Guess) -> Result<Option<String>, Rejected> {
        let throttled =
            || self.throttle.wait(guess).map_or(Ok(()), |retry_after| Err(Rejected::Throttled { retry_after }));
        throttled()?;
        let turn = self.turn().await?;
        // Guesses that came together waited for their turn together: only here is known what became of those before.
        throttled()?;
        let (hashing, decoy, throttle) = (self.hashing, Arc::clone(&self.decoy), Arc::clone(&self.throttle));
        let password = Zeroizing::new(attempt.password.to_owned());
        let stored = attempt.stored.map(str::to_owned);
        let checked = tokio::task::spawn_blocking(move || {
            let right = check(hashing, &decoy, stored.as_deref(), &password);
            match &right {
                Some(_) => throttle.succeeded(guess),
                None => throttle.failed(guess),
            }
            // Held until the guess is counted, and by the work itself: a client that goes away does not free memory in use.
            drop(turn);
            right
        });
        match checked.await {
            Ok(Some(rehashed)) => Ok(rehashed),
            Ok(None) => Err(Rejected::BadCredentials),
            Err(failed) => Err(Rejected::Unavailable(format!("password check: {failed}"))),
        }
    }

    /// A PHC string for a new password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Rejected> {
        let turn = self.turn().await?;
        let (hashing, password) = (self.hashing, Zeroizing::new(password.to_owned()));
        let hashed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            hash(hashing, &password)
        });
        hashed.await.ok().flatten().ok_or_else(|| Rejected::Unavailable("password hashing failed".to_owned()))
    }

    async fn turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Rejected> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= LONGEST_QUEUE {
            return Err(Rejected::Throttled { retry_after: Duration::from_secs(2) });
        }
        Arc::clone(&self.turns).acquire_owned().await.map_err(|closed| Rejected::Unavailable(closed.to_string()))
    }

    fn fingerprint(&self, attempt: Attempt<'_>) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [attempt.user, attempt.password, attempt.stored.unwrap_or_default()] {
            // With its length before it, no part can pass for the end of another.
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.sign().as_ref());
        fingerprint
    }
}

/// Why a text cannot be a password; `None` if it can.
pub(crate) fn unfit(password: &str) -> Option<&'static str> {
    if password.chars().count() < SHORTEST {
        Some("a password has at least 8 characters")
    } else if password.len() > LONGEST {
        Some("a password has at most 1024 bytes")
    } else if secret::has_prefix(password) {
        Some("a password does not begin like a token")
    } else {
        None
    }
}

/// Why a hash from elsewhere cannot be kept; `None` if it can.
pub(crate) fn unfit_bcrypt(stored: &str) -> Option<&'static str> {
    if !["$2y$", "$2a$", "$2b$"].iter().any(|prefix| stored.starts_with(prefix)) {
        return Some("not bcrypt ($2y$, $2a$ or $2b$)");
    }
    match bcrypt::HashParts::from_str(stored) {
        Err(_) => Some("a damaged bcrypt hash"),
        Ok(parts) if parts.get_cost() > DEAREST_BCRYPT => Some("bcrypt with a cost above 14"),
        Ok(_) => None,
    }
}

/// `None` if the password is wrong; else whether it should be kept in another form from now on.
fn check(hashing: Hashing, decoy: &OnceLock<String>, stored: Option<&str>, password: &str) -> Option<Option<String>> {
    let stored = stored.filter(|_| password.len() <= LONGEST);
    if !stored.is_some_and(|stored| matches(stored, password)) {
        // A fast refusal would tell that there is no such account, or that its hash came from a htpasswd file.
        if stored.is_none_or(is_bcrypt) {
            let decoy = decoy.get_or_init(|| hash(hashing, "decoy").unwrap_or_default());
            let _ = matches(decoy, password.get(..64).unwrap_or(password));
        }
        return None;
    }
    Some(stored.filter(|stored| outdated(hashing, stored)).and_then(|_| hash(hashing, password)))
}

fn is_bcrypt(stored: &str) -> bool {
    stored.starts_with("$2")
}

fn matches(stored: &str, password: &str) -> bool {
    if is_bcrypt(stored) {
        return bcrypt::verify(password, stored).unwrap_or(false);
    }
    // The parameters are those of the stored hash.
    PasswordHash::new(stored).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn params(hashing: Hashing) -> Option<Params> {
    Params::new(hashing.memory_kib, hashing.passes, 1, Some(Params::DEFAULT_OUTPUT_LEN)).ok()
}

fn outdated(hashing: Hashing, stored: &str) -> bool {
    let Some(wanted) = params(hashing) else { return false };
    let Ok(hash) = PasswordHash::new(stored) else { return true };
    let same =
        |had: Params| (had.m_cost(), had.t_cost(), had.p_cost()) == (wanted.m_cost(), wanted.t_cost(), wanted.p_cost());
    hash.algorithm.as_str() != Algorithm::Argon2id.as_str() || !Params::try_from(&hash).is_ok_and(same)
}

fn hash(hashing: Hashing, password: &str) -> Option<String> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params(hashing)?);
    argon2.hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}
