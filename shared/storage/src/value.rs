//! A value as either engine has it, for copies from one to the other: flags are numbers, uids are bytes.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// None.
    Null,
    /// A number, or a flag as 0 or 1.
    Number(i64),
    /// A text.
    Text(String),
    /// Bytes, or a uid.
    Bytes(Vec<u8>),
}

impl Value {
    /// Appends its canonical form: kind, length, content. The same in both engines.
    pub fn append_to(&self, bytes: &mut Vec<u8>) {
        let number;
        let (kind, content): (u8, &[u8]) = match self {
            Self::Null => (0, &[]),
            Self::Number(value) => {
                number = value.to_be_bytes();
                (1, &number)
            }
            Self::Text(text) => (2, text.as_bytes()),
            Self::Bytes(content) => (3, content),
        };
        bytes.push(kind);
        bytes.extend_from_slice(&(content.len() as u64).to_be_bytes());
        bytes.extend_from_slice(content);
    }
}

type Fault = Box<dyn Error + Sync + Send>;

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(match *kind {
            Type::BOOL => Self::Number(bool::from_sql(kind, raw)?.into()),
            Type::INT8 => Self::Number(i64::from_sql(kind, raw)?),
            Type::INT4 => Self::Number(i32::from_sql(kind, raw)?.into()),
            Type::TEXT | Type::JSON => Self::Text(String::from_sql(kind, raw)?),
            _ => Self::Bytes(raw.to_vec()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Fault> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        const KNOWN: [Type; 7] = [
            Type::BOOL,
            Type::INT4,
            Type::INT8,
            Type::TEXT,
            Type::JSON,
            Type::BYTEA,
            Type::UUID,
        ];
        KNOWN.contains(kind)
    }
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Number(number) if *kind == Type::BOOL => out.put_u8(u8::from(*number != 0)),
            Self::Number(number) if *kind == Type::INT4 => out.put_i32(i32::try_from(*number)?),
            Self::Number(number) => out.put_i64(*number),
            // A uid as a text: its hexadecimal digits, whatever stands between them.
            Self::Text(text) if *kind == Type::UUID => {
                let digits: String = text.chars().filter(|digit| *digit != '-').collect();
                out.put_u128(u128::from_str_radix(&digits, 16)?);
            }
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        <Self as FromSql<'_>>::accepts(kind)
    }

    to_sql_checked!();
}

impl rusqlite::types::FromSql for Value {
    fn column_result(value: ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Number(number),
            ValueRef::Text(_) => Self::Text(value.as_str()?.to_owned()),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_vec()),
            ValueRef::Real(_) => return Err(rusqlite::types::FromSqlError::InvalidType),
        })
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
