//! Listing a page of the objects in key order. One shard is listed at a time: a million objects are four thousand in each.

use std::fs;
use std::io;

use super::{Place, Tree, shard};
use crate::contract::moment;
use crate::{ObjectKey, Stored};

/// Up to `limit` objects behind `after`.
pub(super) fn page(tree: &Tree, after: Option<&ObjectKey>, limit: usize) -> io::Result<Vec<Stored>> {
    // Before the shards: an object that is sealed meanwhile is seen twice and not missed.
    let unsealed = keys(tree, Place::Incoming, after)?;
    let mut page = Vec::new();
    for digits in (0..=255_u8).map(|number| format!("{number:02x}")) {
        if after.is_some_and(|after| digits.as_str() < shard(after)) {
            continue;
        }
        let mut found = keys(tree, Place::Shard(&digits), after)?;
        found.extend(unsealed.iter().filter(|key| shard(key) == digits).cloned());
        found.sort_unstable();
        found.dedup();
        for key in found {
            if page.len() == limit {
                return Ok(page);
            }
            page.extend(look(tree, key)?);
        }
    }
    Ok(page)
}

/// The keys behind `after` in a folder. Files with other names are not ours and are left alone.
fn keys(tree: &Tree, folder: Place<'_>, after: Option<&ObjectKey>) -> io::Result<Vec<ObjectKey>> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(tree.path(folder))? {
        let key = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        keys.extend(key.filter(|key| after.is_none_or(|after| key > after)));
    }
    Ok(keys)
}

/// `None` for an object that was removed since its folder was listed.
fn look(tree: &Tree, key: ObjectKey) -> io::Result<Option<Stored>> {
    for path in [Place::Unsealed(&key), Place::Sealed(&key)].map(|place| tree.path(place)) {
        match path.metadata() {
            Ok(metadata) => {
                let modified = moment(metadata.modified()?);
                return Ok(Some(Stored { size: metadata.len(), modified, key }));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
