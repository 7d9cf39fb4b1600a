//! What every role needs to run, whatever it does: settings, telemetry, errors on the wire, serving
//! and draining. No rule of keys, routes or money is in here.

pub mod error;
pub mod hardening;
pub mod health;
pub mod ids;
pub mod metrics;
pub mod ops;
pub mod page;
pub mod private;
pub mod private_allow;
pub mod serve;
pub mod settings;
pub mod telemetry;
pub mod time;
pub mod tls;
pub mod trace;
