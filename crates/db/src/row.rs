//! Rows as statements return them, with the types that [`FromValue`] knows.

use crate::dump;
use crate::error::one_line;
use crate::postgres;
use crate::value::{FromValue, Value};
use crate::{Error, Result};

/// One row of a result. It owns its values and outlives its transaction.
#[derive(Debug)]
pub struct Row {
    // Kept for the message when a column does not parse.
    sql: &'static str,
    columns: Columns,
}

#[derive(Debug)]
enum Columns {
    Sqlite(Box<[Cell]>),
    Postgres(tokio_postgres::Row),
}

/// A value copied out of SQLite, whose own memory ends with the next step of the statement.
#[derive(Debug)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
}

impl Row {
    pub(crate) fn sqlite(sql: &'static str, cells: Box<[Cell]>) -> Self {
        Self { sql, columns: Columns::Sqlite(cells) }
    }

    pub(crate) fn postgres(sql: &'static str, row: tokio_postgres::Row) -> Self {
        Self { sql, columns: Columns::Postgres(row) }
    }

    /// The value of the column at `index`, counted from 0 in the order of the SELECT or RETURNING list.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if there is no such column, or if what it holds is not a `T`.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T> {
        self.value(index)
            .and_then(T::from_value)
            .map_err(|problem| Error::Corrupt { what: format!("column {index} of: {}: {problem}", one_line(self.sql)) })
    }

    /// The first `count` columns, as they are.
    pub(crate) fn cells(&self, count: usize) -> Result<Vec<dump::Cell>> {
        (0..count)
            .map(|index| match self.value(index) {
                Ok(Value::Null) => Ok(dump::Cell::Null),
                Ok(Value::Int(int)) => Ok(dump::Cell::Int(int)),
                Ok(Value::Text(text)) => Ok(dump::Cell::Text(text.to_owned())),
                Ok(Value::Bytes(bytes)) => Ok(dump::Cell::Bytes(bytes.to_owned())),
                Ok(Value::Digest(digest)) => Ok(dump::Cell::Bytes(digest.to_bytes())),
                Err(problem) => {
                    Err(Error::Corrupt { what: format!("column {index} of: {}: {problem}", one_line(self.sql)) })
                }
            })
            .collect()
    }

    fn value(&self, index: usize) -> Result<Value<'_>, String> {
        match &self.columns {
            Columns::Sqlite(cells) => match cells.get(index) {
                Some(Cell::Null) => Ok(Value::Null),
                Some(Cell::Int(int)) => Ok(Value::Int(*int)),
                Some(Cell::Text(text)) => Ok(Value::Text(text)),
                Some(Cell::Bytes(bytes)) => Ok(Value::Bytes(bytes)),
                None => Err(format!("there are only {} columns", cells.len())),
            },
            Columns::Postgres(row) => postgres::value_of(row, index),
        }
    }
}
