//! The vault through its contract: generated clients, the authenticating layer, a store on disk.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod audit;
mod audit_chain;
mod audit_postgres;
mod audit_sinks;
mod ceiling;
mod concerns;
mod custody;
mod exchange;
mod full_disk;
mod generations;
mod grants;
mod hygiene;
mod import;
mod inspect;
mod isolation;
mod key_filters;
mod key_tests;
mod killed;
mod leases;
mod master_keys;
mod older_store;
mod policy_changes;
mod provider_keys;
mod raw;
mod replay;
mod retarget;
mod rewrap_killed;
mod rig;
mod rows;
mod seal;
mod start;
mod store_away;
mod tenancy;
mod transit;
mod unseal;
mod watch;
