//! The bytes of a backup: what the rows of a snapshot name and the depot does not hold yet.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use wharf_db::catalog::blobs;
use wharf_storage::{Depot, DepotError};
use wharf_types::Digest;

use super::checked::{checked, mismatch};
use super::rows::decoded;
use super::snapshot::{Missing, Snapshot};
use super::write::BlobRow;
use super::{Progress, blob_name, shard};
use crate::{Core, Error, Inner, Result};

/// Copies at once.
const AT_ONCE: usize = 4;
/// How often a blob is tried whose bytes could not be read to their end.
const TRIES: u32 = 3;
/// A storage that fails for so many is not damaged but away.
const MOST_UNREADABLE: usize = 16;

/// A blob as the snapshot has it.
struct Wanted {
    digest: Digest,
    size: u64,
    storage: String,
    object: String,
}

/// What became of it.
enum Copied {
    Yes,
    Damaged(String),
    Unreadable(String),
}

/// Copies what is not there. Says which blobs could not be copied, because they are damaged or gone.
pub(super) async fn copy(
    core: &Core,
    depot: &Arc<dyn Depot>,
    snapshot: &Snapshot,
    progress: &Progress,
) -> Result<Vec<Missing>> {
    let file = snapshot.table("blobs")?;
    let mut pages = decoded(depot.get(&snapshot.path(&file.file)).await?, &file.table);
    let mut held = Held::new(depot);
    let (mut missing, mut unreadable) = (Vec::new(), 0);
    let mut running = FuturesUnordered::new();
    let mut settle = |(wanted, copied): (Wanted, Result<Copied>)| -> Result<()> {
        progress.blob(wanted.size);
        let problem = match copied? {
            Copied::Yes => return Ok(()),
            Copied::Damaged(problem) => problem,
            Copied::Unreadable(problem) => {
                unreadable += 1;
                problem
            }
        };
        tracing::error!(digest = %wanted.digest, problem, "a blob cannot be backed up");
        missing.push(Missing { digest: wanted.digest, problem });
        if unreadable > MOST_UNREADABLE {
            return Err(Error::Backup("the storage fails for too many blobs".into()));
        }
        Ok(())
    };
    while let Some(page) = pages.recv().await {
        for line in page.map_err(|error| Error::Backup(format!("{}: {error}", file.file)))? {
            let row = BlobRow::of(&file.table, &line)?;
            let Some((storage, object)) = row.place else { continue };
            let wanted =
                Wanted { digest: row.digest, size: row.size, storage: storage.to_owned(), object: object.to_owned() };
            if held.has(&wanted).await? {
                progress.blob(wanted.size);
                continue;
            }
            if running.len() == AT_ONCE
                && let Some(done) = running.next().await
            {
                settle(done)?;
            }
            running.push(async move {
                let copied = copy_one(core, depot, &wanted).await;
                (wanted, copied)
            });
        }
    }
    while let Some(done) = running.next().await {
        settle(done)?;
    }
    Ok(missing)
}

/// Copies a blob. One that is damaged is not served from here on either.
async fn copy_one(core: &Core, depot: &Arc<dyn Depot>, wanted: &Wanted) -> Result<Copied> {
    let copied = try_to_copy(&core.inner, depot, wanted).await?;
    if let Copied::Damaged(problem) = &copied {
        core.quarantine(&wanted.digest, Some(&wanted.object), problem).await?;
    }
    Ok(copied)
}

async fn try_to_copy(inner: &Inner, depot: &Arc<dyn Depot>, wanted: &Wanted) -> Result<Copied> {
    let mut tries = 0;
    loop {
        tries += 1;
        let problem = match open(inner, wanted).await {
            Ok(body) => match depot.put(&blob_name(&wanted.digest), checked(body, wanted.digest)).await {
                Ok(_) => return Ok(Copied::Yes),
                Err(DepotError::Body(error)) => match mismatch(&error) {
                    Some(problem) => return Ok(Copied::Damaged(problem)),
                    None => error.to_string(),
                },
                Err(error) => return Err(error.into()),
            },
            Err(wharf_storage::Error::NotFound(object)) => {
                return Ok(Copied::Damaged(format!("object {object} is not in the storage")));
            }
            Err(error) => error.to_string(),
        };
        if tries == TRIES {
            return Ok(Copied::Unreadable(problem));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn open(inner: &Inner, wanted: &Wanted) -> wharf_storage::Result<wharf_storage::ByteStream> {
    // A blob may have been stored anew since the snapshot; then its row says where.
    let mut object = wanted.object.clone();
    loop {
        let gone = |object: &str| {
            tracing::warn!(object, digest = %wanted.digest, storage = wanted.storage, "an object of the snapshot is gone");
        };
        let Ok(key) = object.parse::<wharf_storage::ObjectKey>() else {
            return Err(wharf_storage::Error::Unavailable(std::io::Error::other(format!("{object:?} is no key"))));
        };
        match inner.storage.read(&key, 0..wanted.size).await {
            Err(wharf_storage::Error::NotFound(key)) => {
                gone(&object);
                let now = inner.db.read(&wanted.digest, |tx, digest| Box::pin(blobs::find(tx, digest))).await;
                match now.ok().flatten().map(|blob| blob.place) {
                    Some(blobs::Place::Stored { object: other, .. }) if other != object => object = other,
                    _ => return Err(wharf_storage::Error::NotFound(key)),
                }
            }
            read => return read,
        }
    }
}

/// What the depot holds, listed a folder at a time: rows come in the order of their digests.
struct Held<'a> {
    depot: &'a Arc<dyn Depot>,
    folder: String,
    sizes: HashMap<String, u64>,
}

impl<'a> Held<'a> {
    fn new(depot: &'a Arc<dyn Depot>) -> Self {
        Self { depot, folder: String::new(), sizes: HashMap::new() }
    }

    async fn has(&mut self, wanted: &Wanted) -> Result<bool> {
        let folder = shard(&wanted.digest);
        if folder != self.folder {
            let entries = self.depot.list(&folder).await?;
            self.sizes = entries.into_iter().filter_map(|entry| Some((entry.name, entry.size?))).collect();
            self.folder = folder;
        }
        Ok(self.sizes.get(&wanted.digest.hex()) == Some(&wanted.size))
    }
}
