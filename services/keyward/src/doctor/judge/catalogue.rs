//! The catalogue of models and prices: how old it is.

use jiff::civil::Date;
use jiff::{Unit, tz};

use crate::doctor::report::Check;

/// Providers change prices and retire models every few weeks.
const AGE_DAYS_MAX: i32 = 60;

/// What the catalogue says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Its version.
    pub(crate) version: String,
    /// The date that its prices are of, as it is written there.
    pub(crate) as_of: String,
    /// Today.
    pub(crate) today: Date,
}

const NAME: &str = "catalogue";

pub(crate) fn judge(facts: &Facts) -> Check {
    let Facts { version, as_of, .. } = facts;
    let Ok(date) = as_of.parse::<Date>() else {
        let message = format!("version {version} has no date that can be read: `{as_of}`");
        return Check::warn(NAME, message, "take a later version of Keyward");
    };
    let age = facts
        .today
        .since((Unit::Day, date))
        .map_or(0, |age| age.get_days());
    let message = format!("version {version}, prices of {as_of}, {age} days old");
    match age > AGE_DAYS_MAX {
        true => Check::warn(NAME, message, "take a later version of Keyward"),
        false => Check::ok(NAME, message),
    }
}

/// The date of a moment, in UTC.
pub(crate) fn date(now: jiff::Timestamp) -> Date {
    now.to_zoned(tz::TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn prices_of_two_months_ago_are_old() {
        for (as_of, today, expect) in [
            ("2026-11-21", date(2026, 11, 21), Status::Ok),
            ("2026-11-21", date(2027, 1, 20), Status::Ok),
            ("2026-11-21", date(2027, 1, 21), Status::Warn),
            ("2026-11-21", date(2026, 11, 20), Status::Ok),
            ("last week", date(2026, 11, 21), Status::Warn),
        ] {
            let (version, as_of) = ("7".to_owned(), as_of.to_owned());
            let facts = Facts {
                version,
                as_of,
                today,
            };
            assert_eq!(judge(&facts).status, expect, "{facts:?}");
        }
    }
}
