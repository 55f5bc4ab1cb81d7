//! Settings of identity and permission.

use std::time::Duration;

/// What can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The `iss` of registry tokens, and the `service` of the challenge that asks for them (their `aud`).
    pub service: String,
    /// How long a registry token is good for.
    pub registry_token_ttl: Duration,
    /// How long a refresh token is good for.
    pub refresh_token_ttl: Duration,
    /// How passwords are hashed.
    pub hashing: Hashing,
    /// How guesses are slowed down.
    pub throttle: Throttling,
}

/// The cost of a password hash (Argon2id). The default is the first recommendation of OWASP's cheat sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashing {
    /// Memory for one hash in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// How many hashes are computed at once; others wait.
    pub at_once: usize,
}

/// How wrong guesses slow down the next one: some are free, then the wait doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttling {
    /// Wrong guesses at one account that cost nothing.
    pub free_per_account: u32,
    /// Wrong guesses from one address (one /64 of IPv6) that cost nothing.
    pub free_per_address: u32,
    /// The first wait.
    pub first_wait: Duration,
    /// The longest wait. One guess is forgiven each time this has passed without another.
    pub longest_wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: "wharf".to_owned(),
            registry_token_ttl: Duration::from_secs(15 * 60),
            refresh_token_ttl: Duration::from_secs(90 * 24 * 3600),
            hashing: Hashing::default(),
            throttle: Throttling::default(),
        }
    }
}

impl Default for Hashing {
    fn default() -> Self {
        // More than a few at once would only fill memory: 19 MiB each.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { memory_kib: 19_456, passes: 2, at_once: cores.clamp(1, 4) }
    }
}

impl Default for Throttling {
    fn default() -> Self {
        Self {
            free_per_account: 10,
            free_per_address: 100,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(5 * 60),
        }
    }
}
