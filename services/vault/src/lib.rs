//! Custody: provider keys sealed at rest, identity, grants, audit.
//!
//! The vault owns provider keys, users, organisations, projects, members, access keys and the audit
//! log. It never makes an outbound call, never returns a provider key but to the router with an
//! audit event already durable, and never writes a secret anywhere in the clear.

pub mod domain;
pub mod store;
