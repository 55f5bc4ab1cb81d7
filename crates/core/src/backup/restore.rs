//! Fills an empty instance from a snapshot, whatever engine and storage either of them uses.
//!
//! The order: a note that a restore has begun, bytes, their rows, every other table after those it points at, numbers moved on,
//! and the note that it is whole. A server does not start in between; doing it again takes it up.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use wharf_db::catalog::{audit, blobs, restores};
use wharf_db::dump::{self, Cell, Kind, Line, Table};
use wharf_db::{Db, Durability};
use wharf_storage::{Depot, DepotError, ObjectKey, Progress as Written, Storage};
use wharf_types::{Clock, Digest, Timestamp};

use super::checked::checked;
use super::lease::Lease;
use super::purged::Purges;
use super::rows::decoded;
use super::snapshot::{Snapshot, TableFile};
use super::write::BlobRow;
use super::{Progress, blob_name};
use crate::actor::about;
use crate::collect::{PurgedBefore, ask_to_purge};
use crate::job::OF_THIS_SERVER;
use crate::{Actor, Entropy, Error, Result};

/// Blobs stored at once.
const AT_ONCE: usize = 4;
/// Rows written at once; so many blobs at most are stored a second time when a restore is taken up.
const STEP: usize = 64;

/// What is filled.
pub struct Target {
    /// Empty, at the schema of the snapshot.
    pub db: Db,
    /// Empty.
    pub storage: Arc<dyn Storage>,
    /// The time.
    pub clock: Clock,
    /// Randomness for keys.
    pub entropy: Entropy,
    /// Whether to go on though the snapshot lacks blobs. They stay unknown to clients until somebody pushes them again.
    pub allow_missing: bool,
    /// Whether to leave out what is sealed with an instance key that is not there any more.
    pub without_sealed: bool,
}

/// What was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Rows, in all tables.
    pub rows: u64,
    /// Blobs whose bytes lie beside the rows.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs without their bytes, which the snapshot lacks.
    pub missing: u64,
    /// Blobs left out because they were purged after the snapshot.
    pub purged: u64,
    /// Rows left out because their secret cannot be opened any more.
    pub unsealed: u64,
}

/// Fills `target` from a snapshot. Every byte is hashed on its way.
///
/// # Errors
/// [`DepotError::Busy`] while somebody prunes the depot; [`Error::Backup`] if the target is not empty, or the snapshot is damaged, incomplete or of another schema; those of the depot,
/// the storage and the database. After them the same restore may be run again, and goes on.
pub async fn restore(
    target: &Target,
    depot: &Arc<dyn Depot>,
    snapshot: &Snapshot,
    progress: &Progress,
) -> Result<Restored> {
    let run = format!("restore {}", hex::encode(target.entropy.bytes::<4>()));
    Lease::reading(depot, &target.clock, &run, restore_noted(target, depot, snapshot, progress)).await
}

async fn restore_noted(
    target: &Target,
    depot: &Arc<dyn Depot>,
    snapshot: &Snapshot,
    progress: &Progress,
) -> Result<Restored> {
    if !snapshot.missing.is_empty() && !target.allow_missing {
        let count = snapshot.missing.len();
        return Err(Error::Backup(format!("snapshot {} lacks the bytes of {count} blob(s)", snapshot.id)));
    }
    // Before the first row: a file that is damaged must not be found out halfway.
    for file in &snapshot.tables {
        hash(depot, snapshot, file).await?;
    }
    let resumed = begin(target, snapshot).await?;
    progress.expect(snapshot.blobs, snapshot.bytes);
    let mut filling = Filling {
        target,
        depot,
        snapshot,
        progress,
        resumed,
        purged: HashMap::new(),
        again: PurgedBefore::default(),
        done: Restored::default(),
    };
    filling.blobs().await?;
    for file in snapshot.tables.iter().filter(|file| file.table.name != "blobs") {
        filling.table(file).await?;
    }
    filling.drop_purged().await?;
    let args = (snapshot.id.clone(), filling.again, target.clock.now());
    target.db.write(Durability::Full, args, |tx, (id, again, at)| Box::pin(end(tx, id, again, *at))).await?;
    Ok(filling.done)
}

async fn end(tx: &mut wharf_db::Tx<'_>, id: &str, again: &PurgedBefore, at: Timestamp) -> Result<()> {
    dump::advance(tx).await?;
    if restores::finish(tx, at).await? {
        ask_to_purge(tx, again, at).await?;
        let line = Actor::offline().did_to_server("backup.restore", at);
        audit::append(tx, &about(line, Some(id.to_owned()), None)).await?;
    }
    Ok(())
}

async fn hash(depot: &Arc<dyn Depot>, snapshot: &Snapshot, file: &TableFile) -> Result<()> {
    let path = snapshot.path(&file.file);
    let mut body = checked(depot.get(&path).await?, file.digest);
    while body.try_next().await.map_err(|error| Error::Backup(format!("{path} is damaged: {error}")))?.is_some() {}
    Ok(())
}

