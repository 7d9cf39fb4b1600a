//! The ledger's rules, pure: [`Command`]s are applied in order to [`Books`] that hold all they name,
//! and the books say what changed. Whoever stores it (an engine, a simulation) loads, applies and
//! saves in one transaction, so that the same rules decide everywhere.

mod account;
mod books;
mod changes;
mod command;
mod freezing;
mod granting;
mod holding;
mod leasing;
#[cfg(test)]
pub(crate) mod oracle;
mod period;
mod recording;
mod refunding;
mod settling;
#[cfg(test)]
mod tests;

pub(crate) use account::{Account, Lot};
pub(crate) use books::{Books, StoredEvent};
pub(crate) use changes::{Changes, Platform, SumKey, Transfer, TransferKind, UsageRow};
pub(crate) use command::{Command, Needs, PostingKey};
pub(crate) use freezing::Freeze;
pub(crate) use granting::{ExpireLots, Granted, NewGrant, Posting};
pub(crate) use holding::{ExpireHold, Extended, Extension, NewHold, Placed};
pub(crate) use leasing::{GiveBack, Holder, Lease, LeaseSettlement, Lend, Lent};
pub(crate) use period::{BudgetShare, HeldBudget, Period, PeriodKey};
pub(crate) use recording::{NewRecord, Posted, QuarantineReason, Reject};
pub(crate) use refunding::{NewRefund, Refunded};
#[cfg(test)]
pub(crate) use settling::Voided;
pub(crate) use settling::{Settlement, VoidHold};
