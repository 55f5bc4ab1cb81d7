//! Who may act, by which credential, and on what: one file per aggregate.
//!
//! Whatever changes what authorization reads calls [`epoch::bump`] in its transaction.

pub mod accounts;
pub mod epoch;
pub mod grants;
pub mod groups;
pub mod instance;
pub mod robots;
pub mod subjects;
pub mod tokens;
pub mod users;
