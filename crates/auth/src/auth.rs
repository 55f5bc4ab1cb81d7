//! The one who knows.

use std::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use wharf_db::Db;
use wharf_types::Clock;

use crate::accounts::Accounts;
use crate::jwt::{Kind, Signer};
use crate::password::Passwords;
use crate::proof::Proofs;
use crate::throttle::Throttle;
use crate::tokens::Verified;
use crate::usage::Usage;
use crate::{Config, InstanceKey};

/// Bytes of remembered registry tokens, and what one has beside its text, roughly.
const VERIFIED_BYTES: u64 = 16 * 1024 * 1024;
const VERIFIED_OVERHEAD: usize = 512;
/// How many there is room for at the beginning.
const VERIFIED_AT_FIRST: usize = 256;

/// Authenticates, authorizes, and manages those it does that for. Clones share everything.
#[derive(Clone)]
pub struct Auth(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) accounts: Accounts,
    pub(crate) passwords: Passwords,
    pub(crate) proofs: Proofs,
    pub(crate) usage: Usage,
    pub(crate) registry: Signer,
    pub(crate) refresh: Signer,
    /// Registry tokens whose signature was checked, by their text: hashing it cryptographically costs more than finding it.
    /// Their time is asked at every use; those that have ended go when there is no more room.
    pub(crate) verified: Cache<Box<str>, Arc<Verified>, VerifiedWeight>,
}

#[derive(Clone)]
pub(crate) struct VerifiedWeight;

impl Weighter<Box<str>, Arc<Verified>> for VerifiedWeight {
    fn weight(&self, text: &Box<str>, _: &Arc<Verified>) -> u64 {
        (text.len() + VERIFIED_OVERHEAD) as u64
    }
}

impl Auth {
    /// Over this database, with keys derived from `key`. Whether the two belong together is asked of
    /// [`bind_instance_key`](crate::bind_instance_key) first.
    pub fn new(db: Db, key: &InstanceKey, clock: Clock, config: Config) -> Self {
        Self(Arc::new(Inner {
            accounts: Accounts::new(db.clone()),
            passwords: Passwords::new(config.hashing, Throttle::new(config.throttle)),
            proofs: Proofs::new(),
            usage: Usage::default(),
            registry: Signer::new(key, Kind::Registry, &config.service),
            refresh: Signer::new(key, Kind::Refresh, &config.service),
            verified: Cache::with_weighter(VERIFIED_AT_FIRST, VERIFIED_BYTES, VerifiedWeight),
            db,
            clock,
            config,
        }))
    }

    /// Writes down when credentials were last used. To be called every few seconds, and at the end.
    ///
    /// # Errors
    /// Those of the database; what could not be written is kept for the next time.
    pub async fn flush(&self) -> Result<(), wharf_db::Error> {
        self.0.usage.flush(&self.0.db).await
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("service", &self.0.config.service).finish_non_exhaustive()
    }
}
