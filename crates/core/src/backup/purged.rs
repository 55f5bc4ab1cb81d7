//! What was purged, as a depot knows it: from the rows of its snapshots, and from notes that purges leave, because the machine may
//! be lost before the next backup.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use wharf_db::dump::Cell;
use wharf_storage::{ByteStream, Depot};
use wharf_types::{Digest, Timestamp};

use super::rows::{self, decoded};
use super::snapshot::Snapshot;
use super::write::BlobRow;
use crate::{Error, Result};

const FOLDER: &str = "purged";
/// A note has a digest for each blob that went with a repository.
const MOST: usize = 256 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    at: Timestamp,
    digests: Vec<Digest>,
    /// The repository that went, as `<format>/<canonical name>`.
    #[serde(default)]
    repository: Option<String>,
    /// Its rows: the name may have been another's before.
    #[serde(default)]
    rows: Vec<i64>,
}

/// By the key of the instance, because several may share a depot: what was purged, and when last.
#[derive(Debug, Default)]
pub(super) struct Purges {
    digests: BTreeMap<String, BTreeMap<Digest, Timestamp>>,
    /// By their rows.
    repositories: BTreeMap<String, BTreeMap<i64, (String, Timestamp)>>,
}

impl Purges {
    pub(super) async fn read(depot: &Arc<dyn Depot>) -> Result<Self> {
        let mut purges = Self::default();
        let (snapshots, unreadable) = super::snapshots(depot).await?;
        for problem in unreadable {
            tracing::warn!(
                problem,
                "what this snapshot knows of purges is left out; notes beside the snapshots say it too"
            );
        }
        for snapshot in snapshots {
            purges.add_rows(depot, &snapshot).await?;
        }
        for instance in depot.list(FOLDER).await? {
            for name in notes(depot, &instance.name).await? {
                let note = read(depot, &name).await?;
                for digest in note.digests {
                    latest(purges.digests.entry(instance.name.clone()).or_default(), digest, note.at);
                }
                if let Some(repository) = note.repository {
                    let known = purges.repositories.entry(instance.name.clone()).or_default();
                    known.extend(note.rows.iter().map(|row| (*row, (repository.clone(), note.at))));
                }
            }
        }
        Ok(purges)
    }

    /// A purge takes the row away, so one that is younger was pushed again later and is nobody's leaked secret.
    pub(super) fn has(&self, instance: &str, row: &BlobRow<'_>) -> bool {
        self.when(instance, row).is_some()
    }

    /// When what the row says was purged, if it was.
    pub(super) fn when(&self, instance: &str, row: &BlobRow<'_>) -> Option<Timestamp> {
        let at = self.digests.get(instance).and_then(|purged| purged.get(&row.digest)).copied();
        at.filter(|at| row.created_at <= *at)
    }

    /// The repositories of an instance that were purged: their rows, names and when.
    pub(super) fn repositories(&self, instance: &str) -> BTreeMap<i64, (String, Timestamp)> {
        self.repositories.get(instance).cloned().unwrap_or_default()
    }

    async fn add_rows(&mut self, depot: &Arc<dyn Depot>, snapshot: &Snapshot) -> Result<()> {
        let Ok(file) = snapshot.table("purges") else { return Ok(()) };
        let column = |name| file.table.position(name);
        let (Some(digest), Some(repository), Some(at)) = (column("digest"), column("repository"), column("at")) else {
            return Ok(());
        };
        // Not in those of older programs.
        let row = column("repository_id");
        let instance = &snapshot.instance_key;
        let path = snapshot.path(&file.file);
        let mut pages = decoded(depot.get(&path).await?, &file.table);
        while let Some(page) = pages.recv().await {
            for line in page.map_err(|error| Error::Backup(format!("{path}: {error}")))? {
                let Cell::Int(at) = &line[at] else { continue };
                let at = Timestamp::from_millis(*at);
                match (&line[digest], &line[repository], row.map(|row| &line[row])) {
                    (Cell::Bytes(digest), ..) => {
                        if let Ok(digest) = Digest::from_bytes(digest) {
                            latest(self.digests.entry(instance.clone()).or_default(), digest, at);
                        }
                    }
                    (_, Cell::Text(repository), Some(Cell::Int(row))) => {
                        let known = self.repositories.entry(instance.clone()).or_default();
                        known.insert(*row, (repository.clone(), at));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn latest<K: Ord>(known: &mut BTreeMap<K, Timestamp>, key: K, at: Timestamp) {
    let last = known.entry(key).or_insert(at);
    *last = (*last).max(at);
}

/// What a note says.
pub(crate) struct Gone<'a> {
    pub(crate) at: Timestamp,
    pub(crate) digests: &'a [Digest],
    pub(crate) repository: Option<&'a str>,
    pub(crate) rows: &'a [i64],
}

/// Leaves a note of a purge. Again is once. If a snapshot was `written` there, one must be there: otherwise this may be the empty
/// folder that a disk is mounted at.
pub(crate) async fn note(depot: &Arc<dyn Depot>, instance: &str, gone: &Gone<'_>, written: bool) -> Result<()> {
    if written {
        super::is_still_there(depot).await?;
    }
    let Gone { at, digests, repository, rows } = gone;
    let (digests, repository, rows) = (digests.to_vec(), repository.map(str::to_owned), rows.to_vec());
    let note = Note { at: *at, digests, repository, rows };
    let text = serde_json::to_vec(&note).map_err(|error| Error::Backup(error.to_string()))?;
    let name = format!("{FOLDER}/{instance}/{}-{}.json", at.as_millis(), &Digest::sha256(&text).hex()[..16]);
    let body: ByteStream = Box::pin(stream::once(async { Ok(Bytes::from(text)) }));
    depot.put(&name, body).await?;
    Ok(())
}

/// Removes the notes that say nothing to any of the snapshots that stay.
pub(super) async fn forget(depot: &Arc<dyn Depot>, kept: &[Snapshot]) -> Result<()> {
    for instance in depot.list(FOLDER).await? {
        let of_it = kept.iter().filter(|snapshot| snapshot.instance_key == instance.name);
        let Some(oldest) = of_it.map(|snapshot| snapshot.mark).min() else { continue };
        for name in notes(depot, &instance.name).await? {
            if read(depot, &name).await?.at < oldest {
                depot.remove(&name).await?;
            }
        }
    }
    Ok(())
}

async fn notes(depot: &Arc<dyn Depot>, instance: &str) -> Result<Vec<String>> {
    let found = depot.list(&format!("{FOLDER}/{instance}")).await?;
    Ok(found.into_iter().map(|entry| format!("{FOLDER}/{instance}/{}", entry.name)).collect())
}

async fn read(depot: &Arc<dyn Depot>, name: &str) -> Result<Note> {
    let unreadable = |error: &dyn std::fmt::Display| Error::Backup(format!("{name} cannot be read: {error}"));
    let text = rows::whole(depot.get(name).await?, MOST).await.map_err(|error| unreadable(&error))?;
    serde_json::from_slice(&text).map_err(|error| unreadable(&error))
}
