//! Faults: the real server as a child process, killed, starved and cut off under load, and held to what it acknowledged.
//!
//! Each fault is a function that takes how much of it is wanted; `tests/faults/run` offers them as commands, and the tests of
//! `crates/wharf` call them with small numbers.
#![expect(clippy::print_stdout, reason = "a command that reports what it does")]

pub mod away;
mod backup;
mod book;
pub mod drill;
pub mod full_disk;
mod goods;
pub mod kill;
pub mod linear;
mod process;
pub mod publish;
mod registry;
mod relay;
mod remains;
mod site;
pub mod soak;
pub mod store_away;
mod wire;

pub use site::On;
