//! RPM repositories as clients meet them, with rows in SQLite and in PostgreSQL.
#![expect(clippy::expect_used, clippy::panic, reason = "a function of a test that cannot go on has failed it")]

mod backend;
mod shelf;

mod beside;
mod metadata;
mod peers;
mod refusals;
mod setup;
mod trail;
mod uploads;
