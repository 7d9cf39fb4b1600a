//! Metering: holds, charges, usage records, credits, tiers and prices. It owns what things cost and
//! who has paid; it never sees a provider key, and never calls a provider.
//!
//! [`Metering::open`] builds it, [`Metering::add_services`] puts its servers behind the authenticating
//! layer, [`Metering::start`] starts what runs beside them.

mod app;
mod domain;
mod error;
mod grpc;
mod service;
mod store;

pub use error::MeteringError;
pub use service::{Config, Metering};
