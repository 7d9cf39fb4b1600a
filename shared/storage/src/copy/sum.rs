//! What a table holds in two figures: how many rows, and a digest that does not depend on their order,
//! since each engine has its own.

use ring::digest::{SHA256, digest};

use super::Layout;
use crate::Value;

/// The figures of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSum {
    /// Its name.
    pub name: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// The SHA-256 digests of all rows, combined by exclusive or: rows differ, each has a key.
    pub digest: [u8; 32],
}

/// The figures of all tables.
#[derive(Debug)]
pub(super) struct Sums(Vec<TableSum>);

impl Sums {
    pub(super) fn new(layout: &Layout) -> Self {
        let empty = layout.tables.iter().map(|table| TableSum {
            name: table.name,
            rows: 0,
            digest: [0; 32],
        });
        Self(empty.collect())
    }

    pub(super) fn add(&mut self, table: usize, rows: &[Vec<Value>]) {
        let sum = &mut self.0[table];
        for row in rows {
            let mut bytes = Vec::new();
            for value in row {
                value.append_to(&mut bytes);
            }
            let hash = digest(&SHA256, &bytes);
            let pairs = sum.digest.iter_mut().zip(hash.as_ref());
            pairs.for_each(|(byte, other)| *byte ^= other);
            sum.rows += 1;
        }
    }

    pub(super) fn tables(&self) -> Vec<TableSum> {
        self.0.clone()
    }
}
