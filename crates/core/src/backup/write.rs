//! The rows of a backup: taken at one moment, written as they come.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wharf_db::dump::{Cell, Line, Part, Table};
use wharf_storage::{ByteStream, Depot, DepotError, Hashing, Tap};
use wharf_types::{Algorithm, Digest, Timestamp};

use super::Progress;
use super::rows::Encoder;
use super::snapshot::{self, Missing, Snapshot, TableFile};
use crate::{Error, Inner, Result};

/// Writes every table. The snapshot does not count yet.
pub(super) async fn tables(inner: &Inner, depot: &Arc<dyn Depot>, run: &str, progress: &Progress) -> Result<Snapshot> {
    let (parts, mut arriving) = mpsc::channel(2);
    let db = inner.db.clone();
    let dump = tokio::spawn(async move { db.dump(parts).await });
    let mut writing = Writing { depot, run, key: inner.instance_key.id(), progress, snapshot: None, file: None };
    let mut whole = false;
    while let Some(part) = arriving.recv().await {
        whole = matches!(part, Part::End);
        writing.take(part).await?;
    }
    dump.await.map_err(|died| Error::Inconsistent(format!("the dump died: {died}")))??;
    match writing.snapshot {
        Some(snapshot) if whole => Ok(snapshot),
        _ => Err(Error::Backup("the dump ended early".into())),
    }
}

struct Writing<'a> {
    depot: &'a Arc<dyn Depot>,
    run: &'a str,
    key: String,
    progress: &'a Progress,
    snapshot: Option<Snapshot>,
    file: Option<File>,
}

impl Writing<'_> {
    async fn take(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Begin { .. } if self.snapshot.is_some() => {
                // The database was away for a moment and the dump began anew, at another moment.
                return Err(Error::Backup("the connection to the database was lost".into()));
            }
            Part::Begin { mark, schema } => self.snapshot = Some(begin(self.run, &self.key, mark, schema)),
            Part::Table(table) => {
                self.close().await?;
                if let Some(snapshot) = &self.snapshot {
                    self.file = Some(File::create(self.depot, snapshot, table)?);
                }
            }
            Part::Rows(lines) => {
                if let (Some(file), Some(snapshot)) = (&mut self.file, &mut self.snapshot) {
                    if file.table.name == "blobs" {
                        note(&file.table, &lines, snapshot, self.progress)?;
                    }
                    self.progress.rows(lines.len());
                    file.write(lines).await?;
                }
            }
            Part::End => self.close().await?,
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        if let (Some(file), Some(snapshot)) = (self.file.take(), &mut self.snapshot) {
            snapshot.tables.push(file.finish().await?);
        }
        Ok(())
    }
}

fn begin(run: &str, key: &str, mark: Timestamp, schema: i64) -> Snapshot {
    Snapshot {
        format: snapshot::FORMAT,
        // The newest is the last by name, also of several in one second.
        id: format!("{}-{run}", mark.to_chrono().format("%Y%m%dT%H%M%S%.3fZ")),
        wharf: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        mark,
        finished_at: mark,
        instance_key: key.to_owned(),
        tables: Vec::new(),
        blobs: 0,
        bytes: 0,
        compared: 0,
        missing: Vec::new(),
    }
}

/// Counts the blobs whose bytes lie elsewhere, and hashes those that lie in their row.
fn note(table: &Table, lines: &[Line], snapshot: &mut Snapshot, progress: &Progress) -> Result<()> {
    for line in lines {
        let row = BlobRow::of(table, line)?;
        match row.content {
            Some(content) if Digest::of(row.digest.algorithm(), content) == row.digest => {}
            Some(content) => {
                let actual = Digest::of(row.digest.algorithm(), content);
                let problem = format!("the {} bytes in its row hash to {actual}", content.len());
                snapshot.missing.push(Missing { digest: row.digest, problem });
            }
            None => {
                snapshot.blobs += 1;
                snapshot.bytes += row.size;
                progress.expect(1, row.size);
            }
        }
    }
    Ok(())
}

