//! Whole tables out of a database and into an empty one, on either engine: what backups and moves are made of.
//!
//! Which tables and columns there are is read from the database itself, so that a later step of the schema cannot be forgotten.

mod load;
mod schema;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wharf_types::Timestamp;

use crate::tx::{Engine, Tx};
use crate::value::{ToValue, Value};
use crate::{Db, Error, Result};
pub use load::{advance, first_filled, insert};
pub use schema::{LEFT_OUT, tables, version};

/// Rows of one page: bounded in number and, by [`BYTES`], in size.
const ROWS: i64 = 1000;
/// Bytes of texts and byte strings in one page; a single row may exceed it.
const BYTES: i64 = 4 << 20;

/// A table with its columns in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The names of the columns of its primary key, in the key's order.
    pub key: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: Kind,
}

/// What a column holds, besides NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// 64-bit integers.
    Int,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// One value, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// NULL.
    Null,
    /// An integer.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl ToValue for Cell {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(int) => Value::Int(*int),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

/// One row, a value for each column.
pub type Line = Vec<Cell>;

/// A piece of a dump, in this order: `Begin`, then for each table `Table` and any number of `Rows`, then `End`.
#[derive(Debug)]
pub enum Part {
    /// The state that follows holds every change that was committed before `mark`.
    Begin {
        /// By the database's clock.
        mark: Timestamp,
        /// The newest step of the schema.
        schema: i64,
    },
    /// The rows that follow are of this table.
    Table(Table),
    /// Rows in the order of their key.
    Rows(Vec<Line>),
    /// That was all of it.
    End,
}

struct Dump {
    mark: Timestamp,
    parts: mpsc::Sender<Part>,
}

impl Db {
    /// Hands out every table that a backup needs, as it was at one moment, in pages. Memory stays bounded however large the
    /// database is, and nobody waits for it. Ends early when the receiver goes away.
    ///
    /// # Errors
    /// [`Error`] where the database fails; then what was handed out is to be thrown away.
    pub async fn dump(&self, parts: mpsc::Sender<Part>) -> Result<()> {
        // Before the snapshot is taken, so that nothing before it can be missing from it.
        let mark = self.read(&(), |tx, ()| Box::pin(async move { tx.now().await })).await?;
        let args = Dump { mark, parts };
        match self.engine() {
            Engine::Postgres => self.snapshot(&args, |tx, dump| Box::pin(pump(tx, dump))).await,
            Engine::Sqlite => {
                // It waits for the receiver on this thread, so it must be one that may wait.
                let db = self.clone();
                let dumped = tokio::task::spawn_blocking(move || db.dump_here(&args));
                dumped.await.map_err(|error| Error::Unavailable(format!("the dump ended early: {error}")))?
            }
        }
    }

    fn dump_here(&self, args: &Dump) -> Result<()> {
        let dumped = self.snapshot(args, |tx, dump| Box::pin(pump(tx, dump)));
        futures_util::FutureExt::now_or_never(dumped).unwrap_or(Err(Error::Suspended))
    }
}

