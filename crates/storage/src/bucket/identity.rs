//! Who a bucket is.

use object_store::{Error as StoreError, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use super::failure::{OpenError, is_unknown};
use super::{Config, Door, Names};

const HEADER: &str = "wharf bucket 1 ";

/// Reads the identity, or gives one to a bucket that has none. Of several processes that do so at once the first one's counts, or
/// on a store that knows no conditional put the last one's: the others read what became of it.
pub(super) async fn of(door: &dyn Door, names: &Names, config: &Config, draw: [u8; 16]) -> Result<String, OpenError> {
    match read(door, names).await {
        Ok(text) => return known(&text),
        Err(StoreError::NotFound { .. }) => {}
        Err(error) => return Err(OpenError::met(&error, config)),
    }
    let text = format!("{HEADER}{}\n", hex::encode(draw));
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    match door.put_opts(&names.mark(), PutPayload::from(text.clone()), options).await {
        Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
        Err(error) if is_unknown(&error) => {
            door.put(&names.mark(), PutPayload::from(text)).await.map_err(|error| OpenError::met(&error, config))?;
        }
        Err(error) => return Err(OpenError::met(&error, config)),
    }
    known(&read(door, names).await.map_err(|error| OpenError::met(&error, config))?)
}

/// The identity that the bucket has now; none if what lies there is not ours.
pub(super) async fn now(door: &dyn Door, names: &Names) -> object_store::Result<Option<String>> {
    Ok(known(&read(door, names).await?).ok())
}

async fn read(door: &dyn Door, names: &Names) -> object_store::Result<String> {
    let content = door.get(&names.mark()).await?.bytes().await?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

fn known(text: &str) -> Result<String, OpenError> {
    match text.trim_end().strip_prefix(HEADER) {
        Some(identity) if !identity.is_empty() => Ok(identity.to_owned()),
        _ => Err(OpenError::UnknownLayout(text.chars().take(60).collect())),
    }
}
