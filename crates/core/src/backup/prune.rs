//! Makes room in a depot: old snapshots go, and blobs that no other snapshot needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use wharf_storage::Depot;
use wharf_types::{Clock, Digest};

use super::lease::{Lease, PRUNE};
use super::purged::{self, Purges};
use super::snapshot::{self, Snapshot};
use super::verify::blobs_of;
use crate::{Error, Result};

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Snapshots, by id.
    pub snapshots: Vec<String>,
    /// Half snapshots, by id.
    pub halves: Vec<String>,
    /// Snapshots whose manifest could not be read, older than those that stay, by id.
    pub unreadable: Vec<String>,
    /// Blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Keeps the newest `keep` snapshots, at least one. Half snapshots go too: nobody else is at the depot meanwhile.
///
/// # Errors
/// [`DepotError::Busy`](wharf_storage::DepotError::Busy) while others write to the depot or restore from it. [`Error::Backup`] if a snapshot that stays cannot be read: then nothing is removed, for nobody knows what it needs. Those of
/// the depot; what was removed until then stays removed, and pruning again goes on.
pub async fn prune(depot: &Arc<dyn Depot>, keep: usize, clock: &Clock) -> Result<Pruned> {
    // Before the lease, which would be the first thing in a place that is none.
    if snapshot::folders(depot).await?.is_empty() {
        return Err(Error::Backup(format!("there is no snapshot in {}", depot.place())));
    }
    let lease = Lease::take_alone(depot, clock, &format!("{PRUNE} of {}", clock.now())).await?;
    let pruned = prune_alone(depot, keep, &lease).await;
    if let Err(error) = lease.release().await {
        tracing::warn!(%error, "the lease of the backup directory was not given back: it ends by itself");
    }
    pruned
}

async fn prune_alone(depot: &Arc<dyn Depot>, keep: usize, lease: &Lease) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    let mut whole: Vec<Snapshot> = Vec::new();
    let mut unreadable = Vec::new();
    for id in snapshot::folders(depot).await? {
        match snapshot::open(depot, &id).await {
            Err(error @ Error::Backup(_)) => unreadable.push((id, error)),
            Err(error) => return Err(error),
            Ok(Some(snapshot)) => whole.push(snapshot),
            Ok(None) if depot.list(&snapshot::path(&id, "")).await?.is_empty() => {}
            Ok(None) => pruned.halves.push(id),
        }
    }
    // One that cannot be read counts like the others: it may be mended.
    let mut ids: Vec<_> =
        whole.iter().map(|snapshot| &snapshot.id).chain(unreadable.iter().map(|(id, _)| id)).collect();
    ids.sort_unstable();
    let oldest = ids.iter().rev().nth(keep.max(1) - 1).or(ids.first()).map(|id| (*id).clone()).unwrap_or_default();
    let kept = whole.split_off(whole.partition_point(|snapshot| snapshot.id < oldest));
    if kept.is_empty() && unreadable.is_empty() {
        return Err(Error::Backup(format!("there is no whole snapshot in {}", depot.place())));
    }
    for (id, error) in unreadable {
        // One that would go anyway goes.
        if id >= oldest {
            return Err(error);
        }
        pruned.unreadable.push(id);
    }
    let purges = Purges::read(depot).await?;
    let mut needed = BTreeSet::new();
    for snapshot in &kept {
        needed.extend(blobs_of(depot, snapshot, snapshot.table("blobs")?, &purges).await?.into_keys());
    }
    lease.confirm().await?;
    // The snapshot before its blobs, so that what dies in between leaves blobs too many and not too few.
    for id in whole.iter().map(|snapshot| &snapshot.id).chain(&pruned.halves).chain(&pruned.unreadable) {
        snapshot::remove(depot, id).await?;
    }
    pruned.snapshots = whole.into_iter().map(|snapshot| snapshot.id).collect();
    remove_blobs(depot, &needed, lease, &mut pruned).await?;
    purged::forget(depot, &kept).await?;
    lease.confirm().await?;
    depot.tidy().await?;
    Ok(pruned)
}

async fn remove_blobs(
    depot: &Arc<dyn Depot>,
    needed: &BTreeSet<Digest>,
    lease: &Lease,
    pruned: &mut Pruned,
) -> Result<()> {
    for digest in super::wrong(depot).await?.difference(&needed.iter().copied().collect()) {
        super::is_right(depot, digest).await?;
    }
    for algorithm in depot.list("blobs").await? {
        for shard in depot.list(&format!("blobs/{}", algorithm.name)).await? {
            lease.confirm().await?;
            let folder = format!("blobs/{}/{}", algorithm.name, shard.name);
            for blob in depot.list(&folder).await? {
                let digest = format!("{}:{}", algorithm.name, blob.name).parse::<Digest>();
                // What has no such name is not ours.
                if digest.is_ok_and(|digest| !needed.contains(&digest)) {
                    depot.remove(&format!("{folder}/{}", blob.name)).await?;
                    pruned.blobs += 1;
                    pruned.bytes += blob.size.unwrap_or_default();
                }
            }
        }
    }
    Ok(())
}
