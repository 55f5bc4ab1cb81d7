//! Rows of a dump into an empty database.

use super::{Cell, Line, Table, name, names, text};
use crate::tx::{Engine, Tx};
use crate::value::ToValue;
use crate::{Error, Result};

/// Rows of one statement. SQLite takes 32 766 parameters, PostgreSQL 65 535.
const BATCH: usize = 64;

/// Writes rows whose columns are those of `table`. A row that is there already stays as it is, so that a load which was broken
/// off is taken up by loading again.
///
/// # Errors
/// Those of the database, [`Error::Constraint`] among them where rows contradict each other.
pub async fn insert(tx: &mut Tx<'_>, table: &Table, rows: &[Line]) -> Result<()> {
    for batch in rows.chunks(BATCH) {
        if batch.len() == BATCH {
            write(tx, table, batch).await?;
            continue;
        }
        for row in batch.chunks(1) {
            write(tx, table, row).await?;
        }
    }
    Ok(())
}

async fn write(tx: &mut Tx<'_>, table: &Table, rows: &[Line]) -> Result<()> {
    let width = table.columns.len();
    if rows.iter().any(|row| row.len() != width) {
        return Err(Error::Corrupt { what: format!("a row of {} has another number of columns", table.name) });
    }
    let tuple = |row: usize| {
        let marks: Vec<_> = (1..=width).map(|column| format!("?{}", row * width + column)).collect();
        format!("({})", marks.join(", "))
    };
    let values: Vec<_> = (0..rows.len()).map(tuple).collect();
    let columns = names(table.columns.iter().map(|column| &column.name));
    let (into, key) = (name(&table.name), names(table.key.iter()));
    let sql = format!("INSERT INTO {into} ({columns}) VALUES {} ON CONFLICT ({key}) DO NOTHING", values.join(", "));
    let params: Vec<&(dyn ToValue + Sync)> = rows.iter().flatten().map(|cell: &Cell| cell as _).collect();
    tx.execute(text(sql), &params).await?;
    Ok(())
}

/// Lets numbers that the database draws go on above those that were loaded. SQLite does that by itself.
///
/// # Errors
/// Those of the database.
pub async fn advance(tx: &mut Tx<'_>) -> Result<()> {
    if tx.engine() == Engine::Sqlite {
        return Ok(());
    }
    let drawn = "SELECT CAST(t.relname AS TEXT), CAST(a.attname AS TEXT) FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
        WHERE t.relnamespace = to_regnamespace(CAST(current_schema() AS TEXT)) AND a.attidentity <> '' AND NOT a.attisdropped";
    for row in tx.query(drawn, &[]).await? {
        let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{}', '{column}'), max({})) FROM {}",
            name(&table),
            name(&column),
            name(&table)
        );
        tx.query(text(sql), &[]).await?;
    }
    Ok(())
}

/// The first table of a backup that has a row, if any has: such a database is not empty.
///
/// # Errors
/// Those of the database.
pub async fn first_filled(tx: &mut Tx<'_>) -> Result<Option<String>> {
    for table in super::tables(tx).await? {
        if tx.query_opt(text(format!("SELECT 1 FROM {} LIMIT 1", name(&table.name))), &[]).await?.is_some() {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}
