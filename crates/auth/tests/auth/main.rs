//! Identity and permission over a real database, on both engines.
#![cfg(test)]

mod accounts;
mod audit;
mod credentials;
mod guessing;
mod htpasswd;
mod instance;
mod lists;
mod places;
mod registry_tokens;
mod replicas;
mod roles;
mod world;
