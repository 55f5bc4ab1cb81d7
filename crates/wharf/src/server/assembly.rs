//! The pieces: the only place that names concrete backends and the list of formats.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_apt::Apt;
use wharf_auth::Auth;
use wharf_core::{Core, Entropy, Parts};
use wharf_db::Db;
use wharf_helm::Helm;
use wharf_oci::Oci;
use wharf_storage::Storage;
use wharf_storage::bucket::{self, Bucket};
use wharf_storage::fs::Fs;
use wharf_storage::memory::Memory;
use wharf_types::Clock;
use wharf_web::api::Api;
use wharf_wire::{Door, Mounted};
use wharf_yum::Yum;

use super::{backup, data, key};
use crate::config::{self, Config};
use crate::failure::{Failure, Outcome};

/// The HTTP side of what the server holds.
pub(super) struct Front {
    pub(super) doors: Vec<Box<dyn Door>>,
    pub(super) api: Api,
    /// To be tried out before the server is ready.
    pub(super) backups: Option<backup::Untried>,
}

/// Every format is one line here.
fn doors() -> Vec<Box<dyn Door>> {
    vec![
        Box::new(Mounted::new(Oci)),
        Box::new(Mounted::new(Apt::default())),
        Box::new(Mounted::new(Helm::default())),
        Box::new(Mounted::new(Yum::default())),
    ]
}

/// The kinds of goods, for commands that send files.
pub(crate) fn formats() -> Vec<Arc<dyn wharf_core::Format>> {
    doors().iter().map(|door| door.format()).collect()
}

/// Opens database and storage, and puts the use cases over them. `locked` says what to do if another server has them.
pub(super) async fn core(config: &Config, locked: &str) -> Outcome<(Core, Front)> {
    let clock = Clock::system();
    let db = database(config, locked).await?;
    let instance_key = key::bind(config, &db, &clock).await?;
    let storage = storage(config).await?;
    let auth = Auth::new(db.clone(), &instance_key, clock.clone(), config.auth());
    let doors = doors();
    let formats = doors.iter().map(|door| door.format()).collect();
    let names = doors.iter().map(|door| door.name()).collect();
    let entropy = Entropy::system();
    let (depots, backups) = backup::depots(config)?;
    let core =
        Core::new(Parts { db, storage, auth, instance_key, clock, entropy, formats, config: config.core(), depots });
    core.bind_storage().await.map_err(|error| Failure::new(&error))?;
    Ok((core, Front { doors, api: Api::new(names), backups }))
}

/// Opens the database, and makes it if it is not there. `locked` says what to do if another server has it.
pub(super) async fn database(config: &Config, locked: &str) -> Outcome<Db> {
    let database = config.database();
    if let config::Database::Sqlite { path } = &database
        && let Some(folder) = path.parent()
    {
        data::make_folder(folder)?;
    }
    Db::open(&database).await.map_err(|error| not_opened(&error, locked))
}

/// What to say of a database that could not be opened.
pub(super) fn not_opened(error: &wharf_db::Error, locked: &str) -> Failure {
    let failure = Failure::new(error);
    match error {
        wharf_db::Error::Locked { .. } => failure.hint(locked),
        wharf_db::Error::Unavailable(_) => failure.hint("check database.url: wharf config show --sources"),
        _ => failure,
    }
}

pub(super) async fn storage(config: &Config) -> Outcome<Arc<dyn Storage>> {
    match config.storage() {
        config::Storage::Memory => Ok(Arc::new(Memory::new())),
        config::Storage::Local(path) => {
            data::make_folder(&path)?;
            let open = move || Fs::open(path.clone()).map_err(|error| opened(&path, &error));
            let fs = tokio::task::spawn_blocking(open).await.map_err(Failure::new)??;
            Ok(Arc::new(fs))
        }
        config::Storage::Bucket(bucket, certificates) => Ok(Arc::new(open_bucket(*bucket, certificates).await?)),
    }
}

async fn open_bucket(config: bucket::Config, certificates: Option<PathBuf>) -> Outcome<Bucket> {
    let config = with_surroundings(config, certificates)?;
    Bucket::open(&config, rand::random()).await.map_err(|error| not_usable(&config, &error))
}

/// What to say of a bucket that could not be opened.
pub(super) fn not_usable(config: &bucket::Config, error: &bucket::OpenError) -> Failure {
    Failure::new(format!("bucket {} cannot be opened: {error}", config.bucket))
        .hint(format!("check [{}]: wharf config show --sources", config.section))
}

/// Adds what the environment and files say of a bucket.
pub(super) fn with_surroundings(mut config: bucket::Config, certificates: Option<PathBuf>) -> Outcome<bucket::Config> {
    config.ambient = ambient(config.kind);
    if let Some(path) = certificates {
        let unread = |error| format!("{}.ca: {} cannot be read: {error}", config.section, path.display());
        config.certificates = Some(std::fs::read_to_string(&path).map_err(|error| Failure::new(unread(error)))?);
    }
    Ok(config)
}

/// What the provider's own programs would find in the environment: credentials of a role, above all.
fn ambient(kind: bucket::Kind) -> Vec<(String, bucket::Secret)> {
    let prefix = match kind {
        bucket::Kind::S3 => "AWS_",
        bucket::Kind::Gcs => "GOOGLE_",
        bucket::Kind::Azure => "AZURE_",
    };
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let ours = std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with(prefix));
    ours.map(|(name, value)| (name, bucket::Secret(value))).collect()
}

fn opened(path: &Path, error: &wharf_storage::fs::OpenError) -> Failure {
    Failure::new(format!("the storage in {} cannot be opened: {error}", path.display()))
}

/// One provider for all of TLS in this process.
pub(super) fn install_tls_provider() {
    // It fails only if one is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
