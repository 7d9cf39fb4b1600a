//! What the tests of the whole system share: an upstream that does as it is told, running gateways in
//! both topologies, clients, tenants, and provider keys that can be searched for in every output.
//!
//! It knows the system by its outer interface only. Its functions fail by panicking, as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test library fails by panicking"
)]

pub mod canary;
pub mod client;
pub mod gateway;
pub mod link;
mod loopback;
pub mod postgres;
pub mod raw;
pub mod redis;
pub mod tenancy;
pub mod upstream;
pub mod wait;
mod watchdog;

pub use client::{Answer, Client, Stream};
pub use gateway::{Front, Gateway, Launch, Role, Topology};
pub use link::Link;
pub use postgres::{PrivatePostgres, TestDatabase};
pub use redis::PrivateRedis;
pub use tenancy::Tenant;
pub use upstream::{Received, Script, ScriptedUpstream};
