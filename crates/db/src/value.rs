//! The three types that cross the border to the database, and what the rest of the program makes of them.

use std::str::FromStr;

use wharf_types::{Digest, FormatName, InvalidName, MediaType, ProjectName, RepoName, SubjectName, Tag, Timestamp};

/// A value as the database holds it: BIGINT, TEXT or BYTEA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(&'a str),
    /// BYTEA.
    Bytes(&'a [u8]),
    /// BYTEA, in the form of [`Digest::to_bytes`].
    Digest(Digest),
}

impl Value<'_> {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "an integer",
            Self::Text(_) => "text",
            Self::Bytes(_) | Self::Digest(_) => "bytes",
        }
    }
}

/// What can be a parameter of a statement.
pub trait ToValue {
    /// The form in which the database holds it.
    fn to_value(&self) -> Value<'_>;
}

/// What can be read out of a column.
pub trait FromValue: Sized {
    /// Reads it back.
    ///
    /// # Errors
    /// Says what is wrong with a value that is of another type or does not parse.
    fn from_value(value: Value<'_>) -> Result<Self, String>;
}

fn unexpected<T>(wanted: &str, value: Value<'_>) -> Result<T, String> {
    Err(format!("expected {wanted}, found {}", value.kind()))
}

/// Integers. One beyond BIGINT becomes the largest BIGINT; nothing that is counted here comes near.
macro_rules! integers {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value<'_> {
                Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
        impl FromValue for $type {
            fn from_value(value: Value<'_>) -> Result<Self, String> {
                match value {
                    Value::Int(int) => int.try_into().map_err(|_| format!("{int} is out of range")),
                    other => unexpected("an integer", other),
                }
            }
        }
    )*};
}
integers!(i64, u64, i32, u32, u16, usize);

/// Types whose text form parses back.
macro_rules! parsed_texts {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value<'_> {
                Value::Text(self.as_str())
            }
        }
        impl FromValue for $type {
            fn from_value(value: Value<'_>) -> Result<Self, String> {
                match value {
                    Value::Text(text) => <$type>::from_str(text).map_err(|e| e.to_string()),
                    other => unexpected("text", other),
                }
            }
        }
    )*};
}
parsed_texts!(Tag, MediaType, ProjectName, SubjectName);

/// Only reading: a name can be written in two ways, so the statement that stores one says which of them it means.
impl FromValue for RepoName {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        String::from_value(value)?.parse().map_err(|e: InvalidName| e.to_string())
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::Int(0) => Ok(false),
            Value::Int(1) => Ok(true),
            Value::Int(other) => Err(format!("expected 0 or 1, found {other}")),
            other => unexpected("0 or 1", other),
        }
    }
}

impl ToValue for Timestamp {
    fn to_value(&self) -> Value<'_> {
        Value::Int(self.as_millis())
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        i64::from_value(value).map(Self::from_millis)
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::Text(text) => Ok(text.to_owned()),
            other => unexpected("text", other),
        }
    }
}

impl ToValue for FormatName {
    fn to_value(&self) -> Value<'_> {
        Value::Text(self.as_str())
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::Bytes(bytes) => Ok(bytes.to_owned()),
            other => unexpected("bytes", other),
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::Bytes(bytes) => bytes.try_into().map_err(|_| format!("expected {N} bytes, found {}", bytes.len())),
            other => unexpected("bytes", other),
        }
    }
}

impl ToValue for Digest {
    fn to_value(&self) -> Value<'_> {
        Value::Digest(*self)
    }
}

impl FromValue for Digest {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::Bytes(bytes) => Self::from_bytes(bytes).map_err(|e| e.to_string()),
            other => unexpected("a digest", other),
        }
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, T::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        if matches!(value, Value::Null) { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}