async fn pump(tx: &mut Tx<'_>, dump: &Dump) -> Result<()> {
    if tx.engine() == Engine::Postgres {
        // Between two pages the receiver writes to what may be a slow disk.
        tx.script("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
    }
    let schema = version(tx).await?;
    // A run that was broken off cannot be taken up: what it handed out is of another moment.
    let engine = tx.engine();
    hand(engine, dump, Part::Begin { mark: dump.mark, schema }).await?;
    for table in tables(tx).await? {
        hand(engine, dump, Part::Table(table.clone())).await?;
        let mut after = None;
        loop {
            let rows = page(tx, &table, after.as_deref()).await?;
            let Some(last) = rows.last() else { break };
            after = Some(table.key_of(last));
            hand(engine, dump, Part::Rows(rows)).await?;
        }
    }
    hand(engine, dump, Part::End).await
}

async fn hand(engine: Engine, dump: &Dump, part: Part) -> Result<()> {
    let handed = match engine {
        Engine::Postgres => dump.parts.send(part).await.is_ok(),
        Engine::Sqlite => dump.parts.blocking_send(part).is_ok(),
    };
    if handed { Ok(()) } else { Err(Error::Unavailable("nobody takes the dump any more".into())) }
}

impl Table {
    /// The position of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }

    /// The values of the key in a row.
    fn key_of(&self, line: &[Cell]) -> Vec<Cell> {
        let positions = self.key.iter().filter_map(|name| self.position(name));
        positions.filter_map(|at| line.get(at).cloned()).collect()
    }

    fn key_list(&self) -> String {
        names(self.key.iter())
    }

    /// `(a, b) > (?1, ?2)`, with parameters from `first` on.
    fn beyond(&self, sign: &str, first: usize) -> String {
        let marks: Vec<_> = (first..first + self.key.len()).map(|number| format!("?{number}")).collect();
        format!("({}) {sign} ({})", self.key_list(), marks.join(", "))
    }
}

/// The next rows after a key. Their sizes are asked for first: a page of manifests may be a thousand times one of tags.
async fn page(tx: &mut Tx<'_>, table: &Table, after: Option<&[Cell]>) -> Result<Vec<Line>> {
    let Some(last) = page_end(tx, table, after).await? else { return Ok(Vec::new()) };
    let columns = names(table.columns.iter().map(|column| &column.name));
    let until = table.beyond("<=", 1);
    let from = after.map(|_| format!(" AND {}", table.beyond(">", 1 + table.key.len()))).unwrap_or_default();
    let sql = format!("SELECT {columns} FROM {} WHERE {until}{from} ORDER BY {}", name(&table.name), table.key_list());
    let params: Vec<_> = last.iter().chain(after.unwrap_or_default()).map(|cell| cell as _).collect();
    let rows = tx.query(text(sql), &params).await?;
    rows.iter().map(|row| row.cells(table.columns.len())).collect()
}

/// The key of the last row that the page after `after` has room for.
async fn page_end(tx: &mut Tx<'_>, table: &Table, after: Option<&[Cell]>) -> Result<Option<Vec<Cell>>> {
    let long = table.columns.iter().filter(|column| column.kind != Kind::Int);
    let sizes: Vec<_> = long.map(|column| format!("coalesce(octet_length({}), 0)", name(&column.name))).collect();
    let size = if sizes.is_empty() { "0".to_owned() } else { sizes.join(" + ") };
    let from = after.map(|_| format!("WHERE {}", table.beyond(">", 1))).unwrap_or_default();
    let (key, from_table) = (table.key_list(), name(&table.name));
    let sql = format!("SELECT CAST({size} AS BIGINT), {key} FROM {from_table} {from} ORDER BY {key} LIMIT {ROWS}");
    let params: Vec<_> = after.unwrap_or_default().iter().map(|cell| cell as _).collect();
    let rows = tx.query(text(sql), &params).await?;
    let (mut room, mut end) = (BYTES, None);
    for row in &rows {
        let mut cells = row.cells(1 + table.key.len())?;
        let key = cells.split_off(1);
        if let [Cell::Int(size)] = cells[..] {
            room -= size;
        }
        if room < 0 && end.is_some() {
            break;
        }
        end = Some(key);
    }
    Ok(end)
}

fn name(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn names(identifiers: impl Iterator<Item = impl AsRef<str>>) -> String {
    identifiers.map(|identifier| name(identifier.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Statements are static texts, by which they are found again once they are prepared. These follow from the schema, so there
/// are a few per table and no more, and they are kept for good.
fn text(sql: String) -> &'static str {
    static KEPT: parking_lot::Mutex<std::collections::BTreeSet<&'static str>> =
        parking_lot::Mutex::new(std::collections::BTreeSet::new());
    let mut kept = KEPT.lock();
    if let Some(known) = kept.get(sql.as_str()) {
        return known;
    }
    let text: &'static str = sql.leak();
    kept.insert(text);
    text
}
