//! Charts through the classic door, through ChartMuseum's API, and through the door of OCI, with rows in SQLite and in PostgreSQL.
#![expect(clippy::expect_used, reason = "a function of a test that cannot go on has failed it")]

mod backend;
mod chart;

mod classic;
mod doors;
mod museum;
mod peers;
mod purged;
mod refusals;
mod setup;
mod trail;
