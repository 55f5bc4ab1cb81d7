//! One database, one instance key.

use wharf_db::identity::instance;
use wharf_db::{Db, Durability};
use wharf_types::{Clock, Timestamp};

use crate::InstanceKey;

/// Why the server must not start with this key on this database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyRefused {
    /// Another key sealed the secrets in it.
    #[error(
        "this database belongs to the instance key {expected}, not {given}: give the right key file, or secrets in the database are lost"
    )]
    Wrong {
        /// The id of the right key.
        expected: String,
        /// The id of the one that was given.
        given: String,
    },
    /// A key sealed the secrets in it, and none was given.
    #[error(
        "this database belongs to the instance key {expected}, and there is none: restore the key file from its backup"
    )]
    Missing {
        /// The id of the right key.
        expected: String,
    },
    /// The database does not say.
    #[error(transparent)]
    Database(#[from] wharf_db::Error),
}

/// Checks that `key` is the one this database belongs to. A fresh database belongs to the first key that is shown.
///
/// With no key at all a fresh database is fine: now is the time to generate one, to store it durably, and to come back with it.
///
/// # Errors
/// [`KeyRefused`] if it belongs to another key, or to one that is not there.
pub async fn bind_instance_key(db: &Db, key: Option<&InstanceKey>, clock: &Clock) -> Result<(), KeyRefused> {
    let known = db.read(&(), |tx, ()| Box::pin(instance::key_id(tx))).await?;
    let given = key.map(InstanceKey::id);
    let expected = match (known, &given) {
        (Some(expected), _) => expected,
        (None, None) => return Ok(()),
        (None, Some(given)) => {
            let row = (given.clone(), clock.now());
            let bound = db.write(Durability::Full, row, |tx, (id, at): &(String, Timestamp)| {
                Box::pin(instance::bind(tx, id, *at))
            });
            // Another replica may have been faster.
            bound.await?.unwrap_or_default()
        }
    };
    match given {
        Some(given) if given == expected => Ok(()),
        Some(given) => Err(KeyRefused::Wrong { expected, given }),
        None => Err(KeyRefused::Missing { expected }),
    }
}
