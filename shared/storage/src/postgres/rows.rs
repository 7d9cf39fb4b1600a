//! Rows in the binary format in which Postgres copies them into a table: made once, where the values
//! are, and taken in without a plan for each row.

use std::borrow::Cow;

use bytes::{BufMut as _, Bytes, BytesMut};

/// How such rows begin: the signature, flags, and no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// In place of a length: null, and in place of a count of columns: the end.
const NONE: i32 = -1;
const END: i16 = -1;

/// A column's value as its type takes it: nothing is cast.
pub trait Cell {
    /// Writes it; says `false` for null, of which nothing is written.
    fn put(&self, out: &mut BytesMut) -> bool;
}

/// Rows to be copied into a table.
#[derive(Debug)]
pub struct CopyRows {
    sql: &'static str,
    out: BytesMut,
    is_empty: bool,
}

impl CopyRows {
    /// None yet. `sql` is `COPY table (columns) FROM STDIN BINARY`.
    pub fn new(sql: &'static str) -> Self {
        Self {
            sql,
            out: BytesMut::from(HEAD),
            is_empty: true,
        }
    }

    /// Adds a row: its columns in the order of the statement.
    pub fn push(&mut self, cells: &[&dyn Cell]) {
        self.is_empty = false;
        self.out
            .put_i16(i16::try_from(cells.len()).unwrap_or(i16::MAX));
        for cell in cells {
            self.put(*cell);
        }
    }

    /// Its length, then the value. One too long for a length is longer than any message can be.
    fn put(&mut self, cell: &dyn Cell) {
        let start = self.out.len();
        self.out.put_i32(NONE);
        if cell.put(&mut self.out) {
            let length = self.out.len().saturating_sub(start + 4);
            let length = i32::try_from(length).unwrap_or(i32::MAX);
            if let Some(place) = self.out.get_mut(start..start + 4) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Takes all of them, and leaves none.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.sql))
    }

    /// The statement and all of them.
    pub(super) fn finish(mut self) -> (&'static str, Bytes) {
        self.out.put_i16(END);
        (self.sql, self.out.freeze())
    }
}

impl Cell for i32 {
    fn put(&self, out: &mut BytesMut) -> bool {
        out.put_i32(*self);
        true
    }
}

impl Cell for i64 {
    fn put(&self, out: &mut BytesMut) -> bool {
        out.put_i64(*self);
        true
    }
}

impl Cell for bool {
    fn put(&self, out: &mut BytesMut) -> bool {
        out.put_u8(u8::from(*self));
        true
    }
}

impl Cell for &str {
    fn put(&self, out: &mut BytesMut) -> bool {
        out.put_slice(self.as_bytes());
        true
    }
}

impl Cell for String {
    fn put(&self, out: &mut BytesMut) -> bool {
        self.as_str().put(out)
    }
}

impl Cell for Cow<'_, str> {
    fn put(&self, out: &mut BytesMut) -> bool {
        (&**self).put(out)
    }
}

/// A `BYTEA`.
impl Cell for &[u8] {
    fn put(&self, out: &mut BytesMut) -> bool {
        out.put_slice(self);
        true
    }
}

/// A `UUID`.
impl Cell for uuid::Uuid {
    fn put(&self, out: &mut BytesMut) -> bool {
        out.put_slice(self.as_bytes());
        true
    }
}

impl<T: Cell> Cell for Option<T> {
    fn put(&self, out: &mut BytesMut) -> bool {
        self.as_ref().is_some_and(|value| value.put(out))
    }
}
