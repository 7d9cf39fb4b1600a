//! The way out: two pooled HTTP clients over connectors of our own, one of which checks every
//! address it dials. No redirect is ever followed: what is sent here bears keys or signatures.

mod client;
mod connector;
mod guard;
mod probe;

pub use client::{Egress, EgressError, SendError};
pub use probe::{ProbeError, Prober};
