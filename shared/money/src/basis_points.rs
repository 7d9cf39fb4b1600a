//! Markups in basis points.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A markup in basis points: 500 is 5 %.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BasisPoints(u32);

impl BasisPoints {
    /// No markup.
    pub const ZERO: Self = Self(0);
    /// The whole, 100 %.
    pub const WHOLE: u32 = 10_000;

    /// A markup of so many basis points.
    pub const fn new(basis_points: u32) -> Self {
        Self(basis_points)
    }

    /// How many basis points.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bp", self.0)
    }
}
