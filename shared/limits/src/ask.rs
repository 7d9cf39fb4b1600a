//! What a request asks of the limits that apply to it.

use std::num::NonZeroU64;

use crate::counter::{Counter, Kind, Scope};
use crate::gcra::Rate;
use crate::limiter::{Charge, SlotAsk};

/// Limits; an absent one does not limit. The burst is the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests a minute.
    pub requests_per_minute: Option<NonZeroU64>,
    /// Tokens a minute.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Requests at one time.
    pub concurrency: Option<NonZeroU64>,
}

impl Limits {
    /// Limits where zero is none.
    pub fn of(requests_per_minute: u64, tokens_per_minute: u64, concurrency: u64) -> Self {
        Self {
            requests_per_minute: NonZeroU64::new(requests_per_minute),
            tokens_per_minute: NonZeroU64::new(tokens_per_minute),
            concurrency: NonZeroU64::new(concurrency),
        }
    }
}

/// Whose limits, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Whose.
    pub scope: Scope,
    /// Their id.
    pub id: String,
    /// Which.
    pub limits: Limits,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The internal id of who pays.
    pub account: String,
    /// All that applies.
    pub rules: Vec<Rule>,
    /// The tokens it may use.
    pub tokens: u64,
}

/// What an ask comes to: all or none of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand {
    pub(crate) charges: Vec<Charge>,
    pub(crate) slots: Vec<SlotAsk>,
}

impl Ask {
    pub(crate) fn demand(&self) -> Demand {
        let mut demand = Demand::default();
        for rule in &self.rules {
            let counter = |kind| Counter {
                account: self.account.clone(),
                scope: rule.scope,
                id: rule.id.clone(),
                kind,
            };
            let Limits {
                requests_per_minute,
                tokens_per_minute,
                concurrency,
            } = rule.limits;
            let charge = |kind, limit, cost| Charge {
                counter: counter(kind),
                rate: Rate::per_minute(limit),
                cost,
            };
            let requests = requests_per_minute.map(|limit| charge(Kind::Requests, limit, 1));
            let tokens = tokens_per_minute.map(|limit| charge(Kind::Tokens, limit, self.tokens));
            demand.charges.extend(requests.into_iter().chain(tokens));
            demand.slots.extend(concurrency.map(|limit| SlotAsk {
                counter: counter(Kind::Concurrency),
                limit: limit.get(),
            }));
        }
        demand
    }
}

impl Demand {
    pub(crate) fn is_empty(&self) -> bool {
        self.charges.is_empty() && self.slots.is_empty()
    }

    /// The charge that is more than its whole limit, if there is one: it could never pass.
    pub(crate) fn too_large(&self) -> Option<&Charge> {
        let mut charges = self.charges.iter();
        charges.find(|charge| charge.cost > charge.rate.limit())
    }

    /// The same for one of several processes, each of which lets its part pass. What is more than a
    /// part, though not than the whole, takes all of the part.
    pub(crate) fn shared_by(mut self, processes: NonZeroU64) -> Self {
        for charge in &mut self.charges {
            charge.rate = charge.rate.shared_by(processes);
            charge.cost = charge.cost.min(charge.rate.limit());
        }
        for slot in &mut self.slots {
            slot.limit = slot.limit.div_ceil(processes.get());
        }
        self
    }
}