/// Takes possession of the target. True if an earlier run had begun.
async fn begin(target: &Target, snapshot: &Snapshot) -> Result<bool> {
    let refuse = |problem: String| Err(Error::Backup(problem));
    let version = target.db.read(&(), |tx, ()| Box::pin(dump::version(tx))).await?;
    if version != snapshot.schema {
        let wanted = snapshot.schema;
        return refuse(format!(
            "the database is at schema {version}, the snapshot of {wanted}: give it a new database"
        ));
    }
    let state = target.db.read(&(), |tx, ()| Box::pin(restores::state(tx))).await?;
    let resumed = match state {
        Some(state) if state.finished_at.is_some() => {
            return refuse(format!("snapshot {} was restored into this database before", state.snapshot));
        }
        Some(state) if state.snapshot != snapshot.id => {
            return refuse(format!("the restore of snapshot {} into this database is not finished", state.snapshot));
        }
        Some(_) => true,
        None => false,
    };
    if !resumed {
        if let Some(table) = target.db.read(&(), |tx, ()| Box::pin(dump::first_filled(tx))).await? {
            return refuse(format!("the database is not empty: there are {table} in it"));
        }
        if !target.storage.survey(None, 1).await?.is_empty() {
            return refuse("the storage is not empty".into());
        }
        let args = (snapshot.id.clone(), target.clock.now());
        target.db.write(Durability::Full, args, |tx, (id, at)| Box::pin(restores::begin(tx, id, *at))).await?;
    }
    // Now the storage may hold what an earlier run brought; it is bound before the first byte.
    let bound = crate::sweep::bind(&target.db, &target.storage, &target.clock, resumed).await;
    bound.map(|()| resumed)
}

struct Filling<'a> {
    target: &'a Target,
    depot: &'a Arc<dyn Depot>,
    snapshot: &'a Snapshot,
    progress: &'a Progress,
    resumed: bool,
    /// Digests that were purged after the snapshot.
    purged: HashMap<Vec<u8>, Timestamp>,
    /// Those of them that packages or the bin still name, and repositories: the server takes them out, and makes its lists anew.
    again: PurgedBefore,
    done: Restored,
}

