//! APT repositories as their clients meet them, with rows in SQLite and in PostgreSQL.
#![expect(clippy::expect_used, clippy::panic, reason = "a function of a test that cannot go on has failed it")]

mod backend;
mod build;
mod shop;

mod copies;
mod dput;
mod indexes;
mod peers;
mod refusals;
mod settings;
mod setup;
mod signatures;
mod snapshots;
mod sources;
mod trail;
mod uploads;
