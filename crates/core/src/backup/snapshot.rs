//! The manifest of a snapshot, and which snapshots a depot holds.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use wharf_db::dump::Table;
use wharf_storage::{ByteStream, Depot, DepotError};
use wharf_types::{Digest, Timestamp};

use super::rows;
use crate::{Error, Result};

/// Of the layout of a depot. A number that is not known here is not touched.
pub(super) const FORMAT: u32 = 1;
const FOLDER: &str = "snapshots";
const MANIFEST: &str = "manifest.json";
/// What the manifest hashes to, as `sha256sum` writes and checks it. Snapshots of older programs have none.
const SUM: &str = "manifest.json.sha256";
/// A manifest holds a few hundred bytes per table and per missing blob.
const MOST: usize = 64 << 20;

/// What a snapshot holds. Kept as `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Of the layout.
    pub format: u32,
    /// The name of its folder: time and run.
    pub id: String,
    /// The version of the program that wrote it.
    pub wharf: String,
    /// The newest step of the schema in the database it was taken from.
    pub schema: i64,
    /// Everything that was acknowledged before this is in it.
    pub mark: Timestamp,
    /// When it was whole.
    pub finished_at: Timestamp,
    /// The id of the instance key that secrets in it are sealed with. The key itself is not in it.
    pub instance_key: String,
    /// The tables, in the order in which they can be loaded.
    pub tables: Vec<TableFile>,
    /// Blobs whose bytes lie beside it, in number; smaller ones lie in their row.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Which share of the blobs that were there already was read again and compared with their digest; the next one goes on.
    #[serde(default)]
    pub compared: u8,
    /// Blobs that were damaged or gone when it was written: their bytes are not in it.
    pub missing: Vec<Missing>,
}

/// The file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFile {
    /// Its name and columns.
    #[serde(flatten)]
    pub table: Table,
    /// The file, inside the snapshot's folder.
    pub file: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size in bytes.
    pub size: u64,
    /// What it hashes to.
    pub digest: Digest,
}

/// A blob that is not in a backup, though rows name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which.
    pub digest: Digest,
    /// What was wrong with it.
    pub problem: String,
}

impl Snapshot {
    /// The table of this name.
    pub(super) fn table(&self, name: &str) -> Result<&TableFile> {
        let found = self.tables.iter().find(|file| file.table.name == name);
        found.ok_or_else(|| Error::Backup(format!("snapshot {} has no table {name}", self.id)))
    }

    /// The name of a table's file in the depot.
    pub(super) fn path(&self, file: &str) -> String {
        path(&self.id, file)
    }
}

/// The name of a file of a snapshot in the depot.
pub(super) fn path(id: &str, file: &str) -> String {
    format!("{FOLDER}/{id}/{file}")
}

/// Whether every table's file is still there.
pub(super) async fn check_tables(depot: &Arc<dyn Depot>, snapshot: &Snapshot) -> Result<()> {
    let found = depot.list(&format!("{FOLDER}/{}", snapshot.id)).await?;
    for file in &snapshot.tables {
        let whole = |entry: &wharf_storage::Entry| entry.name == file.file && entry.size == Some(file.size);
        if !found.iter().any(whole) {
            return Err(Error::Backup(format!("somebody has removed {} meanwhile", snapshot.path(&file.file))));
        }
    }
    Ok(())
}

/// Writes the manifest, which makes the snapshot count.
pub(super) async fn finish(depot: &Arc<dyn Depot>, snapshot: &Snapshot) -> Result<()> {
    let text = serde_json::to_vec_pretty(snapshot).map_err(|error| Error::Backup(error.to_string()))?;
    let sum = format!("{}  {MANIFEST}\n", Digest::sha256(&text).hex());
    for (name, content) in [(SUM, sum.into_bytes()), (MANIFEST, text)] {
        let body: ByteStream = Box::pin(stream::once(async { Ok(Bytes::from(content)) }));
        depot.put(&snapshot.path(name), body).await?;
    }
    Ok(())
}

