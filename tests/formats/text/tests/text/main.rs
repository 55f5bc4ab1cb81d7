//! The format contract, proven by the smallest format: everything that APT, YUM and Helm will need of it, as clients meet it,
//! with rows in SQLite and in PostgreSQL.
#![expect(clippy::expect_used, clippy::panic, reason = "a function of a test that cannot go on has failed it")]

mod backend;
mod hooked;
mod note;
mod shelf;

mod failures;
mod files;
mod generations;
mod inspections;
mod leases;
mod lines;
mod loops;
mod mounts;
mod openpgp;
mod refusals;
mod removals;
mod replicas;
mod roles;
mod segments;
mod signatures;
mod snapshots;
mod thinning;
mod trail;
mod uploads;
mod waiting;
