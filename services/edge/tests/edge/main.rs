//! The edge over a real socket, in front of scripted services.

// The lints let tests unwrap; helpers beside them are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bounds;
mod chat;
mod document;
mod fakes;
mod fixture;
mod management;
mod money;
mod surface;
mod tables;
