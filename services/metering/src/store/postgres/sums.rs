//! Sums by the hour and by the day: kept with every record, and read instead of the records.

#[macro_use]
mod figures;
mod adding;
mod asking;
mod differing;

pub(super) use adding::NewSums;
pub(super) use asking::query;
pub(super) use differing::{DIFFERING, DIFFERING_TAGS};
