//! Backups of a stopped server, and an empty one filled from them.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use wharf_auth::{InstanceKey, bind_instance_key};
use wharf_core::backup::{self, Progress, RestoreTarget, Restored, Snapshot};
use wharf_core::{Depot, Depots, Entropy};
use wharf_db::Db;
use wharf_storage::bucket::{self, OpenError};
use wharf_storage::{BucketDepot, Folder};
use wharf_types::Clock;

use super::{assembly, data, key};
use crate::config::{Backups, Config, Database, Storage};
use crate::failure::{Failure, Outcome};

/// What the names of buckets begin with.
const SCHEMES: [(&str, bucket::Kind); 3] =
    [("s3", bucket::Kind::S3), ("gs", bucket::Kind::Gcs), ("az", bucket::Kind::Azure)];

/// The depot of this name: a folder, or a bucket as `s3://BUCKET/PREFIX`, of which `config` says everything else in `[backup]`.
pub(crate) fn depot(place: &str, config: impl FnOnce() -> Outcome<Config>) -> Outcome<Arc<dyn Depot>> {
    let bucket = place.split_once("://").and_then(|(scheme, rest)| {
        let (_, kind) = SCHEMES.into_iter().find(|(known, _)| *known == scheme)?;
        Some((kind, rest.split_once('/').unwrap_or((rest, ""))))
    });
    let Some((kind, (name, prefix))) = bucket else { return Ok(Arc::new(Folder::new(PathBuf::from(place)))) };
    assembly::install_tls_provider();
    let config = config()?;
    if config.kind("backup").is_some_and(|other| other != kind) {
        let other = config.text("backup.kind").unwrap_or_default();
        return Err(Failure::usage(format!("{place} is not of the kind that backup.kind says, which is {other}")));
    }
    let (mut bucket, certificates) = config.bucket("backup", kind);
    (bucket.bucket, bucket.prefix) = (name.to_owned(), prefix.trim_matches('/').to_owned());
    Ok(Arc::new(open(bucket, certificates)?))
}

fn open(bucket: bucket::Config, certificates: Option<PathBuf>) -> Outcome<BucketDepot> {
    let bucket = assembly::with_surroundings(bucket, certificates)?;
    BucketDepot::new(bucket.clone()).map_err(|error| assembly::not_usable(&bucket, &error))
}

/// Where the server may write backups: the place that was configured, and folders in it.
pub(super) fn depots(config: &Config) -> Outcome<(Depots, Option<Untried>)> {
    let mut untried = None;
    let depots: Depots = match config.backups() {
        Backups::Nowhere => Arc::new(|_| {
            Err("this server has no place for backups: neither its backup.path nor its backup.bucket is set".to_owned())
        }),
        Backups::Folder(base) => {
            let storage = config.storage();
            apart(&storage, &base).map_err(Failure::usage)?;
            Arc::new(move |to| {
                let path = base.join(to);
                let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::RootDir);
                if path.components().all(plain) && path.starts_with(&base) {
                    apart(&storage, &path)?;
                    return Ok(Arc::new(Folder::new(path)));
                }
                Err(format!("this server may write backups only into {} and folders in it", base.display()))
            })
        }
        Backups::Bucket(bucket, certificates) => {
            let base = open((*bucket).clone(), certificates)?;
            untried = Some(Untried { depot: base.clone(), bucket: *bucket });
            Arc::new(move |to| {
                let place = base.place();
                let below = match to.strip_prefix(&place) {
                    Some("") => "",
                    Some(rest) => rest.strip_prefix('/').unwrap_or(to),
                    None => to,
                };
                let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                let plain = |part: &str| part.starts_with(|c: char| c != '.' && known(c)) && part.chars().all(known);
                if below.is_empty() || below.split('/').all(plain) {
                    return Ok(Arc::new(base.below(below)));
                }
                Err(format!("this server may write backups only into {place} and folders in it"))
            })
        }
    };
    Ok((depots, untried))
}

/// Whether a backup of these data may lie in this place, as far as it is one of this machine.
pub(crate) fn check_place(config: &Config, place: &str) -> Outcome {
    if place.contains("://") { Ok(()) } else { apart(&config.storage(), Path::new(place)).map_err(Failure::usage) }
}

/// What lies in the folder of the storage is the storage's: the sweep would look at it, and who loses the one loses the other.
fn apart(storage: &Storage, place: &Path) -> Result<(), String> {
    let Storage::Local(folder) = storage else { return Ok(()) };
    if real(place).starts_with(real(folder)) {
        return Err(format!("{} lies in the storage of the server, {}", place.display(), folder.display()));
    }
    Ok(())
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in whole.ancestors() {
        if let (Ok(real), Ok(rest)) = (there.canonicalize(), whole.strip_prefix(there)) {
            return real.join(rest);
        }
    }
    whole
}

/// The bucket that backups go to. What is found out about it holds for them too.
pub(super) struct Untried {
    depot: BucketDepot,
    bucket: bucket::Config,
}

