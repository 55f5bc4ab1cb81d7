//! Where bytes lie. A [`Storage`] keeps objects under keys that are never reused and says nothing about what they mean:
//! digests, links and owners are rows of the catalog, which points at a key.
//!
//! An object is written once, front to back, in as many requests as it takes ([`Storage::append`]), made durable
//! ([`Storage::seal`]) and from then on only read or removed. How far a write has come is a [`Progress`] value that the
//! catalog keeps, so any process that sees the same catalog and the same storage goes on from it.

pub mod bucket;
mod contract;
mod depot;
pub mod fs;
mod key;
pub mod memory;
mod part;
#[cfg(feature = "testing")]
pub mod testing;
mod upload;

pub use contract::{Appended, ByteStream, Error, Progress, Result, Space, Storage, Stored};
pub use depot::{BucketDepot, Depot, DepotError, Entry, Folder};
pub use key::{InvalidKey, ObjectKey};
pub use part::FilePart;
pub use upload::{Hashing, InvalidMidstate, Tap};
