//! How much an account holds of late: what decides whether a lease is worth its calls, and how large
//! it is to be.

use keyward_money::Nanos;

/// After so long, what was counted counts half.
const HALF_LIFE_MS: u64 = 5_000;

/// So many holds within some seconds make a lease worth it: it costs metering about as much.
const HOLDS_MIN: i64 = 8;

/// A sum that halves every five seconds is what comes in seven: this many are the wanted thirty.
const SUMS_WANTED: i64 = 4;

/// With less than so many holds a lease is over before it has paid.
const HOLDS_LEAST: i64 = 4;

/// What was held of late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    amount: i64,
    holds: i64,
    /// Since when what is counted was not halved.
    since_ms: u64,
    last_ms: u64,
}

impl Demand {
    /// Something is to be held.
    pub fn note(&mut self, amount: Nanos, now_ms: u64) {
        self.fade(now_ms);
        self.amount = self.amount.saturating_add(amount.get().max(0));
        self.holds = self.holds.saturating_add(1);
        self.last_ms = now_ms;
    }

    fn fade(&mut self, now_ms: u64) {
        let times = now_ms.saturating_sub(self.since_ms) / HALF_LIFE_MS;
        let times = u32::try_from(times).unwrap_or(u32::MAX).min(63);
        if times > 0 {
            self.amount >>= times;
            self.holds >>= times;
            self.since_ms = now_ms;
        }
    }

    /// Whether a lease is worth its calls.
    pub const fn is_brisk(&self) -> bool {
        self.holds >= HOLDS_MIN
    }

    /// Whether nothing was held for so long.
    pub const fn is_idle(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.last_ms) >= HALF_LIFE_MS
    }

    /// What thirty seconds need.
    pub fn wanted(&self) -> Nanos {
        Nanos::new(self.amount.saturating_mul(SUMS_WANTED))
    }

    /// With less than this a lease is of no use.
    pub fn least(&self) -> Nanos {
        let mean = self.amount / self.holds.max(1);
        Nanos::new(mean.saturating_mul(HOLDS_LEAST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_worth_it_where_holds_come_one_after_the_other() {
        let mut demand = Demand::default();
        for _ in 0..HOLDS_MIN {
            assert!(!demand.is_brisk());
            demand.note(Nanos::new(10), 100);
        }
        assert!(demand.is_brisk() && !demand.is_idle(5_099) && demand.is_idle(5_100));
        assert_eq!((demand.wanted().get(), demand.least().get()), (320, 40));
        demand.note(Nanos::new(10), 5_100);
        assert!(!demand.is_brisk(), "what is long ago counts half");
        assert_eq!((demand.wanted().get(), demand.least().get()), (200, 40));
        demand.note(Nanos::new(i64::MAX), u64::MAX);
        assert_eq!(demand.wanted().get(), i64::MAX);
    }
}
