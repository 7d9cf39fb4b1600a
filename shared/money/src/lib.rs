//! Units, prices, usage and the charge. Pure integer arithmetic: no I/O, no clock, no floats.
//!
//! Money is counted in nano-credits ([`Nanos`]), prices in nano-credits per 1,000,000 units
//! ([`Rates`]), markups in basis points ([`BasisPoints`]). A [`Charge`] is a pure function of a
//! [`Usage`], the [`Prices`] and the markup that were pinned, so that anybody can recompute it years
//! later from a receipt.

mod basis_points;
mod charge;
mod nanos;
mod prices;
mod usage;

pub use basis_points::BasisPoints;
pub use charge::{Capped, Charge, affordable_output_tokens};
pub use nanos::{Nanos, ParseNanosError};
pub use prices::{LongContextTier, Prices, Rates, ServiceTier};
pub use usage::{MeasuredUsage, OverlappingUsage, Usage};

/// Why a charge cannot be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The price book knows no price for the model.
    #[error("the model has no price")]
    Unpriced,
    /// The figure does not fit 64 bits of nano-credits.
    #[error("the amount does not fit")]
    Overflow,
}
