//! Counts in this process: shards by account, each under a lock of its own for the moment of a look
//! and a change. Counters that are empty are forgotten, and there are never more than a bound.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::counter::Counter;
use crate::gcra::{Arrival, PERIOD_MICROS};
use crate::limiter::{Charge, Charged, Correction, Limiter, SlotAsk, Taken};
use crate::slots::SlotSet;

/// Locks: more than any machine here has cores, so that callers hardly meet.
const SHARDS: usize = 64;

/// Counters of a shard: a quarter of a million in all, some 60 MB. What is beyond is forgotten, that
/// first which would be empty first.
const COUNTERS_MAX: usize = 4_096;

/// How often a shard in use is swept.
const SWEEP_MICROS: u64 = PERIOD_MICROS;

/// The limiter.
#[derive(Debug)]
pub struct LocalLimiter {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    origin: Instant,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Shard {
    arrivals: HashMap<Counter, Arrival>,
    slots: HashMap<Counter, SlotSet>,
    swept: u64,
}

impl Default for LocalLimiter {
    fn default() -> Self {
        Self::with_clock(Clock::Own)
    }
}

impl LocalLimiter {
    pub(crate) fn with_clock(clock: Clock) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            origin: Instant::now(),
            clock,
        }
    }

    fn now(&self) -> u64 {
        let own = || u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.clock.set_micros().unwrap_or_else(own)
    }

    /// The shard of whom these counters belong to; `None` where there are none.
    fn shard<'a>(&self, mut counters: impl Iterator<Item = &'a Counter>) -> Option<&Mutex<Shard>> {
        let hash = self.hasher.hash_one(&counters.next()?.account);
        let index = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        self.shards.get(index)
    }

    /// How many counters there are.
    #[cfg(test)]
    pub(crate) fn counters(&self) -> usize {
        let shards = self.shards.iter().map(Mutex::lock);
        shards
            .map(|shard| shard.arrivals.len() + shard.slots.len())
            .sum()
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    type Error = Infallible;

    async fn charge(&self, charges: &[Charge]) -> Result<Charged, Infallible> {
        let now = self.now();
        let Some(shard) = self.shard(charges.iter().map(|charge| &charge.counter)) else {
            return Ok(Charged {
                admitted: true,
                now,
                arrivals: Vec::new(),
            });
        };
        Ok(shard.lock().charge(charges, now))
    }

    async fn correct(&self, corrections: &[Correction]) -> Result<(), Infallible> {
        let now = self.now();
        if let Some(shard) = self.shard(corrections.iter().map(|correction| &correction.counter)) {
            let mut shard = shard.lock();
            for correction in corrections {
                shard.correct(correction, now);
            }
        }
        Ok(())
    }

    async fn take(&self, slots: &[SlotAsk], holder: &str) -> Result<Taken, Infallible> {
        let now = self.now();
        let shard = self.shard(slots.iter().map(|slot| &slot.counter));
        Ok(shard.map_or(Taken::All, |shard| shard.lock().take(slots, holder, now)))
    }

    async fn renew(&self, counter: &Counter, holders: &[String]) -> Result<(), Infallible> {
        let now = self.now();
        if let Some(shard) = self.shard(std::iter::once(counter))
            && let Some(slots) = shard.lock().slots.get_mut(counter)
        {
            for holder in holders {
                slots.renew(holder, now);
            }
        }
        Ok(())
    }

    async fn release(&self, counters: &[Counter], holder: &str) -> Result<(), Infallible> {
        let now = self.now();
        if let Some(shard) = self.shard(counters.iter()) {
            let mut shard = shard.lock();
            for counter in counters {
                shard.release(counter, holder, now);
            }
        }
        Ok(())
    }
}

