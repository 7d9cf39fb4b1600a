//! What the gate answers: a ticket, which is handed back when the request is over, or why not.

use std::sync::Arc;
use std::time::Duration;

use crate::counter::{Counter, Kind, Scope};
use crate::gcra::Standing;
use crate::held::{Held, Renewed};
use crate::limiter::Charge;

/// A way in. It is to be handed back to [`crate::Gate::leave`]; one that is lost costs its slots
/// until they expire, and leaves its estimate charged.
#[derive(Debug, Default)]
pub struct Ticket {
    /// How the limits stand, this request included.
    pub standings: Standings,
    pub(crate) charges: Vec<Charge>,
    pub(crate) slots: Vec<Counter>,
    pub(crate) holder: String,
    /// Its slots are renewed while it lives.
    pub(crate) renewed: Option<Renewed>,
    pub(crate) is_local: bool,
}

impl Ticket {
    pub(crate) fn renewed_by(mut self, held: &Arc<Held>) -> Self {
        let has_slots = !self.slots.is_empty();
        self.renewed = has_slots.then(|| held.renew(&self.slots, &self.holder));
        self
    }
}

/// How limits stand, and who said so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings {
    /// Each limit that counts in a minute.
    pub all: Vec<(Scope, Kind, Standing)>,
    /// Whether this process counted by itself because the shared Redis is away.
    pub is_degraded: bool,
}

impl Standings {
    /// The one of a kind with the least left.
    pub fn tightest(&self, kind: Kind) -> Option<Standing> {
        let of_kind = self.all.iter().filter(|(_, its, _)| *its == kind);
        let standings = of_kind.map(|(_, _, standing)| *standing);
        standings.min_by_key(|standing| (standing.remaining, standing.limit))
    }

    /// These and those of another question.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        self.all.extend_from_slice(&others.all);
        self.is_degraded |= others.is_degraded;
        self
    }
}

/// Not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turned {
    /// Not now.
    Refused(Refused),
    /// Never: it is more than a whole limit.
    TooLarge(TooLarge),
}

/// A limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub kind: Kind,
    /// The limit.
    pub limit: u64,
    /// When the same would pass, if nothing else were asked; unknown for slots.
    pub retry_after: Option<Duration>,
    /// How the limits stand, without this request.
    pub standings: Standings,
}

/// A request is more than a whole limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub kind: Kind,
    /// The limit.
    pub limit: u64,
    /// What was asked.
    pub asked: u64,
}

impl From<&Charge> for TooLarge {
    fn from(charge: &Charge) -> Self {
        Self {
            scope: charge.counter.scope,
            kind: charge.counter.kind,
            limit: charge.rate.limit(),
            asked: charge.cost,
        }
    }
}
