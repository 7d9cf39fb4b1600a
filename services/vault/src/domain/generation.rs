//! When an owner's data key is replaced by one of the next generation.

use jiff::{SignedDuration, Timestamp};

/// The most records that one data key seals: 2^32 less ten per cent. NIST SP 800-38D, section 8.3,
/// bounds what one AES-GCM key may encrypt under random nonces to 2^32. Each record has a key of its
/// own here, derived with a random salt, so this stays far on the safe side.
pub const SEALS_MAX: u64 = 3_865_470_566;

/// The age at which a data key is replaced, however little it sealed.
pub const AGE_MAX: SignedDuration = SignedDuration::from_hours(365 * 24);

/// An owner's newest data key, as far as its replacement goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// Which of the owner's.
    pub number: u32,
    /// When it was made.
    pub create_time: Timestamp,
    /// How many records it has sealed, or was about to seal.
    pub seals: u64,
}

impl Generation {
    /// Whether the next record is to be sealed by a new one; `limit` is the most that one may seal.
    pub fn is_due(&self, now: Timestamp, limit: u64) -> bool {
        self.is_used_up(limit) || aged_before(now).is_some_and(|time| self.create_time <= time)
    }

    /// Whether it may seal no more.
    pub const fn is_used_up(&self, limit: u64) -> bool {
        self.seals >= limit
    }
}

/// What was made before that is due at `now`.
pub fn aged_before(now: Timestamp) -> Option<Timestamp> {
    now.checked_sub(AGE_MAX).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_ten_per_cent_below_what_the_standard_allows() {
        assert_eq!(
            SEALS_MAX,
            (1_u64 << 32) / 10 * 9 + ((1_u64 << 32) % 10) * 9 / 10
        );
    }

    #[test]
    fn a_data_key_is_due_at_its_limit_or_after_a_year() {
        let time = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        for (seals, hours, due) in [
            (0, 0, false),
            (9, 364 * 24, false),
            (10, 0, true),
            (11, 0, true),
            (0, 365 * 24, true),
        ] {
            let generation = Generation {
                number: 1,
                create_time: time(0),
                seals,
            };
            assert_eq!(
                generation.is_due(time(hours), 10),
                due,
                "{seals}, {hours} h"
            );
        }
    }
}
