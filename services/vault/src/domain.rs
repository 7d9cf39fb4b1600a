//! The vault's rules: what is sealed and how, which keys look right, who may do what. Pure: no
//! store, no clock, no randomness of its own; times and random bytes come in as arguments.

pub mod access;
pub mod audit;
pub mod base_url;
pub mod ceiling;
pub mod change;
pub mod envelope;
pub mod fernet;
pub mod fingerprint;
pub mod generation;
pub mod hygiene;
pub mod identity;
pub mod key_filters;
pub mod key_format;
pub mod key_tests;
pub mod mask;
pub mod master_key;
pub mod name;
pub mod owner;
pub mod provider_key;
pub mod refusals;
pub mod replay;
pub mod row_state;
