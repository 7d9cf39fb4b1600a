//! Metering: holds, charges, usage records, credits, tiers and prices. It owns what things cost and
//! who has paid; it never sees a provider key, and never calls a provider.
//!
//! [`Metering::open`] builds it and starts what runs beside its servers,
//! [`Metering::add_services`] puts those behind the authenticating layer.

mod app;
mod courier;
mod domain;
mod error;
mod grpc;
pub mod inspect;
mod service;
#[cfg(test)]
mod simulation;
mod store;

pub use courier::{CourierConfig, CourierError, MailConfig, MailError, MailTls};
pub use error::MeteringError;
pub use keyward_storage::PostgresUrl;
pub use service::{Config, Metering, migrate};
pub use store::tables::LAYOUT;
