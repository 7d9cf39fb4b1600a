//! Custody: provider keys sealed at rest, identity, grants, audit.
//!
//! The vault owns provider keys, users, organisations, projects, members, access keys and the audit
//! log. It never makes an outbound call, never returns a provider key but to the router with an
//! audit event already durable, and never writes a secret anywhere in the clear.
//!
//! [`Vault::open`] makes one from a [`VaultConfig`]; its servers go behind the authenticating layer,
//! which has [`Vault::exchanger`] exchange credentials.

mod app;
pub mod audit_log;
pub mod domain;
mod error;
mod grpc;
pub mod inspect;
mod kek;
pub mod store;
mod vault;

pub use app::Clock;
pub use app::audit::AuditConfig;
pub use app::audit::start::AuditStartError;
pub use app::bootstrap::{ADMIN, Bootstrap};
pub use app::key_file::KeyFileError;
pub use error::VaultError;
pub use grpc::VaultGrpc;
pub use kek::{KekError, TransitSetting, TransitToken};
pub use keyward_storage::PostgresUrl;
pub use vault::{MasterKeySetting, StartError, Vault, VaultConfig, migrate};
