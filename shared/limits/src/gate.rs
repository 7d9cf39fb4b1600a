//! The gate that requests pass: all limits that apply or none, in the shared Redis where there is one
//! and it answers, else in this process.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;

use crate::ask::{Ask, Demand};
use crate::counter::{Counter, Kind};
use crate::held::Held;
use crate::limiter::{Charge, Charged, Correction, Limiter, Taken};
use crate::local::LocalLimiter;
use crate::redis::RedisLimiter;
use crate::shared::Shared;
use crate::ticket::{Refused, Standings, Ticket, Turned};

/// How often a Redis that is away is tried.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// How often slots are renewed: three times within their lifetime.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// The gate.
#[derive(Debug, Default)]
pub struct Gate {
    local: LocalLimiter,
    held: Arc<Held>,
    shared: Option<Shared>,
}

impl Gate {
    /// One that counts in a shared Redis. While that is away, each of `processes` lets its part of a
    /// limit pass, and `away` is 1.
    pub fn shared(redis: RedisLimiter, processes: NonZeroU64, away: Gauge) -> Self {
        Self {
            shared: Some(Shared::new(redis, processes, away)),
            ..Self::default()
        }
    }

    /// Lets a request in, or not. `holder` is an id that no other request has.
    pub async fn enter(&self, ask: &Ask, holder: &str) -> Result<Ticket, Turned> {
        let demand = ask.demand();
        if demand.is_empty() {
            return Ok(Ticket::default());
        }
        if let Some(charge) = demand.too_large() {
            return Err(Turned::TooLarge(charge.into()));
        }
        let Some(shared) = &self.shared else {
            return self.enter_locally(demand, holder, false).await;
        };
        if !shared.is_away() {
            match enter_at(&shared.redis, &demand, holder).await {
                Ok(Ok(ticket)) => return Ok(ticket.renewed_by(&shared.held)),
                Ok(Err(refused)) => return Err(Turned::Refused(refused)),
                Err(error) => shared.lost(&error),
            }
        }
        let part = demand.shared_by(shared.processes);
        self.enter_locally(part, holder, true).await
    }

    async fn enter_locally(
        &self,
        demand: Demand,
        holder: &str,
        is_degraded: bool,
    ) -> Result<Ticket, Turned> {
        let Ok(entered) = enter_at(&self.local, &demand, holder).await;
        match entered {
            Ok(mut ticket) => {
                ticket.is_local = true;
                ticket.standings.is_degraded = is_degraded;
                Ok(ticket.renewed_by(&self.held))
            }
            Err(mut refused) => {
                refused.standings.is_degraded = is_degraded;
                Err(Turned::Refused(refused))
            }
        }
    }

    /// Takes a ticket back: its slots are free, and its tokens are what was used.
    pub async fn leave(&self, mut ticket: Ticket, tokens_used: u64) {
        ticket.renewed = None;
        if ticket.is_local {
            let Ok(()) = leave_at(&self.local, &ticket, tokens_used).await;
        } else if let Some(shared) = &self.shared {
            if shared.is_away() {
                // Its slots expire there, and its estimate runs off.
                return;
            }
            if let Err(error) = leave_at(&shared.redis, &ticket, tokens_used).await {
                shared.lost(&error);
            }
        }
    }

    /// Renews slots and finds a lost Redis again, until the process stops.
    pub async fn keep(&self, stopping: CancellationToken) {
        let stopped = stopping.cancelled();
        tokio::select! {
            () = stopped => {}
            () = self.renew() => {}
            () = self.find() => {}
        }
    }

    async fn renew(&self) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            for (counter, holders) in self.held.all() {
                let Ok(()) = self.local.renew(&counter, &holders).await;
            }
            let Some(shared) = self.shared.as_ref().filter(|shared| !shared.is_away()) else {
                continue;
            };
            for (counter, holders) in shared.held.all() {
                if let Err(error) = shared.redis.renew(&counter, &holders).await {
                    shared.lost(&error);
                    break;
                }
            }
        }
    }

    async fn find(&self) {
        let Some(shared) = &self.shared else {
            return std::future::pending().await;
        };
        shared.begin().await;
        loop {
            tokio::time::sleep(TRY_EVERY).await;
            shared.try_again().await;
        }
    }
}

async fn enter_at<L: Limiter>(
    limiter: &L,
    demand: &Demand,
    holder: &str,
) -> Result<Result<Ticket, Refused>, L::Error> {
    let slots: Vec<Counter> = demand
        .slots
        .iter()
        .map(|slot| slot.counter.clone())
        .collect();
    if !slots.is_empty()
        && let Taken::Full(index) = limiter.take(&demand.slots, holder).await?
    {
        return Ok(Err(full(demand, index)));
    }
    if demand.charges.is_empty() {
        return Ok(Ok(ticket(demand, slots, holder, Standings::default())));
    }
    let charged = limiter.charge(&demand.charges).await?;
    let standings = standings(&demand.charges, &charged);
    if charged.admitted {
        return Ok(Ok(ticket(demand, slots, holder, standings)));
    }
    if !slots.is_empty() {
        limiter.release(&slots, holder).await?;
    }
    Ok(Err(refused(&demand.charges, &charged, standings)))
}

async fn leave_at<L: Limiter>(limiter: &L, ticket: &Ticket, used: u64) -> Result<(), L::Error> {
    let tokens = ticket.charges.iter();
    let tokens = tokens.filter(|charge| charge.counter.kind == Kind::Tokens && charge.cost != used);
    let corrections: Vec<Correction> = tokens
        .map(|charge| Correction {
            counter: charge.counter.clone(),
            rate: charge.rate,
            charged: charge.cost,
            used,
        })
        .collect();
    if !corrections.is_empty() {
        limiter.correct(&corrections).await?;
    }
    if !ticket.slots.is_empty() {
        limiter.release(&ticket.slots, &ticket.holder).await?;
    }
    Ok(())
}

fn ticket(demand: &Demand, slots: Vec<Counter>, holder: &str, standings: Standings) -> Ticket {
    Ticket {
        standings,
        charges: demand.charges.clone(),
        slots,
        holder: holder.to_owned(),
        renewed: None,
        is_local: false,
    }
}

fn standings(charges: &[Charge], charged: &Charged) -> Standings {
    let counted = charges.iter().zip(&charged.arrivals);
    let all = counted.map(|(charge, arrival)| {
        let standing = charge.rate.standing(*arrival, charged.now);
        (charge.counter.scope, charge.counter.kind, standing)
    });
    Standings {
        all: all.collect(),
        is_degraded: false,
    }
}

/// Which limit is waited for longest: after that, all pass.
fn refused(charges: &[Charge], charged: &Charged, standings: Standings) -> Refused {
    let counted = charges.iter().zip(&charged.arrivals);
    let waits = counted.filter_map(|(charge, arrival)| {
        let wait = charge.rate.admit(Some(*arrival), charge.cost, charged.now);
        Some((wait.err()?, charge))
    });
    let longest = waits.max_by_key(|(wait, _)| *wait);
    let (wait, charge) = longest.unwrap_or((0, &charges[0]));
    Refused {
        scope: charge.counter.scope,
        kind: charge.counter.kind,
        limit: charge.rate.limit(),
        retry_after: Some(Duration::from_micros(wait)),
        standings,
    }
}

fn full(demand: &Demand, index: usize) -> Refused {
    let slot = &demand.slots[index.min(demand.slots.len() - 1)];
    Refused {
        scope: slot.counter.scope,
        kind: slot.counter.kind,
        limit: slot.limit,
        retry_after: None,
        standings: Standings::default(),
    }
}
