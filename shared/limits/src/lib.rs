//! Limits: requests and tokens a minute, and requests at one time. Counted in this process, or in a
//! Redis that several processes share; where that is away, each process goes on by itself.
//!
//! It never holds money, and what it forgets costs nobody more than a burst. [`Gate`] is what is
//! called; [`gcra`] and [`slots`] are the rules, without clock or I/O.

mod ask;
mod board;
mod clock;
mod counter;
mod gate;
pub mod gcra;
mod held;
mod limiter;
mod local;
mod redis;
mod shared;
pub mod slots;
#[cfg(test)]
mod suite;
mod ticket;

pub use ask::{Ask, Limits, Rule};
pub use board::{Board, Post};
pub use counter::{Counter, Kind, Scope};
pub use gate::Gate;
pub use gcra::{Arrival, Rate, Standing};
pub use limiter::{Charge, Charged, Correction, Limiter, SlotAsk, Taken};
pub use local::LocalLimiter;
pub use redis::{RedisConfig, RedisError, RedisLimiter, redis_connection};
pub use ticket::{Refused, Standings, Ticket, TooLarge, Turned};