/// What a backup must know of a row of the table of blobs.
pub(super) struct BlobRow<'a> {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) created_at: Timestamp,
    pub(super) content: Option<&'a [u8]>,
    /// Storage and key.
    pub(super) place: Option<(&'a str, &'a str)>,
}

impl<'a> BlobRow<'a> {
    pub(super) fn of(table: &Table, line: &'a [Cell]) -> Result<Self> {
        let cell = |name: &str| table.position(name).and_then(|at| line.get(at));
        let odd = || Error::Backup("a row of blobs holds something unexpected".into());
        let (Some(Cell::Bytes(digest)), Some(&Cell::Int(size))) = (cell("digest"), cell("size")) else {
            return Err(odd());
        };
        let digest = Digest::from_bytes(digest).map_err(|_| odd())?;
        let content = match cell("content") {
            Some(Cell::Bytes(content)) => Some(content.as_slice()),
            _ => None,
        };
        let place = match (cell("storage"), cell("object")) {
            (Some(Cell::Text(storage)), Some(Cell::Text(object))) => Some((storage.as_str(), object.as_str())),
            _ => None,
        };
        let Some(&Cell::Int(created_at)) = cell("created_at") else { return Err(odd()) };
        let created_at = Timestamp::from_millis(created_at);
        Ok(Self { digest, size: u64::try_from(size).map_err(|_| odd())?, created_at, content, place })
    }
}

/// A table's file while it is written.
struct File {
    table: Table,
    name: String,
    rows: u64,
    encoder: Option<Encoder>,
    /// `None` says that the file is whole: one whose writer went away must not be taken for it.
    pieces: mpsc::Sender<Option<Bytes>>,
    putting: JoinHandle<std::result::Result<u64, DepotError>>,
    tap: Tap,
}

impl File {
    fn create(depot: &Arc<dyn Depot>, snapshot: &Snapshot, table: Table) -> Result<Self> {
        let (pieces, arriving) = mpsc::channel::<Option<Bytes>>(4);
        let body: ByteStream = Box::pin(stream::try_unfold(arriving, |mut arriving| async {
            match arriving.recv().await {
                Some(Some(piece)) => Ok(Some((piece, arriving))),
                Some(None) => Ok(None),
                None => Err(io::Error::other("the backup was broken off")),
            }
        }));
        let (body, tap) = Hashing::new(&[]).tap(body);
        let name = format!("{}.jsonl.zst", table.name);
        let (depot, path) = (Arc::clone(depot), snapshot.path(&name));
        let putting = tokio::spawn(async move { depot.put(&path, body).await });
        Ok(Self { table, name, rows: 0, encoder: Some(Encoder::new()?), pieces, putting, tap })
    }

    async fn write(&mut self, lines: Vec<Line>) -> Result<()> {
        self.rows += lines.len() as u64;
        let Some(encoder) = self.encoder.take() else { return Ok(()) };
        let (encoder, ready) = encoder.add(lines).await?;
        self.encoder = Some(encoder);
        // If nobody takes it, the depot has failed; `finish` says why.
        if !ready.is_empty() && self.pieces.send(Some(ready)).await.is_err() {
            return self.failed().await;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<TableFile> {
        if let Some(encoder) = self.encoder.take() {
            let rest = encoder.finish().await?;
            self.pieces.send(Some(rest)).await.ok();
        }
        self.pieces.send(None).await.ok();
        let size = (&mut self.putting).await.map_err(|died| Error::Backup(died.to_string()))??;
        let digest = self.tap.finish().digest(Algorithm::Sha256);
        let digest = digest.ok_or_else(|| Error::Backup("a file was not hashed".into()))?;
        Ok(TableFile { table: self.table, file: self.name, rows: self.rows, size, digest })
    }

    async fn failed(&mut self) -> Result<()> {
        let put = (&mut self.putting).await.map_err(|died| Error::Backup(died.to_string()))?;
        put.map_err(Error::from).and_then(|_| Err(Error::Backup(format!("{} was not written whole", self.name))))
    }
}
