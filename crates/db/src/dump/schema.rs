//! Which tables there are, asked of the database.

use super::{Column, Kind, Table};
use crate::tx::{Engine, Tx};
use crate::{Error, Result, Row};

/// Tables that a backup leaves out, and why. Every other one is in it.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("schema_versions", "the database that takes the rows has its own"),
    ("schema_floor", "the database that takes the rows has its own"),
    ("commits", "which transactions of this server were carried out"),
    ("instance", "the instance key is named in the backup and bound when it is given"),
    ("identity_epoch", "counts changes for caches in memory"),
    ("storages", "the new storage is bound when it takes the first bytes"),
    ("orphans", "objects of the old storage"),
    ("doomed_objects", "objects of the old storage"),
    ("uploads", "not acknowledged yet, and half of their bytes lie in the old storage"),
    ("link_cursor", "how far the collector has looked: it begins anew"),
    ("pins", "held by processes that are gone"),
    ("backups", "runs of this server"),
    ("restores", "how this database was filled"),
    ("quarantine", "damage of the old storage"),
    ("unread", "what the old storage did not hand out"),
    ("scrub", "how far the old storage was read"),
];

/// The newest step of the schema.
///
/// # Errors
/// Those of the database.
pub async fn version(tx: &mut Tx<'_>) -> Result<i64> {
    let row = tx.query_opt("SELECT coalesce(max(number), 0) FROM schema_versions", &[]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// The tables of a backup, each after those that its rows point at.
///
/// # Errors
/// [`Error::Corrupt`] for a table without a primary key or a column of a type that no step of the schema uses, and those of the
/// database.
pub async fn tables(tx: &mut Tx<'_>) -> Result<Vec<Table>> {
    let rows = tx.query(if tx.engine() == Engine::Sqlite { SQLITE_COLUMNS } else { POSTGRES_COLUMNS }, &[]).await?;
    let mut found: Vec<(Table, Vec<(i64, String)>)> = Vec::new();
    for row in &rows {
        let table: String = row.get(0)?;
        if LEFT_OUT.iter().any(|(name, _)| *name == table) {
            continue;
        }
        if found.last().is_none_or(|(last, _)| last.name != table) {
            found.push((Table { name: table.clone(), columns: Vec::new(), key: Vec::new() }, Vec::new()));
        }
        let Some((last, key)) = found.last_mut() else { continue };
        let column = column(&table, row)?;
        match row.get::<i64>(3)? {
            0 => {}
            position => key.push((position, column.name.clone())),
        }
        last.columns.push(column);
    }
    let mut tables = Vec::new();
    for (mut table, mut key) in found {
        key.sort();
        table.key = key.into_iter().map(|(_, name)| name).collect();
        if table.key.is_empty() {
            return Err(Error::Corrupt { what: format!("table {} has no primary key to page by", table.name) });
        }
        tables.push(table);
    }
    ordered(tables, &pointers(tx).await?)
}

fn column(table: &str, row: &Row) -> Result<Column> {
    let (name, kind): (String, String) = (row.get(1)?, row.get(2)?);
    let kind = match kind.to_ascii_uppercase().as_str() {
        "INTEGER" | "BIGINT" => Kind::Int,
        "TEXT" => Kind::Text,
        "BLOB" | "BYTEA" => Kind::Bytes,
        other => return Err(Error::Corrupt { what: format!("column {table}.{name} is of the type {other}") }),
    };
    Ok(Column { name, kind })
}

/// Table, column, type, and the place in the primary key from 1 on.
const SQLITE_COLUMNS: &str = "SELECT m.name, c.name, c.type, c.pk FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid";

const POSTGRES_COLUMNS: &str = "SELECT CAST(t.relname AS TEXT), CAST(a.attname AS TEXT), format_type(a.atttypid, NULL),
      CAST(coalesce((SELECT k.place FROM pg_index i, unnest(CAST(i.indkey AS int2[])) WITH ORDINALITY AS k (number, place)
        WHERE i.indrelid = t.oid AND i.indisprimary AND k.number = a.attnum), 0) AS BIGINT)
    FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
    WHERE t.relnamespace = to_regnamespace(CAST(current_schema() AS TEXT)) AND t.relkind IN ('r', 'p') AND NOT t.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY CAST(t.relname AS TEXT) COLLATE \"C\", a.attnum";

/// Which table points at which.
async fn pointers(tx: &mut Tx<'_>) -> Result<Vec<(String, String)>> {
    let sql = match tx.engine() {
        Engine::Sqlite => {
            "SELECT m.name, f.\"table\" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"
        }
        Engine::Postgres => {
            "SELECT CAST(t.relname AS TEXT), CAST(o.relname AS TEXT) FROM pg_constraint c
             JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class o ON o.oid = c.confrelid
             WHERE c.contype = 'f' AND t.relnamespace = to_regnamespace(CAST(current_schema() AS TEXT))"
        }
    };
    let rows = tx.query(sql, &[]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Each table after those it points at. Rows that point at others of their own table are none of the schema's so far; the
/// database would refuse them.
fn ordered(mut waiting: Vec<Table>, pointers: &[(String, String)]) -> Result<Vec<Table>> {
    let mut done: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let blocked = |table: &Table| {
            let targets = pointers.iter().filter(|(from, to)| *from == table.name && *to != table.name);
            targets.into_iter().any(|(_, to)| waiting.iter().any(|other| other.name == *to))
        };
        let Some(next) = waiting.iter().position(|table| !blocked(table)) else {
            let names: Vec<_> = waiting.iter().map(|table| &*table.name).collect();
            return Err(Error::Corrupt { what: format!("tables point at each other: {}", names.join(", ")) });
        };
        done.push(waiting.remove(next));
    }
    Ok(done)
}
