//! The rules of metering, pure: no clock, no store, no wire. Times and ids are arguments.

pub(crate) mod account;
pub(crate) mod budget;
pub(crate) mod calendar;
pub(crate) mod charging;
pub(crate) mod day;
pub(crate) mod delivery;
pub(crate) mod errand;
pub(crate) mod event;
pub(crate) mod filter;
pub(crate) mod ledger;
pub(crate) mod notice;
pub(crate) mod prices;
pub(crate) mod proof;
pub(crate) mod receipt;
pub(crate) mod requester;
pub(crate) mod rerating;
pub(crate) mod signature;
pub(crate) mod span;
pub(crate) mod statement;
pub(crate) mod sums;
pub(crate) mod tier;
pub(crate) mod webhook;
