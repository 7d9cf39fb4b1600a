//! The router's rules: reading a request, planning, classifying failures, watching a stream. Pure:
//! no async, no clock, no I/O; time and randomness come in as arguments.

pub mod cache;
pub(crate) mod deadline;
mod derived;
pub(crate) mod dropped;
pub(crate) mod estimate;
pub(crate) mod failure;
pub mod form;
mod gemini_images;
pub mod health;
pub(crate) mod hedge;
pub(crate) mod image_class;
mod imagen;
pub(crate) mod key_test;
pub(crate) mod keyring;
pub mod lease;
pub(crate) mod metadata;
pub(crate) mod parcel;
pub mod plan;
pub mod policy;
pub mod preferences;
pub(crate) mod provider_health;
pub mod providers;
pub(crate) mod rate_limits;
pub(crate) mod repeatable;
pub mod request;
pub(crate) mod resets;
pub(crate) mod service_tier;
pub(crate) mod shown;
pub(crate) mod sound;
pub mod stream;
pub mod task;
pub(crate) mod translation;
pub(crate) mod usage;
pub(crate) mod wire;
