//! Slows down whoever guesses, by account and by address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use wharf_types::Timestamp;

use crate::Throttling;

/// Wrong guesses of late. Each one beyond the free ones doubles the wait for the next.
pub(crate) struct Throttle {
    settings: Throttling,
    // Bounded, with a policy of eviction that a flood of new keys does not empty.
    counters: Cache<Key, Arc<Mutex<Counter>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// The hash of the name as it was given: names that do not exist are counted like others, and may be long.
    Account([u8; 16]),
    V4(u32),
    V6(u64),
    /// Unknown tokens from an address are counted by themselves: a forgotten program with a revoked secret must not keep
    /// people behind the same address from signing in.
    TokensV4(u32),
    TokensV6(u64),
}

#[derive(Default, Clone, Copy)]
struct Counter {
    strikes: u32,
    last: Timestamp,
    not_before: Timestamp,
}

/// One guess: the account it is at, where it comes from, and when.
#[derive(Clone, Copy)]
pub(crate) struct Guess {
    account: Option<Key>,
    address: Option<Key>,
    at: Timestamp,
}

impl Guess {
    pub(crate) fn at_password(user: &str, from: Option<IpAddr>, at: Timestamp) -> Self {
        let hash = Sha256::digest(user.as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(&hash[..16]);
        Self { account: Some(Key::Account(short)), address: from.map(Key::of), at }
    }

    /// Guesses at 256 random bits do no harm to the account whose name is beside them.
    pub(crate) fn at_token(from: Option<IpAddr>, at: Timestamp) -> Self {
        let address = from.map(|address| match Key::of(address) {
            Key::V4(address) => Key::TokensV4(address),
            Key::V6(prefix) => Key::TokensV6(prefix),
            other => other,
        });
        Self { account: None, address, at }
    }
}

impl Key {
    /// Who has one IPv6 address has all of its /64.
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self::V6([a, b, c, d].into_iter().fold(0, |prefix, part| prefix << 16 | u64::from(part)))
            }
        }
    }
}

impl Throttle {
    pub(crate) fn new(settings: Throttling) -> Self {
        let idle = settings.longest_wait.saturating_mul(settings.free_per_account.max(1));
        let counters = Cache::builder().max_capacity(100_000).time_to_idle(idle.max(Duration::from_secs(3600))).build();
        Self { settings, counters }
    }

    /// How long this guess has to wait, if it has to.
    pub(crate) fn wait(&self, guess: Guess) -> Option<Duration> {
        [guess.account, guess.address]
            .into_iter()
            .flatten()
            .filter_map(|key| self.counters.get(&key))
            .map(|counter| counter.lock().not_before.since(guess.at))
            .filter(|wait| !wait.is_zero())
            .max()
    }

    /// The guess was wrong.
    pub(crate) fn failed(&self, guess: Guess) {
        for (key, free) in
            [(guess.account, self.settings.free_per_account), (guess.address, self.settings.free_per_address)]
        {
            let Some(key) = key else { continue };
            let counter = self.counters.get_with(key, Arc::default);
            self.strike(&mut counter.lock(), free, guess.at);
        }
    }

    /// The guess was right: the account's owner is there. Its address may still be guessing at other accounts.
    pub(crate) fn succeeded(&self, guess: Guess) {
        if let Some(key) = guess.account {
            self.counters.invalidate(&key);
        }
    }

    fn strike(&self, counter: &mut Counter, free: u32, now: Timestamp) {
        let pause = now.since(counter.last).as_millis();
        let forgiven = pause.checked_div(self.settings.longest_wait.as_millis()).unwrap_or(0);
        let before = counter.strikes.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        counter.strikes = before.saturating_add(1);
        counter.last = now;
        if let Some(beyond) = counter.strikes.checked_sub(free + 1) {
            let doubled = 2_u32.saturating_pow(beyond);
            let wait = self.settings.first_wait.saturating_mul(doubled).min(self.settings.longest_wait);
            counter.not_before = now.after(wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Throttling = Throttling {
        free_per_account: 2,
        free_per_address: 4,
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(60),
    };

    fn guess(user: &str, from: &str, second: i64) -> Guess {
        Guess::at_password(user, Some(from.parse().unwrap()), Timestamp::from_millis(second * 1000))
    }

    fn seconds(wait: Option<Duration>) -> u64 {
        wait.unwrap_or_default().as_secs()
    }

    #[test]
    fn waits_double_after_the_free_guesses_up_to_the_longest() {
        let throttle = Throttle::new(Throttling { free_per_address: 1000, ..SETTINGS });
        let mut waits = Vec::new();
        let mut now = 0;
        for _ in 0..10 {
            throttle.failed(guess("a", "10.0.0.1", now));
            waits.push(seconds(throttle.wait(guess("a", "10.0.0.1", now))));
            now += i64::try_from(*waits.last().unwrap()).unwrap();
            assert_eq!(seconds(throttle.wait(guess("a", "10.0.0.1", now))), 0);
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(seconds(throttle.wait(guess("b", "10.0.0.1", now))), 0);
    }

    #[test]
    fn one_guess_is_forgiven_for_each_quiet_longest_wait() {
        let throttle = Throttle::new(SETTINGS);
        for _ in 0..3 {
            throttle.failed(guess("a", "10.0.0.1", 0));
        }
        assert_eq!(seconds(throttle.wait(guess("a", "10.0.0.2", 0))), 1);
        throttle.failed(guess("a", "10.0.0.2", 120));
        assert_eq!(seconds(throttle.wait(guess("a", "10.0.0.2", 120))), 0);
    }

    #[test]
    fn an_address_is_slowed_down_whatever_account_it_guesses_at() {
        let throttle = Throttle::new(SETTINGS);
        for user in ["a", "b", "c", "d", "e"] {
            throttle.failed(guess(user, "2001:db8:1:2::1", 0));
        }
        assert_eq!(seconds(throttle.wait(guess("f", "2001:db8:1:2:ffff::9", 0))), 1);
        assert_eq!(seconds(throttle.wait(guess("f", "2001:db8:1:3::1", 0))), 0);
    }

    #[test]
    fn unknown_tokens_slow_down_tokens_and_not_passwords() {
        let throttle = Throttle::new(SETTINGS);
        let from = Some("10.0.0.1".parse().unwrap());
        let token = Guess::at_token(from, Timestamp::from_millis(0));
        for _ in 0..5 {
            throttle.failed(token);
        }
        assert_eq!(seconds(throttle.wait(token)), 1);
        assert_eq!(seconds(throttle.wait(guess("a", "10.0.0.1", 0))), 0);
    }

    #[test]
    fn success_resets_the_account_and_not_the_address() {
        let throttle = Throttle::new(SETTINGS);
        for _ in 0..5 {
            throttle.failed(guess("a", "10.0.0.1", 0));
        }
        throttle.succeeded(guess("a", "10.0.0.1", 0));
        assert_eq!(seconds(throttle.wait(guess("a", "10.0.0.2", 0))), 0);
        assert_eq!(seconds(throttle.wait(guess("a", "10.0.0.1", 0))), 1);
    }

    #[test]
    fn an_address_mapped_into_ipv6_is_the_same_address() {
        let throttle = Throttle::new(SETTINGS);
        for user in ["a", "b", "c", "d", "e"] {
            throttle.failed(guess(user, "10.0.0.1", 0));
        }
        assert_eq!(seconds(throttle.wait(guess("f", "::ffff:10.0.0.1", 0))), 1);
    }
}