impl Shard {
    fn charge(&mut self, charges: &[Charge], now: u64) -> Charged {
        let kept = |charge: &Charge| self.arrivals.get(&charge.counter).copied();
        let after: Option<Vec<Arrival>> = charges
            .iter()
            .map(|charge| charge.rate.admit(kept(charge), charge.cost, now).ok())
            .collect();
        let Some(arrivals) = after else {
            let before = charges
                .iter()
                .map(|charge| charge.rate.standing_arrival(kept(charge), now));
            return Charged {
                admitted: false,
                now,
                arrivals: before.collect(),
            };
        };
        for (charge, arrival) in charges.iter().zip(&arrivals) {
            self.arrivals.insert(charge.counter.clone(), *arrival);
        }
        self.sweep_if_due(now);
        Charged {
            admitted: true,
            now,
            arrivals,
        }
    }

    fn correct(&mut self, correction: &Correction, now: u64) {
        let Correction {
            counter,
            rate,
            charged,
            used,
        } = correction;
        let kept = self.arrivals.get(counter).copied();
        let arrival = rate.correct(kept, *charged, *used, now);
        if arrival.micros > now {
            self.arrivals.insert(counter.clone(), arrival);
        } else {
            self.arrivals.remove(counter);
        }
    }

    fn take(&mut self, slots: &[SlotAsk], holder: &str, now: u64) -> Taken {
        for (index, slot) in slots.iter().enumerate() {
            let set = self.slots.get_mut(&slot.counter);
            if !set.map_or(slot.limit > 0, |set| set.has_room(slot.limit, now)) {
                return Taken::Full(index);
            }
        }
        for slot in slots {
            let set = self.slots.entry(slot.counter.clone()).or_default();
            set.take(holder, now);
        }
        Taken::All
    }

    fn release(&mut self, counter: &Counter, holder: &str, now: u64) {
        if let Some(set) = self.slots.get_mut(counter) {
            set.release(holder);
            if set.is_empty(now) {
                self.slots.remove(counter);
            }
        }
    }

    fn sweep_if_due(&mut self, now: u64) {
        let is_full = self.arrivals.len() > COUNTERS_MAX;
        if !is_full && now < self.swept.saturating_add(SWEEP_MICROS) {
            return;
        }
        self.swept = now;
        self.arrivals.retain(|_, arrival| arrival.micros > now);
        self.slots.retain(|_, set| !set.is_empty(now));
        if self.arrivals.len() > COUNTERS_MAX {
            self.forget_half();
        }
    }

    /// Forgets those that would be empty soonest: half of all, so that it is seldom to be done.
    fn forget_half(&mut self) {
        let mut arrivals: Vec<Arrival> = self.arrivals.values().copied().collect();
        let middle = arrivals.len() / 2;
        let (_, bound, _) = arrivals.select_nth_unstable(middle);
        let bound = *bound;
        self.arrivals.retain(|_, arrival| *arrival > bound);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{COUNTERS_MAX, LocalLimiter, SHARDS};
    use crate::clock::Clock;
    use crate::counter::{Counter, Kind, Scope};
    use crate::gcra::{PERIOD_MICROS, Rate};
    use crate::limiter::{Charge, Limiter as _};

    fn charge(account: usize, cost: u64) -> Charge {
        Charge {
            counter: Counter {
                account: account.to_string(),
                scope: Scope::User,
                id: account.to_string(),
                kind: Kind::Requests,
            },
            rate: Rate::per_minute(NonZeroU64::new(1_000_000).unwrap()),
            cost,
        }
    }

    #[tokio::test]
    async fn counters_are_bounded_and_empty_ones_forgotten() {
        let clock = Arc::new(AtomicU64::new(0));
        let limiter = LocalLimiter::with_clock(Clock::Set(Arc::clone(&clock)));
        for account in 0..2 * SHARDS * COUNTERS_MAX {
            let Ok(charged) = limiter.charge(&[charge(account, 1_000_000)]).await;
            assert!(charged.admitted);
        }
        let full = limiter.counters();
        assert!(full <= SHARDS * (COUNTERS_MAX + 1), "{full} counters");
        clock.store(2 * PERIOD_MICROS, Ordering::SeqCst);
        for account in 0..100 * SHARDS {
            let Ok(_) = limiter.charge(&[charge(account, 1)]).await;
        }
        assert!(limiter.counters() <= 100 * SHARDS, "swept");
    }
}
