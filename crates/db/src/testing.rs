//! Databases for tests, on both engines and each empty but for its schema.
//!
//! A suite is written once and runs on both:
//!
//! ```text
//! wharf_db::on_both_engines! { a_moved_tag_is_seen_at_once, a_deleted_repository_can_be_restored }
//!
//! async fn a_moved_tag_is_seen_at_once(db: Db) { … }
//! ```
//!
//! makes the tests `sqlite::a_moved_tag_is_seen_at_once` and `postgres::a_moved_tag_is_seen_at_once`. A test program starts
//! one PostgreSQL cluster when the first test asks for it, with a new database for each test; the cluster ends with the program.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot have its database has failed")]

mod cluster;

use std::sync::OnceLock;

use crate::migrate::Migration;
use crate::{Config, Db, Engine, Result};
pub use cluster::Cluster;

/// Makes two tests of each `async fn(Db)` named. With `with crate::path;` before the names, `async fn path(Engine)` makes what
/// the facts take, instead of [`open`]. The crate
/// that calls it needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! on_both_engines {
    (with $open:path; $($fact:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$fact($open($crate::Engine::Sqlite).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fact() {
                super::$fact($open($crate::Engine::Postgres).await).await;
            })*
        }
    };
    ($($fact:ident),* $(,)?) => {
        $crate::on_both_engines! { with $crate::testing::open; $($fact),* }
    };
}

/// A new database on `engine`.
///
/// # Panics
/// If there is none to be had: PostgreSQL is not installed, or a migration fails.
pub async fn open(engine: Engine) -> Db {
    Db::open(&config(engine).await).await.expect("a test database")
}

/// One new database on each engine.
///
/// # Panics
/// As [`open`].
pub async fn databases() -> [Db; 2] {
    [open(Engine::Sqlite).await, open(Engine::Postgres).await]
}

/// How to open a new database on `engine`. On PostgreSQL it is still there when it is opened again, on SQLite it is another one.
///
/// # Panics
/// If PostgreSQL is not installed or does not start.
pub async fn config(engine: Engine) -> Config {
    match engine {
        Engine::Sqlite => Config::SqliteMemory,
        Engine::Postgres => postgres().database().await,
    }
}

/// The cluster that all tests of this program share. A test that stops a cluster starts one of its own.
///
/// # Panics
/// If PostgreSQL is not installed or does not start.
pub fn postgres() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

/// Opens a database with migrations of the test's own: number, name, SQL.
///
/// # Errors
/// As [`Db::open`].
pub async fn open_with(config: &Config, steps: &[(i64, &'static str, &'static str)]) -> Result<Db> {
    let steps: Vec<_> = steps.iter().map(|&(number, name, sql)| Migration { number, name, sql }).collect();
    Db::open_with(config, steps.leak()).await
}
