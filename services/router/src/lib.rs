//! The router: decides whose key serves a request, calls the provider and streams the answer back.
//! It never stores a provider key, and holds one only as long as its lease.
//!
//! [`Router::open`] sets it up; [`Router::server`] is its gRPC service, to be put behind the layer
//! that authenticates.

mod app;
pub mod config;
pub mod domain;
mod grpc;
pub mod inspect;
mod router;
mod sandbox;
pub mod spool;
mod store;
mod upstream;

pub use config::{
    CacheConfig, Failover, Hedge, OnCreditExhausted, RouterConfig, SharedLimits, Timeouts,
};
pub use domain::policy::Prefer;
pub use domain::providers::ProviderOverride;
pub use grpc::RouterApi;
pub use router::{Router, RouterConnections, RouterError, migrate, migrate_file};
pub use store::tables::LAYOUT;
