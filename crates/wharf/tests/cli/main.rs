//! The real program: started, typed at, stopped.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot help has failed the test")]

mod audit;
mod backup;
mod bucket;
mod commands;
mod configuration;
mod directions;
mod events;
mod harness;
mod import;
mod lifecycle;
mod packages;
mod permissions;
mod reset;
mod typed;
