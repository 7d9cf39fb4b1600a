//! What counts: one trait, two engines. They say what is so; what it means is calculated elsewhere.

use async_trait::async_trait;

use crate::counter::Counter;
use crate::gcra::{Arrival, Rate};

/// What is asked of a counter.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The counter.
    pub counter: Counter,
    /// Its rate.
    pub rate: Rate,
    /// Units; more than the limit never pass.
    pub cost: u64,
}

/// What became of charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    /// Whether all passed; else none was charged.
    pub admitted: bool,
    /// The time of the engine, in microseconds.
    pub now: u64,
    /// How each counter stands after it, in the order of the charges.
    pub arrivals: Vec<Arrival>,
}

/// What a charge should have been.
#[derive(Debug, Clone)]
pub struct Correction {
    /// The counter.
    pub counter: Counter,
    /// Its rate.
    pub rate: Rate,
    /// Units that were charged.
    pub charged: u64,
    /// Units that were used.
    pub used: u64,
}

/// A slot that is wanted.
#[derive(Debug, Clone)]
pub struct SlotAsk {
    /// The counter.
    pub counter: Counter,
    /// How many there are.
    pub limit: u64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// One of each was taken.
    All,
    /// None was: this one, by its place in the question, has none left.
    Full(usize),
}

/// Counts. All counters of one call belong to one account.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Why it cannot count.
    type Error: Send;

    /// Charges all, or none.
    async fn charge(&self, charges: &[Charge]) -> Result<Charged, Self::Error>;

    /// Makes good what was charged: back, though not into the past, or on.
    async fn correct(&self, corrections: &[Correction]) -> Result<(), Self::Error>;

    /// Takes a slot of each, or none.
    async fn take(&self, slots: &[SlotAsk], holder: &str) -> Result<Taken, Self::Error>;

    /// Lets slots of a counter stand for longer, those that still stand.
    async fn renew(&self, counter: &Counter, holders: &[String]) -> Result<(), Self::Error>;

    /// Frees a slot of each.
    async fn release(&self, counters: &[Counter], holder: &str) -> Result<(), Self::Error>;
}
