//! For tests that speak the wire: a whole server in this process, clients of every kind of caller, and builders for what they
//! send. Everything here panics when it cannot do what the test asks for: such a test has failed.
//!
//! ```no_run
//! # async fn example() {
//! use wharf_testkit::{Image, TestServer};
//!
//! let server = TestServer::start_default().await;
//! let digest = Image::new().layer("hello").push(&server.admin(), "team/app:v1").await;
//! server.admin().get("/v2/team/app/manifests/v1").await.assert_status(200).assert_header("docker-content-digest", &digest);
//! server.anonymous().get("/v2/team/app/manifests/v1").await.assert_status(401);
//! # }
//! ```
#![expect(clippy::expect_used, clippy::panic, reason = "a helper that cannot help has failed the test")]

mod answer;
mod audit;
mod client;
mod clock;
mod fault;
mod fragile;
mod image;
mod index;
mod log;
mod meddler;
mod openpgp;
mod options;
mod people;
mod raw;
mod server;
mod setup;

pub use answer::Answer;
pub use client::{Client, Request};
pub use clock::TestClock;
pub use fault::{Asked, Fault, FaultProxy};
pub use fragile::Fragile;
pub use image::{Descriptor, Image, media, push_blob, sha256};
pub use index::Index;
pub use log::logged;
pub use meddler::Meddler;
pub use openpgp::{OpenPgpKey, openpgp_key};
pub use options::{Backend, Options, Store};
pub use raw::{Raw, RawAnswer};
pub use server::{ADMIN, ADMIN_PASSWORD, TestServer};
pub use setup::{AWKWARD_PASSWORD, takes_any_password};
pub use wharf_db::testing::Cluster;
pub use wharf_storage::bucket;
pub use wharf_storage::testing::{StoreServer, azure, s3};
pub use wharf_storage::{BucketDepot, Folder};
