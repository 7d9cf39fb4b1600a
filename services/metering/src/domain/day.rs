//! Days, by which stores put usage records and transfers together: those of the times in their ids.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;

/// How many days are made ready ahead: a process that cannot do so for a weekend still writes.
const AHEAD: i32 = 3;

/// A day in UTC, counted from 1970. The first one stands for ids without a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(i32);

impl Day {
    /// That of ids without a time.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn new(days: i32) -> Self {
        Self(days)
    }

    pub(crate) const fn get(self) -> i32 {
        self.0
    }

    /// That of the time in an id: a UUIDv7 begins with 48 bits of milliseconds.
    pub(crate) fn of_id(id: Uuid) -> Self {
        let millis = i64::try_from(id.as_u128() >> 80).unwrap_or_default();
        match id.get_version_num() {
            7 => Self::of_millis(millis),
            _ => Self::NONE,
        }
    }

    /// That of a time, in milliseconds since 1970.
    pub(crate) fn of_millis(millis: i64) -> Self {
        let days = millis.div_euclid(DAY_MS);
        let bound = if days < 0 { i32::MIN } else { i32::MAX };
        Self(i32::try_from(days).unwrap_or(bound))
    }

    /// When it begins, in milliseconds since 1970.
    pub(crate) fn start_ms(self) -> i64 {
        i64::from(self.0) * DAY_MS
    }

    /// So many days later.
    pub(crate) const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

/// The lowest UUIDv7 of a time: all that were made before are lower.
pub(crate) fn first_id(time: Timestamp) -> Uuid {
    let millis = u128::try_from(time.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}

/// How long records and transfers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    days: i32,
}

/// Which days a store has to make room for, and which to let go of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Upkeep {
    pub(crate) make: BTreeSet<Day>,
    pub(crate) drop: BTreeSet<Day>,
}

impl Retention {
    /// The default: a year, and time to look at it.
    pub(crate) const DAYS: u32 = 400;

    pub(crate) fn new(days: u32) -> Self {
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        Self { days }
    }

    /// Whether what is of that day is kept; what has no time always is.
    pub(crate) fn keeps(self, day: Day, today: Day) -> bool {
        day == Day::NONE || day >= today.plus(-self.days)
    }

    /// What is to be done today, given the days that there are.
    pub(crate) fn upkeep(self, today: Day, there: &BTreeSet<Day>) -> Upkeep {
        let wanted = (0..=AHEAD).map(|ahead| today.plus(ahead));
        let old = there.iter().filter(|day| !self.keeps(**day, today));
        Upkeep {
            make: wanted.filter(|day| !there.contains(day)).collect(),
            drop: old.copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> Uuid {
        text.parse().expect("an id")
    }

    #[test]
    fn an_id_is_of_the_day_of_its_time_and_of_none_without_one() {
        for (text, day) in [
            // 2023-06-30T17:18:47.062Z
            ("01890a5d-ac96-774b-bcce-b302099a8057", 19_538),
            // One of version 4, with the same beginning.
            ("01890a5d-ac96-474b-bcce-b302099a8057", 0),
            ("00000000-0000-0000-0000-000000000001", 0),
            ("ffffffff-ffff-7fff-bfff-ffffffffffff", 3_257_812),
        ] {
            assert_eq!(Day::of_id(id(text)).get(), day, "{text}");
        }
    }

    #[test]
    fn today_and_three_days_ahead_are_made_and_the_oldest_dropped() {
        let days = |days: &[i32]| days.iter().copied().map(Day::new).collect::<BTreeSet<_>>();
        for (there, make, drop) in [
            (&[][..], &[1_000, 1_001, 1_002, 1_003][..], &[][..]),
            (&[0, 1_000, 1_003], &[1_001, 1_002], &[]),
            (
                &[0, 598, 599, 600, 1_000, 1_001, 1_002, 1_003],
                &[],
                &[598, 599],
            ),
        ] {
            let upkeep = Retention::new(400).upkeep(Day::new(1_000), &days(there));
            assert_eq!((upkeep.make, upkeep.drop), (days(make), days(drop)));
        }
    }

    proptest! {
        #[test]
        fn what_was_kept_up_needs_nothing_more_and_keeps_all_that_is_young(
            today in 1..40_000_i32, kept in 0..2_000_u32,
            there in prop::collection::btree_set((0..40_000_i32).prop_map(Day::new), 0..50),
        ) {
            let (retention, today) = (Retention::new(kept), Day::new(today));
            let upkeep = retention.upkeep(today, &there);
            let mut after = there.clone();
            after.extend(&upkeep.make);
            after.retain(|day| !upkeep.drop.contains(day));
            prop_assert_eq!(retention.upkeep(today, &after), Upkeep::default());
            for day in there {
                prop_assert_eq!(after.contains(&day), retention.keeps(day, today));
            }
        }
    }
}
