//! The catalogue of models and prices: whether it can be used, and how old it is.

use jiff::civil::Date;
use jiff::{Unit, tz};

use crate::doctor::report::Check;

/// Providers change prices and retire models every few weeks.
const AGE_DAYS_MAX: i32 = 60;

/// What the catalogue says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Its version and the date that its prices are of, as it is written there; or why it cannot be
    /// used.
    pub(crate) found: Result<(u64, String), String>,
    /// Today.
    pub(crate) today: Date,
}

const NAME: &str = "catalogue";

/// What to do about old prices.
const REFRESH: &str = "run `keyward catalog refresh`, or take a later version of Keyward";

pub(crate) fn judge(facts: &Facts) -> Check {
    let (version, as_of) = match &facts.found {
        Ok(found) => found,
        Err(problem) => return unusable(problem),
    };
    let Ok(date) = as_of.parse::<Date>() else {
        let message = format!("version {version} has no date that can be read: `{as_of}`");
        return Check::warn(NAME, message, REFRESH);
    };
    let age = facts
        .today
        .since((Unit::Day, date))
        .map_or(0, |age| age.get_days());
    let message = format!("version {version}, prices of {as_of}, {age} days old");
    match age > AGE_DAYS_MAX {
        true => Check::warn(NAME, message, REFRESH),
        false => Check::ok(NAME, message),
    }
}

/// A gateway that runs keeps what it had, and would not start again.
fn unusable(problem: &str) -> Check {
    Check::fail(
        NAME,
        format!("it cannot be used: {problem}"),
        "mend that file; without `active.json` the program's own version is in force",
    )
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
            let found = Ok((7, as_of.to_owned()));
            let facts = Facts { found, today };
            assert_eq!(judge(&facts).status, expect, "{facts:?}");
        }
    }

    #[test]
    fn one_that_cannot_be_used_is_a_fault() {
        let facts = Facts {
            found: Err("data/catalog/overlay.json: not of the expected form".to_owned()),
            today: date(2026, 11, 21),
        };
        let check = judge(&facts);
        assert_eq!(check.status, Status::Fail);
        assert!(check.message.contains("overlay.json"), "{check:?}");
    }
}