/// Whether the manifest is as it was written.
async fn check_sum(depot: &Arc<dyn Depot>, id: &str, text: &[u8]) -> Result<()> {
    let written = match depot.get(&path(id, SUM)).await {
        Err(DepotError::NotFound(_)) => return Ok(()),
        file => {
            rows::whole(file?, MOST).await.map_err(|error| DepotError::Unavailable { name: path(id, SUM), error })?
        }
    };
    if String::from_utf8_lossy(&written).split_whitespace().next() == Some(&*Digest::sha256(text).hex()) {
        return Ok(());
    }
    Err(Error::Backup(format!("the manifest of {id} was changed: it does not hash to what {SUM} says")))
}

/// The folders of snapshots, whole or not, oldest first.
pub(super) async fn folders(depot: &Arc<dyn Depot>) -> Result<Vec<String>> {
    let found = depot.list(FOLDER).await?;
    let mut ids: Vec<_> = found.into_iter().filter(|entry| entry.size.is_none()).map(|entry| entry.name).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// The snapshot in this folder; `None` if it is not whole.
pub(super) async fn open(depot: &Arc<dyn Depot>, id: &str) -> Result<Option<Snapshot>> {
    let file = match depot.get(&path(id, MANIFEST)).await {
        Err(DepotError::NotFound(_)) => return Ok(None),
        file => file?,
    };
    let unreadable =
        |error: &dyn std::fmt::Display| Error::Backup(format!("the manifest of {id} cannot be read: {error}"));
    let text = rows::whole(file, MOST).await.map_err(|error| unreadable(&error))?;
    check_sum(depot, id, &text).await?;
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Head = serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
    if head.format != FORMAT {
        return Err(Error::Backup(format!(
            "snapshot {id} has the layout {}, this program knows {FORMAT}",
            head.format
        )));
    }
    let snapshot: Snapshot = serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
    if snapshot.id != id {
        return Err(Error::Backup(format!("the manifest in {id} is that of {}", snapshot.id)));
    }
    Ok(Some(snapshot))
}

/// Every whole snapshot of a depot, oldest first. One whose manifest cannot be read is no reason not to use the others: the second
/// list says what is wrong with those.
///
/// # Errors
/// Those of the depot.
pub async fn snapshots(depot: &Arc<dyn Depot>) -> Result<(Vec<Snapshot>, Vec<String>)> {
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for id in folders(depot).await? {
        match open(depot, &id).await {
            Err(Error::Backup(problem)) => unreadable.push(problem),
            opened => found.extend(opened?),
        }
    }
    Ok((found, unreadable))
}

/// The snapshot of this id, or the newest one.
///
/// # Errors
/// [`Error::Backup`] if there is none; those of the depot.
pub async fn find(depot: &Arc<dyn Depot>, id: Option<&str>) -> Result<Snapshot> {
    let ids = match id {
        Some(id) => vec![id.to_owned()],
        None => folders(depot).await?,
    };
    for id in ids.iter().rev().filter(|id| !id.contains('/')) {
        if let Some(snapshot) = open(depot, id).await? {
            return Ok(snapshot);
        }
    }
    let what = id.map_or("no snapshot".to_owned(), |id| format!("no snapshot {id}"));
    Err(Error::Backup(format!("there is {what} in {}", depot.place())))
}

/// The newest whole snapshot whose manifest can be read.
pub(super) async fn newest(depot: &Arc<dyn Depot>) -> Result<Option<Snapshot>> {
    for id in folders(depot).await?.iter().rev() {
        match open(depot, id).await {
            Ok(Some(snapshot)) => return Ok(Some(snapshot)),
            Ok(None) | Err(Error::Backup(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Removes a snapshot's files, its manifest first: what is left of it counts for nothing.
pub(super) async fn remove(depot: &Arc<dyn Depot>, id: &str) -> Result<()> {
    depot.remove(&path(id, MANIFEST)).await?;
    for entry in depot.list(&format!("{FOLDER}/{id}")).await? {
        depot.remove(&path(id, &entry.name)).await?;
    }
    Ok(())
}

/// Removes what earlier tries of a run have left.
pub(super) async fn remove_halves_of(depot: &Arc<dyn Depot>, run: &str) -> Result<()> {
    for id in folders(depot).await? {
        if id.ends_with(&format!("-{run}")) && open(depot, &id).await?.is_none() {
            remove(depot, &id).await?;
        }
    }
    Ok(())
}
