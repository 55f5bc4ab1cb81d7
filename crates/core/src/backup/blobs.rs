//! The bytes of a backup: what the rows of a snapshot name and the depot does not hold yet.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use wharf_db::catalog::blobs;
use wharf_db::dump::Line;
use wharf_storage::{Depot, DepotError};
use wharf_types::Digest;

use super::checked::{checked, mismatch};
use super::lease::Lease;
use super::rows::decoded;
use super::snapshot::{self, Missing, Snapshot, TableFile};
use super::write::BlobRow;
use super::{Progress, blob_name, shard, verify};
use crate::scrub::{MOST_IN_A_ROW, away};
use crate::{Core, Error, Inner, Result};

/// Copies at once.
const AT_ONCE: usize = 4;
/// How often a blob is tried whose bytes could not be read to their end.
const TRIES: u32 = 3;
/// A storage that fails for so many is not damaged but away.
const MOST_UNREADABLE: usize = 16;

/// So many runs read everything again that the depot holds.
const SHARES: u8 = 32;

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
    /// It was there already, and is right.
    Held,
    Damaged(String),
    /// There is no such object, says a storage that may not be the right one.
    Gone(String),
    Unreadable(String),
}

/// Copies what is not there, or is wrong there. Says which blobs could not be copied, because they are damaged or gone.
pub(super) async fn copy(
    core: &Core,
    depot: &Arc<dyn Depot>,
    snapshot: &mut Snapshot,
    lease: &Lease,
    progress: &Progress,
) -> Result<Vec<Missing>> {
    let last = snapshot::newest(depot).await?;
    snapshot.compared = last.map_or(0, |last| (last.compared + 1) % SHARES);
    let wrong = super::wrong(depot).await?;
    let mut wanted = all(depot, snapshot).await?;
    let mut held = Held::new(depot);
    let mut copying = Copying { core, progress, missing: Vec::new(), unreadable: 0, doubts: Vec::new() };
    let mut running = FuturesUnordered::new();
    while let Some(wanted) = wanted.next().await? {
        lease.check()?;
        let there = held.has(&wanted).await?;
        let suspect = wrong.contains(&wanted.digest);
        if there && !suspect && !is_in_share(&wanted.digest, snapshot.compared) {
            progress.blob(wanted.size);
            continue;
        }
        if running.len() == AT_ONCE
            && let Some((wanted, copied)) = running.next().await
        {
            copying.settle(wanted, copied).await?;
        }
        running.push(async move {
            let copied = copy_one(core, depot, &wanted, there, suspect).await;
            (wanted, copied)
        });
    }
    while let Some((wanted, copied)) = running.next().await {
        copying.settle(wanted, copied).await?;
    }
    copying.decide().await?;
    Ok(copying.missing)
}

/// Whether every blob of a snapshot is in the depot.
pub(super) async fn check(depot: &Arc<dyn Depot>, snapshot: &Snapshot) -> Result<()> {
    let missing: HashSet<_> = snapshot.missing.iter().map(|missing| missing.digest).collect();
    let (mut wanted, mut held) = (all(depot, snapshot).await?, Held::new(depot));
    while let Some(wanted) = wanted.next().await? {
        if !held.has(&wanted).await? && !missing.contains(&wanted.digest) {
            return Err(Error::Backup(format!("somebody has removed {} meanwhile", blob_name(&wanted.digest))));
        }
    }
    Ok(())
}

fn is_in_share(digest: &Digest, share: u8) -> bool {
    u8::from_str_radix(&digest.hex()[..2], 16).is_ok_and(|first| first % SHARES == share)
}

/// The blobs whose bytes lie beside a snapshot's rows.
async fn all(depot: &Arc<dyn Depot>, snapshot: &Snapshot) -> Result<All> {
    let file = snapshot.table("blobs")?.clone();
    let pages = decoded(depot.get(&snapshot.path(&file.file)).await?, &file.table);
    Ok(All { file, pages, page: Vec::new().into_iter() })
}

struct All {
    file: TableFile,
    pages: mpsc::Receiver<std::io::Result<Vec<Line>>>,
    page: std::vec::IntoIter<Line>,
}

