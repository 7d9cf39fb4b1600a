//! Times of the day and days of the week, in a zone.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day.
    pub const ALL: Self = Self(0x7f);

    /// These days; all where there are none.
    pub fn of(days: impl IntoIterator<Item = Weekday>) -> Self {
        let bits = days.into_iter().map(bit).fold(0, |all, day| all | day);
        if bits == 0 { Self::ALL } else { Self(bits) }
    }

    /// Whether a day is among them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

/// A part of the day, on some days.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    /// From when on.
    pub from: Time,
    /// Until before when; where that is not after `from`, on the next day. The same as `from`: all
    /// day.
    pub to: Time,
    /// On which days it begins.
    pub days: Weekdays,
    /// Where.
    pub zone: TimeZone,
}

impl Hours {
    /// Whether it is within them.
    pub fn contains(&self, now: Timestamp) -> bool {
        let now = now.to_zoned(self.zone.clone());
        let (time, today) = (now.time(), now.weekday());
        let begun_today = self.days.contains(today);
        let begun_yesterday = self.days.contains(today.previous());
        if self.from == self.to {
            return begun_today;
        }
        if self.from < self.to {
            return begun_today && self.from <= time && time < self.to;
        }
        (begun_today && time >= self.from) || (begun_yesterday && time < self.to)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = Hours {
            from: time(22, 0, 0, 0),
            to: time(6, 0, 0, 0),
            days: Weekdays::of([Weekday::Friday]),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
        };
        // 2026-11-20 is a Friday; Berlin is an hour ahead of UTC.
        for (now, within) in [
            ("2026-11-20T20:59:59Z", false),
            ("2026-11-20T21:00:00Z", true),
            ("2026-11-21T04:59:59Z", true),
            ("2026-11-21T05:00:00Z", false),
            ("2026-11-21T21:00:00Z", false),
        ] {
            assert_eq!(night.contains(now.parse().unwrap()), within, "{now}");
        }
    }

    #[test]
    fn a_day_follows_the_clock_through_the_change_of_summer_time() {
        let office = Hours {
            from: time(9, 0, 0, 0),
            to: time(17, 0, 0, 0),
            days: Weekdays::ALL,
            zone: TimeZone::get("America/New_York").unwrap(),
        };
        for (now, within) in [
            ("2026-10-31T13:00:00Z", true),
            ("2026-10-31T21:00:00Z", false),
            ("2026-11-01T13:30:00Z", false),
            ("2026-11-01T14:00:00Z", true),
        ] {
            assert_eq!(office.contains(now.parse().unwrap()), within, "{now}");
        }
    }

    #[test]
    fn the_same_time_twice_is_all_day() {
        let day = Hours {
            from: Time::midnight(),
            to: Time::midnight(),
            days: Weekdays::of([Weekday::Sunday]),
            zone: TimeZone::UTC,
        };
        assert!(day.contains("2026-11-22T12:00:00Z".parse().unwrap()));
        assert!(!day.contains("2026-11-23T00:00:00Z".parse().unwrap()));
    }
}
