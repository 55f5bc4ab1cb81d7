//! Values to and from PostgreSQL's binary format.

use std::error::Error as StdError;

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::value::Value;

type Problem = Box<dyn StdError + Sync + Send>;

/// A parameter. Its type in the statement is what PostgreSQL concludes from its place, so an integer may meet a smaller type.
#[derive(Debug)]
pub(super) struct Param<'a>(pub(super) Value<'a>);

impl ToSql for Param<'_> {
    fn to_sql(&self, place: &Type, out: &mut BytesMut) -> Result<IsNull, Problem> {
        match (self.0, place) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Int(int), &Type::INT8) => out.extend_from_slice(&int.to_be_bytes()),
            (Value::Int(int), &Type::INT4) => out.extend_from_slice(&i32::try_from(int)?.to_be_bytes()),
            (Value::Int(int), &Type::INT2) => out.extend_from_slice(&i16::try_from(int)?.to_be_bytes()),
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::NAME) => out.extend_from_slice(text.as_bytes()),
            (Value::Bytes(bytes), &Type::BYTEA) => out.extend_from_slice(bytes),
            (Value::Digest(digest), &Type::BYTEA) => out.extend_from_slice(&digest.to_bytes()),
            (value, place) => {
                let problem = format!("the parameter is {}, its place takes {place}: CAST it", value.kind());
                return Err(problem.into());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column, borrowed from its row.
struct Column<'a>(Value<'a>);

impl<'a> FromSql<'a> for Column<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Problem> {
        Ok(Self(match *kind {
            Type::INT8 => Value::Int(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => Value::Int(i32::from_be_bytes(raw.try_into()?).into()),
            Type::INT2 => Value::Int(i16::from_be_bytes(raw.try_into()?).into()),
            // Comparisons and EXISTS are integers in SQLite.
            Type::BOOL => Value::Int(raw.first().is_some_and(|byte| *byte != 0).into()),
            Type::BYTEA => Value::Bytes(raw),
            _ => Value::Text(std::str::from_utf8(raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Problem> {
        Ok(Self(Value::Null))
    }

    fn accepts(kind: &Type) -> bool {
        const KNOWN: &[Type] =
            &[Type::INT8, Type::INT4, Type::INT2, Type::BOOL, Type::BYTEA, Type::TEXT, Type::VARCHAR, Type::NAME];
        KNOWN.contains(kind)
    }
}

/// The value of a column.
pub(crate) fn value_of(row: &Row, index: usize) -> Result<Value<'_>, String> {
    let kind = row.columns().get(index).ok_or_else(|| format!("there are only {} columns", row.len()))?.type_();
    match row.try_get::<_, Column<'_>>(index) {
        Ok(Column(value)) => Ok(value),
        Err(error) => Err(format!("cannot read {kind}, CAST it to BIGINT, TEXT or BYTEA: {error}")),
    }
}
