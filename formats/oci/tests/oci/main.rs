//! The distribution-spec 1.1 as clients and attackers meet it: every endpoint over HTTP, against a server in this process, on
//! each pair of places for rows and bytes. After each fact nothing may lie in the storage that no row points at.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a function of a test that cannot go on has failed it"
)]

mod backend;
mod backup;
mod blob;
mod refusal;
mod remains;
mod repository;

mod audit;
mod bin;
mod bombs;
mod catalog;
mod chunks;
mod collection;
mod copies;
mod creation;
mod crossings;
mod deletion;
mod events;
mod files;
mod hidden;
mod history;
mod immutable;
mod isolation;
mod limits;
mod malformed;
mod manifests;
mod many;
mod mount;
mod names;
mod paging;
mod paths;
mod pulls;
mod purge;
mod pushes;
mod races;
mod referrers;
mod resume;
mod roles;
mod scrub;
mod settings;
mod setup;
mod shapes;
mod sweep;
mod tokens;
mod told;
mod upkeep;
mod work;
