//! Errors: read out of whatever shape a provider gives them, written in the caller's.

mod kind;
mod read;
mod write;

pub(crate) use kind::Kind;
pub use read::Failure;
pub(crate) use write::write;