impl Filling<'_> {
    async fn table(&mut self, file: &TableFile) -> Result<()> {
        let sealed = self.target.without_sealed && file.table.name == "signing_keys";
        let kind = file.table.position("kind").filter(|_| file.table.name == "jobs");
        let content = purged_by(&file.table);
        let named = ["packages", "bin", "bin_references"].contains(&file.table.name.as_str());
        let named = file.table.position("digest").filter(|_| named);
        let mut pages = decoded(self.depot.get(&self.snapshot.path(&file.file)).await?, &file.table);
        while let Some(page) = pages.recv().await {
            let mut lines = page.map_err(|error| damaged(self.snapshot, file, &error))?;
            self.progress.rows(lines.len());
            if sealed {
                self.done.unsealed += lines.len() as u64;
                continue;
            }
            if let Some(kind) = kind {
                lines
                    .retain(|line| !matches!(&line[kind], Cell::Text(kind) if OF_THIS_SERVER.contains(&kind.as_str())));
            }
            if let Some(content) = content {
                lines.retain(|line| !matches!(&line[content], Cell::Bytes(digest) if self.purged.contains_key(digest)));
            }
            for line in &lines {
                if let Some(Cell::Bytes(bytes)) = named.map(|at| &line[at])
                    && let Some(at) = self.purged.get(bytes)
                    && let Ok(digest) = Digest::from_bytes(bytes)
                {
                    self.again.digests.insert(digest, *at);
                }
            }
            self.insert(&file.table, lines).await?;
        }
        Ok(())
    }

    /// Rows of purged blobs had to be there for what points at them. Those that nothing points at go: the scrub would take their bytes
    /// from the backup again, and the next backup would miss them.
    async fn drop_purged(&self) -> Result<()> {
        let named = |digest: &Digest| self.again.digests.contains_key(digest);
        let purged: Vec<_> = self.purged.keys().filter_map(|bytes| Digest::from_bytes(bytes).ok()).collect();
        let unnamed: Vec<_> = purged.into_iter().filter(|digest| !named(digest)).collect();
        for step in unnamed.chunks(STEP) {
            let dropped = self
                .target
                .db
                .write(Durability::Relaxed, step.to_vec(), |tx, digests| Box::pin(blobs::drop_unnamed(tx, digests)));
            dropped.await?;
        }
        Ok(())
    }

    async fn insert(&mut self, table: &Table, lines: Vec<Line>) -> Result<()> {
        self.done.rows += lines.len() as u64;
        let args = (table.clone(), lines);
        let written = self
            .target
            .db
            .write(Durability::Relaxed, args, |tx, (table, lines)| Box::pin(dump::insert(tx, table, lines)));
        Ok(written.await?)
    }

    async fn blobs(&mut self) -> Result<()> {
        let file = self.snapshot.table("blobs")?;
        let table = with_damage(&file.table);
        let missing: BTreeSet<_> = self.snapshot.missing.iter().map(|missing| missing.digest).collect();
        let absent = Absent { missing, purged: Purges::read(self.depot).await? };
        self.again.repositories = absent.purged.repositories(&self.snapshot.instance_key);
        let mut pages = decoded(self.depot.get(&self.snapshot.path(&file.file)).await?, &file.table);
        while let Some(page) = pages.recv().await {
            let lines = page.map_err(|error| damaged(self.snapshot, file, &error))?;
            for step in lines.chunks(STEP) {
                let this = &*self;
                let placed = step.iter().map(|line| this.place(&file.table, &table, line, &absent));
                let placed: Vec<_> = stream::iter(placed).buffered(AT_ONCE).try_collect().await?;
                for placed in &placed {
                    self.purged.extend(placed.purged.map(|at| (placed.digest.to_bytes(), at)));
                    self.done.blobs += u64::from(placed.stored > 0);
                    self.done.bytes += placed.stored;
                    self.done.missing += u64::from(placed.missing && placed.purged.is_none());
                    self.done.purged += u64::from(placed.purged.is_some());
                }
                self.insert(&table, placed.into_iter().map(|placed| placed.line).collect()).await?;
            }
            self.progress.rows(lines.len());
        }
        Ok(())
    }

    /// A row of a blob as it is to be written, its bytes stored.
    async fn place(&self, from: &Table, to: &Table, line: &[Cell], absent: &Absent) -> Result<Placed> {
        let row = BlobRow::of(from, line)?;
        let purged = absent.purged.when(&self.snapshot.instance_key, &row);
        let missing = purged.is_some() || absent.missing.contains(&row.digest);
        let mut placed = Placed { line: line.to_vec(), digest: row.digest, stored: 0, missing, purged };
        placed.line.resize(to.columns.len(), Cell::Null);
        if let Some(content) = row.content.filter(|_| !placed.missing) {
            if Digest::of(row.digest.algorithm(), content) != row.digest {
                return Err(Error::Backup(format!("the content of {} is damaged in the backup", row.digest)));
            }
            return Ok(placed);
        }
        let key = ObjectKey::at(self.target.clock.now(), self.target.entropy.bytes());
        let known = async || self.target.db.read(&row.digest, |tx, digest| Box::pin(blobs::find(tx, digest))).await;
        if !(placed.missing || self.resumed && known().await?.is_some()) {
            match self.store(&key, &row.digest).await {
                Err(Error::Backup(problem)) if self.target.allow_missing => {
                    tracing::warn!(digest = %row.digest, problem, "a blob is left out");
                    placed.missing = true;
                }
                stored => {
                    stored?;
                    placed.stored = row.size;
                }
            }
        }
        if row.content.is_none() {
            self.progress.blob(row.size);
        }
        let mut set = |column: &str, cell: Cell| {
            if let Some(at) = to.position(column) {
                placed.line[at] = cell;
            }
        };
        set("content", Cell::Null);
        set("storage", Cell::Text(self.target.storage.name().to_owned()));
        set("object", Cell::Text(key.to_string()));
        if placed.missing {
            set(DAMAGED, Cell::Int(self.target.clock.now().as_millis()));
        }
        Ok(placed)
    }

    async fn store(&self, key: &ObjectKey, digest: &Digest) -> Result<()> {
        let (name, storage) = (blob_name(digest), &self.target.storage);
        let body = match self.depot.get(&name).await {
            Err(DepotError::NotFound(_)) => {
                return Err(Error::Backup(format!(
                    "{name} is not in the backup, which can be restored with --allow-missing"
                )));
            }
            body => body?,
        };
        let appended = storage.append(key, &Written::default(), checked(body, *digest)).await?;
        if let Some(error) = appended.interrupted {
            storage.discard(key, &appended.progress).await?;
            return Err(Error::Backup(format!("{name} is damaged, which --allow-missing leaves out: {error}")));
        }
        Ok(storage.seal(key, &appended.progress).await?)
    }
}

/// What is not to be looked for in the depot.
struct Absent {
    missing: BTreeSet<Digest>,
    /// Bytes of it may still lie there, and must not come back.
    purged: Purges,
}

struct Placed {
    line: Line,
    digest: Digest,
    stored: u64,
    missing: bool,
    /// When it was purged, if that was after the snapshot: what says what was in it must not come back either.
    purged: Option<Timestamp>,
}

/// The column with the digest of a manifest or blob without which a row of this table must not be there.
fn purged_by(table: &Table) -> Option<usize> {
    match table.name.as_str() {
        "manifests" | "tags" | "blob_links" => table.position("digest"),
        "manifest_references" => table.position("manifest"),
        _ => None,
    }
}

/// The column that says that a blob's bytes cannot be read.
const DAMAGED: &str = "damaged_at";

/// The table of blobs with the column for damage, should the snapshot be older than it.
fn with_damage(table: &Table) -> Table {
    let mut table = table.clone();
    if table.position(DAMAGED).is_none() {
        table.columns.push(dump::Column { name: DAMAGED.into(), kind: Kind::Int });
    }
    table
}

fn damaged(snapshot: &Snapshot, file: &TableFile, error: &std::io::Error) -> Error {
    Error::Backup(format!("{}: {error}", snapshot.path(&file.file)))
}
