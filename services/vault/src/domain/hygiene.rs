//! How provider keys are kept: which are due for another secret, run out, lie unused or are refused.
//! The periods are here and nowhere else; stores count by [`Bounds`].

use jiff::{SignedDuration, Timestamp};

use super::provider_key::{ProviderKey, Status};

/// How old a secret may get before it is due for another: what auditors commonly ask for.
pub const ROTATION_AGE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long before its expiry a key is said to expire: time enough to get another.
pub const EXPIRY_NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long a key may lie before it is said to be unused: longer than a month's billing.
pub const UNUSED_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is to be said of a key at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hygiene {
    /// Whole days since its secret was stored.
    pub age_days: u32,
    /// Whether its secret is due for another, switched on or not: its provider takes it either way.
    pub rotation_due: bool,
    /// When it is or was.
    pub rotation_due_time: Timestamp,
    /// Whether it expires soon, and has not yet.
    pub expiring: bool,
    /// Since when it was not used, where it may serve and that is long ago.
    pub unused_since: Option<Timestamp>,
    /// Since when it is refused, where that is how it stands.
    pub failing_since: Option<Timestamp>,
}

/// The times that divide keys, seen from the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The present.
    pub now: Timestamp,
    /// A secret stored by then is due for another.
    pub stored_by: Timestamp,
    /// A key not used since then is unused.
    pub used_by: Timestamp,
    /// A key that expires by then expires soon.
    pub expires_by: Timestamp,
}

/// How many keys there are of each kind. One key can be of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// All that are stored.
    pub stored: u64,
    /// Due for another secret.
    pub rotation_due: u64,
    /// About to expire.
    pub expiring: u64,
    /// Not used for long.
    pub unused: u64,
    /// Refused by their provider.
    pub failing: u64,
}

impl Bounds {
    /// As seen at `now`.
    pub fn at(now: Timestamp) -> Self {
        let before = |age| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        Self {
            now,
            stored_by: before(ROTATION_AGE),
            used_by: before(UNUSED_AGE),
            expires_by: now.checked_add(EXPIRY_NOTICE).unwrap_or(Timestamp::MAX),
        }
    }
}

impl Hygiene {
    /// Whether the owner of the key should be told. That a key lies unused harms nobody, so lists
    /// alone say it.
    pub fn is_concern(&self) -> bool {
        self.rotation_due || self.expiring || self.failing_since.is_some()
    }

    /// What is to be said of this key at `now`.
    pub fn of(key: &ProviderKey, now: Timestamp) -> Self {
        let bounds = Bounds::at(now);
        let status = key.status(now);
        let may_serve = !matches!(status, Status::Disabled | Status::Expired);
        let used = key.last_used_time.unwrap_or(key.create_time);
        let due = key.secret_time.checked_add(ROTATION_AGE);
        Self {
            age_days: whole_days(now.duration_since(key.secret_time)),
            rotation_due: key.secret_time <= bounds.stored_by,
            rotation_due_time: due.unwrap_or(Timestamp::MAX),
            expiring: key
                .expire_time
                .is_some_and(|expiry| now < expiry && expiry <= bounds.expires_by),
            unused_since: (may_serve && used <= bounds.used_by).then_some(used),
            failing_since: key.failing_since.filter(|_| status == Status::Error),
        }
    }
}

/// None where the time lies ahead.
fn whole_days(duration: SignedDuration) -> u32 {
    u32::try_from(duration.as_hours() / 24).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Hygiene;
    use crate::domain::provider_key::tests::sample;
    use crate::domain::provider_key::{Health, ProviderKey};

    const HOUR: i64 = 1;
    const DAY: i64 = 24;

    /// Hours after some time.
    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(hours)
    }

    fn key() -> ProviderKey {
        ProviderKey {
            create_time: at(0),
            secret_time: at(0),
            ..sample()
        }
    }

    /// `due`, `expiring`, `unused` and `failing`, as far as they hold.
    fn words(key: &ProviderKey, now: Timestamp) -> Vec<&'static str> {
        let hygiene = Hygiene::of(key, now);
        [
            (hygiene.rotation_due, "due"),
            (hygiene.expiring, "expiring"),
            (hygiene.unused_since.is_some(), "unused"),
            (hygiene.failing_since.is_some(), "failing"),
        ]
        .into_iter()
        .filter_map(|(holds, word)| holds.then_some(word))
        .collect()
    }

    #[test]
    fn each_concern_begins_and_ends_at_its_time() {
        let check = |key: ProviderKey, hours: i64, expect: &[&str]| {
            assert_eq!(words(&key, at(hours)), expect, "{key:?} after {hours} h");
        };
        let used = |hours| ProviderKey {
            last_used_time: Some(at(hours)),
            ..key()
        };
        check(key(), 0, &[]);
        check(key(), -DAY, &[]);
        check(key(), 30 * DAY - HOUR, &[]);
        check(key(), 30 * DAY, &["unused"]);
        check(used(DAY), 31 * DAY - HOUR, &[]);
        check(used(DAY), 31 * DAY, &["unused"]);
        check(used(89 * DAY), 90 * DAY - HOUR, &[]);
        check(used(89 * DAY), 90 * DAY, &["due"]);
        let rotated = ProviderKey {
            secret_time: at(60 * DAY),
            ..used(89 * DAY)
        };
        check(rotated.clone(), 100 * DAY, &[]);
        check(rotated, 150 * DAY, &["due", "unused"]);
        let ends = ProviderKey {
            expire_time: Some(at(20 * DAY)),
            ..key()
        };
        check(ends.clone(), 6 * DAY - HOUR, &[]);
        check(ends.clone(), 6 * DAY, &["expiring"]);
        check(ends.clone(), 20 * DAY - HOUR, &["expiring"]);
        check(ends, 40 * DAY, &[]);
        let refused = ProviderKey {
            health: Health::Rejected,
            failing_since: Some(at(1)),
            ..key()
        };
        check(refused.clone(), 2, &["failing"]);
        let off = ProviderKey {
            enabled: false,
            ..refused
        };
        check(off.clone(), 2, &[]);
        check(off, 90 * DAY, &["due"]);
    }

    #[test]
    fn ages_are_whole_days_and_due_times_are_told_ahead() {
        for (hours, days) in [(-DAY, 0), (0, 0), (DAY - 1, 0), (DAY, 1), (90 * DAY, 90)] {
            assert_eq!(Hygiene::of(&key(), at(hours)).age_days, days);
        }
        let due = Hygiene::of(&key(), at(0)).rotation_due_time;
        assert_eq!(due, at(90 * DAY));
    }

    #[test]
    fn a_failure_lasts_from_the_first_refusal_until_the_provider_accepts() {
        let mut key = key();
        for (hours, health, expect) in [
            (1, Health::Connected, None),
            (2, Health::Rejected, Some(2)),
            (3, Health::QuotaExhausted, Some(2)),
            (4, Health::Rejected, Some(2)),
            (5, Health::Connected, None),
            (6, Health::QuotaExhausted, Some(6)),
        ] {
            key.failing_since = key.failing_since_with(health, at(hours));
            key.health = health;
            assert_eq!(key.failing_since, expect.map(at), "at {hours} h");
        }
    }
}
