//! The one who knows.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use moka::sync::Cache;
use wharf_db::Db;
use wharf_types::Clock;

use crate::accounts::Accounts;
use crate::jwt::{Kind, Signer};
use crate::password::Passwords;
use crate::throttle::Throttle;
use crate::tokens::Verified;
use crate::usage::Usage;
use crate::{Config, InstanceKey};

/// Bytes of remembered registry tokens, and what one has beside its text, roughly.
const VERIFIED_BYTES: u64 = 16 * 1024 * 1024;
const VERIFIED_OVERHEAD: usize = 512;

/// Authenticates, authorizes, and manages those it does that for. Clones share everything.
#[derive(Clone)]
pub struct Auth(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) accounts: Accounts,
    pub(crate) passwords: Passwords,
    pub(crate) usage: Usage,
    pub(crate) registry: Signer,
    pub(crate) refresh: Signer,
    /// Registry tokens whose signature was checked, by their text: hashing it cryptographically costs more than finding it.
    pub(crate) verified: Cache<Arc<str>, Arc<Verified>, DefaultHashBuilder>,
}

impl Auth {
    /// Over this database, with keys derived from `key`. Whether the two belong together is asked of
    /// [`bind_instance_key`](crate::bind_instance_key) first.
    pub fn new(db: Db, key: &InstanceKey, clock: Clock, config: Config) -> Self {
        Self(Arc::new(Inner {
            accounts: Accounts::new(db.clone()),
            passwords: Passwords::new(config.hashing, Throttle::new(config.throttle)),
            usage: Usage::default(),
            registry: Signer::new(key, Kind::Registry, &config.service),
            refresh: Signer::new(key, Kind::Refresh, &config.service),
            verified: Cache::builder()
                .max_capacity(VERIFIED_BYTES)
                .weigher(|text: &Arc<str>, _| u32::try_from(text.len() + VERIFIED_OVERHEAD).unwrap_or(u32::MAX))
                .time_to_live(config.registry_token_ttl.max(Duration::from_secs(1)))
                .build_with_hasher(DefaultHashBuilder::default()),
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
