//! The command line from outside: the real binary against a real gateway.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod by_id;
mod caller;
mod catalog;
mod connection;
mod imports;
mod lists;
mod secrets;
mod snapshots;
