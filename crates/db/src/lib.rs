//! Rows: the only crate that contains SQL and knows a database driver.
//!
//! One SQL text runs on SQLite and on PostgreSQL; [`Db`] hides which of them it is. A transaction is a closure that captures
//! nothing, because it may be run again:
//!
//! ```no_run
//! # use wharf_db::{Db, Durability, Error};
//! # async fn rename(db: Db, id: i64, name: String) -> Result<bool, Error> {
//! let renamed = db
//!     .write(Durability::Full, (id, name), |tx, (id, name)| {
//!         Box::pin(async move {
//!             let changed = tx.execute("UPDATE projects SET name = ?2 WHERE id = ?1", &[id, name]).await?;
//!             Ok::<_, Error>(changed > 0)
//!         })
//!     })
//!     .await?;
//! # Ok(renamed)
//! # }
//! ```
//!
//! [`catalog`] and [`identity`] hold one file per aggregate, whose functions take the [`Tx`] they run in.

pub mod catalog;
mod db;
pub mod dump;
mod error;
pub mod identity;
mod mark;
mod migrate;
mod migrations;
mod postgres;
mod row;
mod sqlite;
mod status;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod value;

pub use db::{Config, Db, Durability, Work};
pub use error::{ConstraintKind, Error, Result, Source};
pub use futures_util::future::BoxFuture;
pub use mark::{Mark, Subject};
pub use row::Row;
pub use status::{Client, Status, Step};
pub use tx::{Engine, Params, Tx};
pub use value::{FromValue, ToValue, Value};
