//! Reads a whole depot and hashes everything that its snapshots need.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use wharf_storage::{Depot, DepotError};
use wharf_types::{Clock, Digest};

use super::checked::checked;
use super::lease::Lease;
use super::purged::Purges;
use super::rows::decoded;
use super::snapshot::{self, Snapshot, TableFile};
use super::write::BlobRow;
use super::{Progress, blob_name};
use crate::{Entropy, Error, Result};

/// What was found to be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file in the depot.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Snapshots that are whole.
    pub snapshots: u64,
    /// Blobs that were hashed.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong; nothing if the depot can be relied upon.
    pub findings: Vec<Finding>,
}

/// Hashes every file of every snapshot, and every blob that one of them needs. Notes in the depot which blobs are wrong, so that the
/// next backup copies them again.
///
/// # Errors
/// [`DepotError::Busy`] while somebody prunes the depot, and others of the depot; what is wrong with its content is a [`Finding`].
pub async fn verify(depot: &Arc<dyn Depot>, clock: &Clock, progress: &Progress) -> Result<Verified> {
    // Before the lease, which would be the first thing in a place that is none.
    if snapshot::folders(depot).await?.is_empty() {
        return Ok(Verified::default());
    }
    let run = format!("check {}", hex::encode(Entropy::system().bytes::<4>()));
    Lease::reading(depot, clock, &run, verify_noted(depot, progress)).await
}

async fn verify_noted(depot: &Arc<dyn Depot>, progress: &Progress) -> Result<Verified> {
    let mut verified = Verified::default();
    let mut wanted = BTreeMap::new();
    // What cannot be read of them is found below.
    let purges = Purges::read(depot).await.unwrap_or_default();
    for id in snapshot::folders(depot).await? {
        match snapshot::open(depot, &id).await {
            Ok(Some(snapshot)) => {
                verified.snapshots += 1;
                tables(depot, &snapshot, &purges, &mut wanted, &mut verified.findings).await?;
            }
            // Half, or being written: it counts for nothing.
            Ok(None) => {}
            Err(Error::Backup(problem)) => {
                verified.findings.push(Finding { file: snapshot::path(&id, "manifest.json"), problem });
            }
            Err(error) => return Err(error),
        }
    }
    progress.expect(wanted.len() as u64, wanted.values().sum());
    for (digest, size) in wanted {
        let file = blob_name(&digest);
        match read(depot, &file, digest).await? {
            Ok(bytes) => verified.bytes += bytes,
            Err(problem) => {
                super::is_wrong(depot, &digest).await;
                verified.findings.push(Finding { file, problem });
            }
        }
        verified.blobs += 1;
        progress.blob(size);
    }
    Ok(verified)
}

async fn tables(
    depot: &Arc<dyn Depot>,
    snapshot: &Snapshot,
    purges: &Purges,
    wanted: &mut BTreeMap<Digest, u64>,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    for file in &snapshot.tables {
        let path = snapshot.path(&file.file);
        let problem = match read(depot, &path, file.digest).await? {
            Ok(size) if size != file.size => Some(format!("it has {size} bytes, not {}", file.size)),
            Ok(_) => None,
            Err(problem) => Some(problem),
        };
        if let Some(problem) = problem {
            findings.push(Finding { file: path, problem });
        } else if file.table.name == "blobs" {
            wanted.extend(blobs_of(depot, snapshot, file, purges).await?);
        }
    }
    Ok(())
}

/// The blobs that a snapshot needs beside its rows, with their sizes. What was purged since is not needed any more.
pub(super) async fn blobs_of(
    depot: &Arc<dyn Depot>,
    snapshot: &Snapshot,
    file: &TableFile,
    purges: &Purges,
) -> Result<BTreeMap<Digest, u64>> {
    let mut wanted = BTreeMap::new();
    let mut pages = decoded(depot.get(&snapshot.path(&file.file)).await?, &file.table);
    while let Some(page) = pages.recv().await {
        for line in page.map_err(|error| Error::Backup(format!("{}: {error}", snapshot.path(&file.file))))? {
            let row = BlobRow::of(&file.table, &line)?;
            let purged = purges.has(&snapshot.instance_key, &row);
            if row.content.is_none() && !purged && !snapshot.missing.iter().any(|missing| missing.digest == row.digest)
            {
                wanted.insert(row.digest, row.size);
            }
        }
    }
    Ok(wanted)
}

/// The bytes of a small blob or a manifest, which lie in the rows of the snapshots that have it.
pub(crate) async fn content_in_rows(depot: &Arc<dyn Depot>, digest: &Digest) -> Result<Option<Vec<u8>>> {
    for id in snapshot::folders(depot).await?.iter().rev() {
        let Ok(Some(snapshot)) = snapshot::open(depot, id).await else { continue };
        let file = snapshot.table("blobs")?;
        let mut pages = decoded(depot.get(&snapshot.path(&file.file)).await?, &file.table);
        while let Some(Ok(page)) = pages.recv().await {
            for line in page {
                let row = BlobRow::of(&file.table, &line)?;
                if row.digest == *digest
                    && let Some(content) = row.content
                    && Digest::of(digest.algorithm(), content) == *digest
                {
                    return Ok(Some(content.to_vec()));
                }
            }
        }
    }
    Ok(None)
}

/// Reads a file to its end. The inner result says what is wrong with it.
pub(super) async fn read(
    depot: &Arc<dyn Depot>,
    file: &str,
    digest: Digest,
) -> Result<std::result::Result<u64, String>> {
    let body = match depot.get(file).await {
        Err(DepotError::NotFound(_)) => return Ok(Err("it is not there".into())),
        body => body?,
    };
    let mut body = checked(body, digest);
    let mut size = 0;
    loop {
        match body.try_next().await {
            Ok(Some(chunk)) => size += chunk.len() as u64,
            Ok(None) => return Ok(Ok(size)),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
}
