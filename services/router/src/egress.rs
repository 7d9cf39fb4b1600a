//! The way out to providers: two pooled HTTP clients over connectors of our own, one of which checks
//! every address it dials. No redirect is ever followed: a request here bears a key.

mod client;
mod connector;
mod guard;
mod probe;

pub use client::EgressError;
pub(crate) use client::{Egress, SendError};
pub use probe::{ProbeError, Prober};
