//! Writes on a condition, and whether the store keeps to it.

use bytes::Bytes;
use futures_util::future::join_all;
use object_store::path::Path;
use object_store::{
    Attribute, Error as StoreError, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};

use crate::bucket::failure::is_unknown;
use crate::bucket::{Config, Door, OpenError};

/// So many write at once to find out whether one succeeds.
const RIVALS: usize = 4;
/// How often that is tried where none did: answers get lost.
const TRIES: usize = 3;

/// What lies under a name.
struct Found {
    content: Bytes,
    version: UpdateVersion,
    /// Drawn by whoever wrote it.
    mark: Option<String>,
}

async fn read(door: &dyn Door, path: &Path) -> object_store::Result<Option<Found>> {
    let got = match door.get(path).await {
        Err(StoreError::NotFound { .. }) => return Ok(None),
        got => got?,
    };
    let version = UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
    let mark = got.attributes.get(&mark()).map(|mark| mark.to_string());
    Ok(Some(Found { content: got.bytes().await?, version, mark }))
}

/// Without a hyphen, for Azure.
fn mark() -> Attribute {
    Attribute::Metadata("swap".into())
}

/// Writes if the condition holds. False if it does not.
async fn put(door: &dyn Door, path: &Path, mode: PutMode, content: &[u8]) -> object_store::Result<bool> {
    let drawn = hex::encode(rand::random::<[u8; 16]>());
    let attributes = [(mark(), drawn.clone())].into_iter().collect();
    let options = PutOptions { mode, attributes, ..PutOptions::default() };
    match door.put_opts(path, PutPayload::from(content.to_vec()), options).await {
        Ok(_) => Ok(true),
        // Or this was a second try, and only the answer to the first was lost.
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } | StoreError::NotModified { .. }) => {
            Ok(read(door, path).await?.is_some_and(|found| found.mark.as_ref() == Some(&drawn)))
        }
        Err(error) => Err(error),
    }
}

/// As [`Depot::swap`](super::Depot::swap).
pub(super) async fn swap(door: &dyn Door, path: &Path, from: Option<&[u8]>, to: &[u8]) -> object_store::Result<bool> {
    let mode = match (read(door, path).await?, from) {
        (None, None) => PutMode::Create,
        (Some(found), Some(from)) if found.content == from => PutMode::Update(found.version),
        _ => return Ok(false),
    };
    put(door, path, mode, to).await
}

/// Of several who write at once one may succeed. A store that knows no conditions lets all through, and one that looks first and
/// writes then lets more than one.
pub(super) async fn probe(door: &dyn Door, folder: Path, config: &Config) -> Result<(), OpenError> {
    for _ in 0..TRIES {
        let path = folder.clone().join(format!("probe-{}", hex::encode(rand::random::<[u8; 16]>())));
        let tried = rivals(door, &path).await;
        if let Err(error) = door.delete(&path).await {
            tracing::debug!(%error, %path, "a probe is left in the bucket");
        }
        match tried {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(Tried::Broken(problem)) => return Err(OpenError::Unconditional(problem)),
            Err(Tried::Failed(error)) if is_unknown(&error) => {
                return Err(OpenError::Unconditional(crate::bucket::failure::said(&error)));
            }
            Err(Tried::Failed(error)) => return Err(OpenError::met(&error, config)),
        }
    }
    Err(OpenError::Unusable("it refused every one of several writes at once".to_owned()))
}

enum Tried {
    Broken(String),
    Failed(StoreError),
}

impl From<StoreError> for Tried {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// True if one succeeded each time, false if none did.
async fn rivals(door: &dyn Door, path: &Path) -> Result<bool, Tried> {
    if !race(door, path, &PutMode::Create, "If-None-Match").await? {
        return Ok(false);
    }
    let Some(found) = read(door, path).await? else { return Ok(false) };
    race(door, path, &PutMode::Update(found.version), "If-Match").await
}

async fn race(door: &dyn Door, path: &Path, mode: &PutMode, condition: &str) -> Result<bool, Tried> {
    let contents: Vec<_> = (0..RIVALS).map(|rival| format!("{condition} {rival}")).collect();
    let puts = contents.iter().map(|content| put(door, path, mode.clone(), content.as_bytes()));
    let mut succeeded = 0;
    for outcome in join_all(puts).await {
        succeeded += usize::from(outcome?);
    }
    match succeeded {
        0 => Ok(false),
        1 => Ok(true),
        more => Err(Tried::Broken(format!("with {condition} {more} of {RIVALS} writes at once went through"))),
    }
}
