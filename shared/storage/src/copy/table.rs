//! What a store consists of, for copies: every table and its columns, and the statements that move
//! their rows.

use crate::postgres::Schema;
use crate::{Migration, Value};

/// Everything that a service owns, in both engines.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Its tables; one comes after those that it refers to.
    pub tables: &'static [Table],
    /// Those that have rows once anybody has used a store. In others a new one may have some.
    pub used: &'static [&'static str],
    /// How a file is made.
    pub migrations: &'static [Migration],
    /// How a schema is made.
    pub schema: Schema,
    /// What is done in Postgres once all rows are there: it sets what follows from them.
    pub finish: &'static [&'static str],
}

/// A table, and the statements that move its rows.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [&'static str],
    /// Reads all rows in SQLite.
    pub select: &'static str,
    /// The same in Postgres, with the same values.
    pub select_postgres: &'static str,
    /// Empties it, in both engines.
    pub clear: &'static str,
    /// Writes a row in SQLite.
    pub insert: &'static str,
    /// Writes rows in Postgres.
    pub copy: &'static str,
    /// Has the types of what is written.
    pub types: &'static str,
    /// Where it lies in partitions.
    pub partitions: Option<Partitions>,
}

/// How the partitions of a table in Postgres are told, by a column that SQLite has not and that comes
/// last.
#[derive(Debug, Clone, Copy)]
pub struct Partitions {
    /// Its value, by the others of a row.
    pub of: fn(&[Value]) -> i64,
    /// The statement that makes the partitions of such values, an array.
    pub make: &'static str,
}

/// A column's name in quotes: `user` is a word of SQL.
#[doc(hidden)]
#[macro_export]
macro_rules! quoted_column {
    ($column:ident) => {
        concat!("\"", stringify!($column), "\"")
    };
    // In a text in SQLite, in a type of its own in Postgres.
    ($column:ident as text) => {
        concat!("\"", stringify!($column), "\"::text")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! column_place {
    ($column:ident) => {
        ", ?"
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! given_or {
    ($default:expr,) => {
        $default
    };
    ($default:expr, $given:literal) => {
        $given
    };
}

/// The tables of a [`Layout`](crate::copy::Layout): `name { column, … }`. A column `as text` is a text in SQLite and has a type
/// of its own in Postgres. `name in DAY by PARTITIONS { … }` lies in partitions; what of
/// `name read "SELECT …" { … }` is read in Postgres is said by a statement of its own.
#[macro_export]
macro_rules! tables {
    ($($table:ident $(in $day:ident by $partitions:ident)? $(read $read:literal)? {
        $first:ident $(as $first_kind:ident)? $(, $column:ident $(as $kind:ident)?)* $(,)?
    })+) => {
        &[$($crate::copy::Table {
            name: stringify!($table),
            columns: &[stringify!($first) $(, stringify!($column))*],
            select: concat!(
                "SELECT ", $crate::quoted_column!($first)
                $(, ", ", $crate::quoted_column!($column))*, " FROM ", stringify!($table)
            ),
            select_postgres: $crate::given_or!(concat!(
                "SELECT ", $crate::quoted_column!($first $(as $first_kind)?)
                $(, ", ", $crate::quoted_column!($column $(as $kind)?))*,
                " FROM ", stringify!($table)
            ), $($read)?),
            clear: concat!("DELETE FROM ", stringify!($table)),
            insert: concat!(
                "INSERT INTO ", stringify!($table), " (", $crate::quoted_column!($first)
                $(, ", ", $crate::quoted_column!($column))*, ") VALUES (?"
                $(, $crate::column_place!($column))*, ")"
            ),
            copy: concat!(
                "COPY ", stringify!($table), " (", $crate::quoted_column!($first)
                $(, ", ", $crate::quoted_column!($column))*
                $(, ", ", $crate::quoted_column!($day))?, ") FROM STDIN BINARY"
            ),
            types: concat!(
                "SELECT ", $crate::quoted_column!($first)
                $(, ", ", $crate::quoted_column!($column))*
                $(, ", ", $crate::quoted_column!($day))?, " FROM ", stringify!($table)
            ),
            partitions: [$(Some($partitions),)? None][0],
        }),+]
    };
}
