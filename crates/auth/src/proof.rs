//! Passwords that were right a moment ago.
//!
//! Programs that speak Basic show their password with every request. Beside the account's copy lies a keyed hash of the one that
//! was right, so that showing it again costs a look, and no search among all that were checked. The copy is good for one state of
//! identities, and so is what lies beside it: a change of the password, or of anything else, ends both.

use std::time::Duration;

use arc_swap::ArcSwapOption;
use siphasher::sip128::SipHasher24;
use wharf_types::Timestamp;

use crate::account::Account;

/// After this the password is looked for where its age counts (`Passwords`).
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);

/// The password that was right. Never holds it.
#[derive(Default)]
pub(crate) struct Proven(ArcSwapOption<Proof>);

struct Proof {
    password: u128,
    until: Timestamp,
}

/// Knows proven passwords again.
pub(crate) struct Proofs {
    /// Of this process, and told to nobody: under it SipHash is a pseudorandom function (Aumasson and Bernstein, 2012), and another
    /// text with the same hash can only be guessed, once in 2^128.
    key: [u8; 16],
}

impl Proofs {
    pub(crate) fn new() -> Self {
        Self { key: rand::random() }
    }

    /// Remembers that this was the account's password.
    pub(crate) fn keep(&self, account: &Account, password: &str, now: Timestamp) {
        let proof = Proof { password: self.hash(password), until: now.after(GOOD_FOR) };
        account.proven.0.store(Some(proof.into()));
    }

    /// Whether this was the account's password a moment ago.
    pub(crate) fn hold(&self, account: &Account, password: &str, now: Timestamp) -> bool {
        let known = account.proven.0.load();
        known.as_ref().is_some_and(|proof| now < proof.until && proof.password == self.hash(password))
    }

    fn hash(&self, password: &str) -> u128 {
        SipHasher24::new_with_key(&self.key).hash(password.as_bytes()).as_u128()
    }
}

impl std::fmt::Debug for Proven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proven")
    }
}