impl All {
    async fn next(&mut self) -> Result<Option<Wanted>> {
        loop {
            let Some(line) = self.page.next() else {
                let Some(page) = self.pages.recv().await else { return Ok(None) };
                let page = page.map_err(|error| Error::Backup(format!("{}: {error}", self.file.file)))?;
                self.page = page.into_iter();
                continue;
            };
            let BlobRow { digest, size, place, .. } = BlobRow::of(&self.file.table, &line)?;
            if let Some((storage, object)) = place {
                return Ok(Some(Wanted { digest, size, storage: storage.to_owned(), object: object.to_owned() }));
            }
        }
    }
}

async fn copy_one(core: &Core, depot: &Arc<dyn Depot>, wanted: &Wanted, there: bool, suspect: bool) -> Result<Copied> {
    if there && let Err(problem) = verify::read(depot, &blob_name(&wanted.digest), wanted.digest).await? {
        tracing::error!(digest = %wanted.digest, problem, "a blob in the backup is damaged; it is copied again");
    } else if there {
        if suspect {
            super::is_right(depot, &wanted.digest).await?;
        }
        return Ok(Copied::Held);
    }
    let copied = try_to_copy(&core.inner, depot, wanted).await?;
    if suspect && matches!(copied, Copied::Yes) {
        super::is_right(depot, &wanted.digest).await?;
    }
    Ok(copied)
}

/// What came of the copies so far. That an object cannot be had counts only once the storage has handed out another after it, or
/// there is none left: as with the scrub.
struct Copying<'a> {
    core: &'a Core,
    progress: &'a Progress,
    missing: Vec<Missing>,
    unreadable: usize,
    doubts: Vec<(Wanted, Copied)>,
}

impl Copying<'_> {
    async fn settle(&mut self, wanted: Wanted, copied: Result<Copied>) -> Result<()> {
        self.progress.blob(wanted.size);
        match copied? {
            Copied::Yes => self.decide().await,
            Copied::Held => Ok(()),
            Copied::Damaged(problem) => {
                self.lacks(&wanted, problem, true).await?;
                self.decide().await
            }
            copied @ (Copied::Gone(_) | Copied::Unreadable(_)) => {
                self.core.inner.storage.confirm().await?;
                self.doubts.push((wanted, copied));
                match self.doubts.last() {
                    Some((_, Copied::Gone(problem) | Copied::Unreadable(problem)))
                        if self.doubts.len() == MOST_IN_A_ROW =>
                    {
                        Err(away(problem))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    async fn decide(&mut self) -> Result<()> {
        if self.doubts.is_empty() {
            return Ok(());
        }
        self.core.inner.storage.confirm().await?;
        for (wanted, copied) in std::mem::take(&mut self.doubts) {
            match copied {
                Copied::Yes | Copied::Held => {}
                Copied::Damaged(problem) | Copied::Gone(problem) => self.lacks(&wanted, problem, true).await?,
                Copied::Unreadable(problem) => {
                    self.unreadable += 1;
                    self.lacks(&wanted, problem, false).await?;
                }
            }
        }
        if self.unreadable > MOST_UNREADABLE {
            let problem = std::io::Error::other("the storage fails for too many blobs");
            return Err(Error::Storage(wharf_storage::Error::Unavailable(problem)));
        }
        Ok(())
    }

    /// A blob that is not in the backup. One that is damaged is not served from here on either.
    async fn lacks(&mut self, wanted: &Wanted, problem: String, damaged: bool) -> Result<()> {
        if damaged {
            self.core.quarantine(&wanted.digest, Some(&wanted.object), &problem).await?;
        }
        tracing::error!(digest = %wanted.digest, problem, "a blob cannot be backed up");
        self.missing.push(Missing { digest: wanted.digest, problem });
        Ok(())
    }
}

async fn try_to_copy(inner: &Inner, depot: &Arc<dyn Depot>, wanted: &Wanted) -> Result<Copied> {
    let mut tries = 0;
    loop {
        tries += 1;
        let problem = match open(inner, wanted).await {
            Ok(body) => match depot.put(&blob_name(&wanted.digest), checked(body, wanted.digest)).await {
                Ok(_) => return Ok(Copied::Yes),
                Err(DepotError::Body(error)) => match mismatch(&error) {
                    // What was wrong on its way is right the second time.
                    Some(problem) if tries > 1 => return Ok(Copied::Damaged(problem)),
                    Some(_) => continue,
                    None => error.to_string(),
                },
                Err(error) => return Err(error.into()),
            },
            Err(wharf_storage::Error::NotFound(object)) => {
                return Ok(Copied::Gone(format!("object {object} is not in the storage")));
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
