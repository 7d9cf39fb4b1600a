//! The router from outside: its real service over a scripted provider, with a vault and a metering
//! that do as they are told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and their tasks end with them"
)]

mod caching;
mod chat;
mod deadline;
mod failover;
mod fakes;
mod harness;
mod health;
mod hedging;
mod key_tests;
mod money;
mod panics;
mod policies;
mod providers;
mod revocation;
mod serving;
mod spool;
mod streams;
mod upstream;
