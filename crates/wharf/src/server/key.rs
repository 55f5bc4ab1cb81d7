//! The instance key: given by the environment or a file, or made at the first start and never again.

use std::path::Path;

use wharf_auth::{InstanceKey, KeyRefused, bind_instance_key};
use wharf_db::Db;
use wharf_types::Clock;

use super::data;
use crate::config::Config;
use crate::failure::{Failure, Outcome};

/// The key that belongs to the database. A fresh database gets a fresh one, which is on disk before anything is sealed with it.
pub(super) async fn bind(config: &Config, db: &Db, clock: &Clock) -> Outcome<InstanceKey> {
    let path = config.path("instance.key_file");
    let given = given(config, &path)?;
    let refused = |refused| refusal(&path, refused);
    bind_instance_key(db, given.as_ref(), clock).await.map_err(refused)?;
    if let Some(key) = given {
        return Ok(key);
    }
    let key = InstanceKey::generate();
    // A database in memory forgets its key with everything else: a file would keep the next start from starting.
    if !matches!(config.database(), wharf_db::Config::SqliteMemory) {
        store(&path, &key)?;
    }
    // If another server was faster, its key is the one, and this one would be refused at the next start as well.
    bind_instance_key(db, Some(&key), clock).await.map_err(refused)?;
    Ok(key)
}

pub(super) fn given(config: &Config, path: &Path) -> Outcome<Option<InstanceKey>> {
    let (text, origin) = match config.text("instance.key") {
        Some(text) => (text.to_owned(), config.origin("instance.key").to_string()),
        None => match std::fs::read_to_string(path) {
            Ok(text) => (text, path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::new(format!("{} cannot be read: {error}", path.display()))),
        },
    };
    let key =
        text.parse().map_err(|error| Failure::new(format!("{origin}: {error}")).hint("restore it from its backup"))?;
    Ok(Some(key))
}

fn store(path: &Path, key: &InstanceKey) -> Outcome {
    if let Some(folder) = path.parent() {
        data::make_folder(folder)?;
    }
    data::write_secret(path, &format!("{}\n", *key.to_text())).map_err(|error| {
        Failure::new(format!("the instance key cannot be written to {}: {error}", path.display()))
            .hint("it must survive this server: give a place with --data, or the key itself by WHARF_INSTANCE_KEY")
    })?;
    tracing::info!(path = %path.display(), key.id = key.id(), "instance key made: keep a copy of it apart from the database");
    Ok(())
}

fn refusal(path: &Path, refused: KeyRefused) -> Failure {
    let failure = Failure::new(&refused);
    match refused {
        KeyRefused::Missing { .. } => {
            let place = path.display();
            failure.hint(format!("put it back as {place}, or give it by WHARF_INSTANCE_KEY or WHARF_INSTANCE_KEY_FILE"))
        }
        KeyRefused::Wrong { .. } => {
            failure.hint("each database has one key; servers that share a database share the key")
        }
        KeyRefused::Database(_) => failure,
    }
}
