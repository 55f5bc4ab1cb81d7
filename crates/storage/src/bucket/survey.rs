//! Listing a page of the objects in key order.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use object_store::path::Path;
use wharf_types::Timestamp;

use super::failure::failure;
use super::{Door, Names};
use crate::contract::moment;
use crate::{ObjectKey, Result, Stored};

/// Up to `limit` objects behind `after`.
pub(super) async fn page(
    door: &dyn Door,
    names: &Names,
    after: Option<&ObjectKey>,
    limit: usize,
) -> Result<Vec<Stored>> {
    // Pending ones first: an object that is sealed meanwhile is seen twice and not missed.
    let pending = list(door, &names.all_pending(), after, limit).await?;
    let sealed = list(door, &names.objects(), after, limit).await?;
    // How much of a pending one there is its store does not say.
    let mut page: BTreeMap<_, _> = pending.into_iter().map(|(key, (_, modified))| (key, (0, modified))).collect();
    page.extend(sealed);
    Ok(page.into_iter().take(limit).map(|(key, (size, modified))| Stored { key, size, modified }).collect())
}

/// The keys behind `after` in a folder. What has another name is not ours and is left alone.
async fn list(
    door: &dyn Door,
    folder: &Path,
    after: Option<&ObjectKey>,
    limit: usize,
) -> Result<BTreeMap<ObjectKey, (u64, Timestamp)>> {
    // Behind everything that begins with the key: a pending one is a folder.
    let offset = after.map(|after| folder.clone().join(format!("{after}~")));
    let mut listed = match &offset {
        Some(offset) => door.list_with_offset(Some(folder), offset),
        None => door.list(Some(folder)),
    };
    let mut found = BTreeMap::new();
    while found.len() < limit
        && let Some(meta) = listed.try_next().await.map_err(|error| failure(&error))?
    {
        let name = meta.location.prefix_match(folder).and_then(|mut parts| parts.next());
        let Some(key) = name.and_then(|name| name.as_ref().parse::<ObjectKey>().ok()) else { continue };
        if after.is_none_or(|after| key > *after) {
            found.insert(key, (meta.size, moment(meta.last_modified.into())));
        }
    }
    Ok(found)
}
