//! The generic cell rate algorithm: of each counter one time is kept, at which it would be empty
//! again. What is asked moves it on by what that takes at the counter's rate; it passes if the time
//! is then no further ahead than a minute.
//!
//! All of it is exact: a time is whole microseconds and a rest in parts of one, as many parts as the
//! limit has units, so that a unit always takes a whole number of parts. Redis' scripts calculate the
//! same with doubles, which are exact up to 2⁵³.

use std::num::NonZeroU64;

/// What limits are counted over.
pub const PERIOD_MICROS: u64 = 60_000_000;

/// No counter is further ahead, whatever was used beyond its limit and whatever a clock did.
pub const AHEAD_MICROS_MAX: u64 = 3_600_000_000;

/// So many units a minute, and as many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(NonZeroU64);

/// When a counter will be empty: microseconds of its clock, and a rest in parts of one microsecond,
/// of which there are as many as the rate has units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// Whole microseconds.
    pub micros: u64,
    /// The rest.
    pub parts: u64,
}

/// How long units take at a rate, in the same two figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Whole microseconds.
    pub micros: u64,
    /// The rest.
    pub parts: u64,
}

/// How a counter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Units a minute.
    pub limit: u64,
    /// Units that would pass now.
    pub remaining: u64,
    /// Until the counter is empty, in microseconds, rounded up.
    pub reset_micros: u64,
}

impl Rate {
    /// The largest limit: two rests must add up exactly in a double.
    pub const LIMIT_MAX: u64 = 1 << 52;

    /// `limit` units a minute; a larger one than can be counted is the largest, as nobody can tell.
    pub fn per_minute(limit: NonZeroU64) -> Self {
        NonZeroU64::new(Self::LIMIT_MAX).map_or(Self(limit), |max| Self(limit.min(max)))
    }

    /// Units a minute.
    pub fn limit(self) -> u64 {
        self.0.get()
    }

    /// The part of it that one of so many has; at least one unit.
    #[must_use]
    pub fn shared_by(self, processes: NonZeroU64) -> Self {
        let share = self.limit().div_ceil(processes.get());
        NonZeroU64::new(share).map_or(self, Self)
    }

    /// How long units take, at most as long as a counter can be ahead.
    pub fn span(self, units: u64) -> Span {
        let limit = u128::from(self.limit());
        let parts = u128::from(units) * u128::from(PERIOD_MICROS);
        match u64::try_from(parts / limit) {
            Ok(micros) if micros < AHEAD_MICROS_MAX => Span {
                micros,
                parts: u64::try_from(parts % limit).unwrap_or(0),
            },
            _ => Span {
                micros: AHEAD_MICROS_MAX,
                parts: 0,
            },
        }
    }

    /// A counter's time as it counts now: never in the past, never too far ahead. A rest that was
    /// kept under another limit is rounded up.
    pub fn standing_arrival(self, kept: Option<Arrival>, now: u64) -> Arrival {
        let Some(mut arrival) = kept else {
            return Arrival::at(now);
        };
        if arrival.parts >= self.limit() {
            arrival = Arrival::at(arrival.micros.saturating_add(1));
        }
        arrival.clamp(
            Arrival::at(now),
            Arrival::at(now.saturating_add(AHEAD_MICROS_MAX)),
        )
    }

    /// The counter's time after a cost, or how many microseconds until that would pass, rounded up.
    /// More than the limit never passes; the wait then means nothing.
    pub fn admit(self, kept: Option<Arrival>, cost: u64, now: u64) -> Result<Arrival, u64> {
        let next = self.later(self.standing_arrival(kept, now), self.span(cost));
        let bound = now.saturating_add(PERIOD_MICROS);
        match next <= Arrival::at(bound) {
            true => Ok(next),
            false => Err(next.micros_after(bound)),
        }
    }

    /// The counter's time once it is known that `used` was what `charged` was taken for.
    pub fn correct(self, kept: Option<Arrival>, charged: u64, used: u64, now: u64) -> Arrival {
        let arrival = self.standing_arrival(kept, now);
        let next = match used.checked_sub(charged) {
            Some(more) => self.later(arrival, self.span(more)),
            None => self.earlier(arrival, self.span(charged - used)),
        };
        self.standing_arrival(Some(next), now)
    }

    /// How a counter stands.
    pub fn standing(self, arrival: Arrival, now: u64) -> Standing {
        let limit = u128::from(self.limit());
        let ahead =
            u128::from(arrival.micros.saturating_sub(now)) * limit + u128::from(arrival.parts);
        let room = (u128::from(PERIOD_MICROS) * limit).saturating_sub(ahead);
        Standing {
            limit: self.limit(),
            remaining: u64::try_from(room / u128::from(PERIOD_MICROS)).unwrap_or(u64::MAX),
            reset_micros: arrival.micros_after(now),
        }
    }

    fn later(self, from: Arrival, by: Span) -> Arrival {
        let parts = from.parts + by.parts;
        let carry = u64::from(parts >= self.limit());
        Arrival {
            micros: from.micros.saturating_add(by.micros).saturating_add(carry),
            parts: parts - carry * self.limit(),
        }
    }

    fn earlier(self, from: Arrival, by: Span) -> Arrival {
        let borrow = u64::from(from.parts < by.parts);
        Arrival {
            micros: from.micros.saturating_sub(by.micros).saturating_sub(borrow),
            parts: from.parts + borrow * self.limit() - by.parts,
        }
    }
}

impl Arrival {
    const fn at(micros: u64) -> Self {
        Self { micros, parts: 0 }
    }

    /// Microseconds from a moment until then, rounded up.
    fn micros_after(self, moment: u64) -> u64 {
        let end = self.micros.saturating_add(u64::from(self.parts > 0));
        end.saturating_sub(moment)
    }
}

#[cfg(test)]
#[path = "gcra/tests.rs"]
mod tests;
