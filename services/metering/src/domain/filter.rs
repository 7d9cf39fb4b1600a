//! Which records are wanted.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// Which records are wanted: those that fit all that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Dispatched at this time or later.
    pub(crate) start: Option<Timestamp>,
    /// Dispatched before this time.
    pub(crate) end: Option<Timestamp>,
    pub(crate) model: Option<String>,
    pub(crate) provider: Option<String>,
    /// The number of the source in the contract.
    pub(crate) key_source: Option<i32>,
    pub(crate) provider_key_id: Option<String>,
    /// The user, by the id that was chosen.
    pub(crate) user: Option<String>,
    /// The project, by the id that was chosen.
    pub(crate) project: Option<String>,
    pub(crate) tag: Option<TagFilter>,
}

/// A tag that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagFilter {
    pub(crate) name: String,
    /// Its value; any where absent.
    pub(crate) value: Option<String>,
}

impl TagFilter {
    /// From `name=value` or `name`; names have no `=`.
    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, value)) => Self {
                name: name.to_owned(),
                value: Some(value.to_owned()),
            },
            None => Self {
                name: text.to_owned(),
                value: None,
            },
        }
    }
}

impl TagFilter {
    /// Whether it is among these.
    pub(crate) fn is_in(&self, tags: &BTreeMap<String, String>) -> bool {
        let found = tags.get(&self.name);
        found.is_some_and(|value| self.value.as_ref().is_none_or(|wanted| wanted == value))
    }
}

impl fmt::Display for TagFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(formatter, "{}={value}", self.name),
            None => formatter.write_str(&self.name),
        }
    }
}

/// An hour, counted from 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hour(i64);

impl Hour {
    pub(crate) const fn new(hours: i64) -> Self {
        Self(hours)
    }

    pub(crate) const fn get(self) -> i64 {
        self.0
    }

    /// The hour that a time is in.
    pub(crate) fn of(time: Timestamp) -> Self {
        Self(time.as_millisecond().div_euclid(HOUR_MS))
    }

    /// The first hour that begins at that time or later.
    pub(crate) fn at_or_after(time: Timestamp) -> Self {
        let before = Self::of(time);
        if before.start() == time {
            before
        } else {
            Self(before.0 + 1)
        }
    }

    /// The first hour of its day.
    pub(crate) fn day(self) -> Self {
        Self(self.0.div_euclid(24) * 24)
    }

    /// When it begins.
    pub(crate) fn start(self) -> Timestamp {
        keyward_runtime::time::from_millis(self.0.saturating_mul(HOUR_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_time_is_in_one_hour_and_one_day_of_utc() {
        for (text, hour, next, day) in [
            (
                "2026-11-21T16:00:00Z",
                "2026-11-21T16:00:00Z",
                "2026-11-21T16:00:00Z",
                "2026-11-21T00:00:00Z",
            ),
            (
                "2026-11-21T23:59:59.999999999Z",
                "2026-11-21T23:00:00Z",
                "2026-11-22T00:00:00Z",
                "2026-11-21T00:00:00Z",
            ),
            (
                "1969-12-31T22:30:00Z",
                "1969-12-31T22:00:00Z",
                "1969-12-31T23:00:00Z",
                "1969-12-31T00:00:00Z",
            ),
        ] {
            let found = Hour::of(time(text));
            assert_eq!(found.start(), time(hour), "{text}");
            assert_eq!(Hour::at_or_after(time(text)).start(), time(next), "{text}");
            assert_eq!(found.day().start(), time(day), "{text}");
        }
    }

    #[test]
    fn a_tag_is_wanted_with_its_value_or_with_any() {
        let tag = |name: &str, value: Option<&str>| TagFilter {
            name: name.to_owned(),
            value: value.map(ToOwned::to_owned),
        };
        assert_eq!(TagFilter::parse("team=a=b"), tag("team", Some("a=b")));
        assert_eq!(TagFilter::parse("team="), tag("team", Some("")));
        assert_eq!(TagFilter::parse("team"), tag("team", None));
    }
}
