//! Running one statement on a connection.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection};

use super::failure;
use crate::Result;
use crate::row::{Cell, Row};
use crate::tx::{Failed, Params};
use crate::value::Value;

/// All rows.
pub(crate) fn query(connection: &Connection, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>, Failed> {
    all(connection, sql, params).map_err(|e| failure::failed(sql, e))
}

/// The first row.
pub(crate) fn query_opt(connection: &Connection, sql: &'static str, params: Params<'_>) -> Result<Option<Row>, Failed> {
    first(connection, sql, params).map_err(|e| failure::failed(sql, e))
}

/// The number of rows changed.
pub(crate) fn execute(connection: &Connection, sql: &'static str, params: Params<'_>) -> Result<u64, Failed> {
    let changed = bound(connection, sql, params).and_then(|mut statement| statement.raw_execute());
    changed.map(|rows| u64::try_from(rows).unwrap_or(u64::MAX)).map_err(|e| failure::failed(sql, e))
}

/// Many statements without parameters.
pub(crate) fn script(connection: &Connection, sql: &str) -> Result<(), Failed> {
    connection.execute_batch(sql).map_err(|e| failure::failed(sql, e))
}

/// A statement that begins or ends something; prepared once, because every transaction runs four of them.
pub(super) fn control(connection: &Connection, sql: &'static str) -> Result<()> {
    let done = connection.prepare_cached(sql).and_then(|mut statement| statement.raw_execute());
    done.map(drop).map_err(|e| failure::of(sql, e))
}

fn all(connection: &Connection, sql: &'static str, params: Params<'_>) -> rusqlite::Result<Vec<Row>> {
    let mut statement = bound(connection, sql, params)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(copied(sql, row, columns)?);
    }
    Ok(found)
}

fn first(connection: &Connection, sql: &'static str, params: Params<'_>) -> rusqlite::Result<Option<Row>> {
    let mut statement = bound(connection, sql, params)?;
    let columns = statement.column_count();
    let only_reads = statement.readonly();
    let mut rows = statement.raw_query();
    let Some(row) = rows.next()? else { return Ok(None) };
    let row = copied(sql, row, columns)?;
    // A change with RETURNING is run to its end, so that it counts as done.
    while !only_reads && rows.next()?.is_some() {}
    Ok(Some(row))
}

fn bound<'c>(connection: &'c Connection, sql: &str, params: Params<'_>) -> rusqlite::Result<CachedStatement<'c>> {
    let mut statement = connection.prepare_cached(sql)?;
    if statement.parameter_count() != params.len() {
        return Err(rusqlite::Error::InvalidParameterCount(params.len(), statement.parameter_count()));
    }
    for (index, param) in (1..).zip(params) {
        let value = match param.to_value() {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Int(int) => ToSqlOutput::Borrowed(ValueRef::Integer(int)),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Value::Digest(digest) => ToSqlOutput::Owned(rusqlite::types::Value::Blob(digest.to_bytes())),
        };
        statement.raw_bind_parameter::<usize, _>(index, value)?;
    }
    Ok(statement)
}

fn copied(sql: &'static str, row: &rusqlite::Row<'_>, columns: usize) -> rusqlite::Result<Row> {
    let mut cells = Vec::with_capacity(columns);
    for index in 0..columns {
        cells.push(match row.get_ref(index)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(int) => Cell::Int(int),
            ValueRef::Text(text) => {
                Cell::Text(std::str::from_utf8(text).map_err(|e| rusqlite::Error::Utf8Error(index, e))?.into())
            }
            ValueRef::Blob(bytes) => Cell::Bytes(bytes.into()),
            ValueRef::Real(_) => {
                return Err(rusqlite::Error::InvalidColumnType(index, "REAL".into(), rusqlite::types::Type::Real));
            }
        });
    }
    Ok(Row::sqlite(sql, cells.into_boxed_slice()))
}