impl Untried {
    /// Finds out at the start whether it is fit for backups. One that is away keeps no server from starting: backups say so.
    pub(super) async fn try_out(self) -> Outcome {
        match self.depot.probe().await {
            Ok(()) => Ok(()),
            Err(error @ OpenError::Unconditional(_)) => Err(assembly::not_usable(&self.bucket, &error)),
            Err(error) => {
                tracing::error!(place = self.depot.place(), %error, "the bucket for backups cannot be used now");
                Ok(())
            }
        }
    }
}

/// Backs up what a stopped server holds.
pub(crate) async fn make(config: &Config, depot: &Arc<dyn Depot>, progress: &Progress) -> Outcome<Snapshot> {
    match config.database() {
        Database::Sqlite { path } if !path.exists() => {
            let message = format!("there is no database at {}", path.display());
            return Err(Failure::usage(message).hint("name the data directory of the server with --data"));
        }
        Database::SqliteMemory => return Err(Failure::usage("a database in memory cannot be backed up")),
        _ => {}
    }
    assembly::install_tls_provider();
    let locked =
        "a server runs on these data: leave out --data, --config and --database, and it does the backup itself";
    let (core, _) = assembly::core(config, locked).await?;
    let run = format!("{:08x}", rand::random::<u32>());
    core.back_up_offline(depot, &run, progress).await.map_err(Failure::new)
}

/// What a restore is told.
pub(crate) struct Wanted {
    pub(crate) snapshot: Option<String>,
    pub(crate) allow_missing: bool,
    pub(crate) new_instance_key: bool,
}

/// Fills the empty instance that `config` describes.
pub(crate) async fn restore(
    config: &Config,
    depot: &Arc<dyn Depot>,
    wanted: &Wanted,
    progress: &Progress,
) -> Outcome<(Snapshot, Restored)> {
    if matches!(config.database(), Database::SqliteMemory) {
        return Err(Failure::usage("a database in memory would forget what is restored"));
    }
    assembly::install_tls_provider();
    let snapshot = backup::find(depot, wanted.snapshot.as_deref()).await.map_err(Failure::new)?;
    let clock = Clock::system();
    let instance_key = instance_key(config, &snapshot, wanted.new_instance_key)?;
    let db = database(config, &snapshot).await?;
    bind(config, &db, instance_key.as_ref(), &clock).await?;
    let storage = assembly::storage(config).await?;
    let target = RestoreTarget {
        db,
        storage,
        clock,
        entropy: Entropy::system(),
        allow_missing: wanted.allow_missing,
        without_sealed: instance_key.is_none_or(|key| key.id() != snapshot.instance_key),
    };
    let restored = backup::restore(&target, depot, &snapshot, progress).await.map_err(|error| refusal(&error))?;
    Ok((snapshot, restored))
}

async fn database(config: &Config, snapshot: &Snapshot) -> Outcome<Db> {
    let database = config.database();
    if let Database::Sqlite { path } = &database
        && let Some(folder) = path.parent()
    {
        data::make_folder(folder)?;
    }
    Db::open_at(&database, snapshot.schema)
        .await
        .map_err(|error| assembly::not_opened(&error, "a restore needs an empty instance that no server runs on"))
}

/// The key that the snapshot's secrets are sealed with, or another where that is wanted.
fn instance_key(config: &Config, snapshot: &Snapshot, new: bool) -> Outcome<Option<InstanceKey>> {
    let path = config.path("instance.key_file");
    let given = key::given(config, &path)?;
    let expected = &snapshot.instance_key;
    if new || given.as_ref().is_some_and(|key| key.id() == *expected) {
        return Ok(given);
    }
    let problem = match given {
        Some(key) => format!("the backup belongs to the instance key {expected}, not {}", key.id()),
        None => format!("the backup belongs to the instance key {expected}, and there is none"),
    };
    Err(Failure::new(problem).hint(format!(
        "a backup does not contain the key: put the key file of the old server at {}, or give it by WHARF_INSTANCE_KEY; if it is \
         lost, --new-instance-key restores without the keys that sign package indexes",
        path.display()
    )))
}

/// Binds the key to the database, or has one made.
async fn bind(config: &Config, db: &Db, given: Option<&InstanceKey>, clock: &Clock) -> Outcome {
    match given {
        Some(given) => bind_instance_key(db, Some(given), clock).await.map_err(Failure::new),
        None => key::bind(config, db, clock).await.map(drop),
    }
}

fn refusal(error: &wharf_core::Error) -> Failure {
    let failure = Failure::new(error);
    match error {
        wharf_core::Error::Backup(text) if text.contains("not empty") => {
            failure.hint("a restore fills an empty instance: give it a new data directory, database and storage")
        }
        wharf_core::Error::Backup(text) if text.contains("lacks the bytes") => {
            failure.hint("choose an older one by --snapshot, or take it as it is with --allow-missing")
        }
        _ => failure,
    }
}
