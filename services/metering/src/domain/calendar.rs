//! Calendar periods in a time zone: pure functions of a time, so that nothing has to run when one
//! ends.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, ToSpan as _};

/// How long a period is, by the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Every {
    Hour,
    Day,
    /// From Monday on.
    Week,
    Month,
}

impl Every {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Its name, for people and in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// By its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|every| every.name() == name)
    }
}

/// A text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {0:?}; it is named as by IANA, such as \"Europe/Berlin\"")]
pub(crate) struct NoTimeZone(String);

/// The periods of one length in one time zone, one after the other without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Calendar {
    every: Every,
    zone: TimeZone,
}

/// From a period's first instant to that of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeriodSpan {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

/// What the calendar of jiff has no times for; years before -9999 and after 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is beyond the calendar")]
struct Beyond;

impl From<jiff::Error> for Beyond {
    fn from(_: jiff::Error) -> Self {
        Self
    }
}

impl Calendar {
    /// In the zone of that IANA name.
    pub(crate) fn new(every: Every, zone: &str) -> Result<Self, NoTimeZone> {
        let unknown = || NoTimeZone(zone.to_owned());
        let zone = TimeZone::get(zone).map_err(|_| unknown())?;
        // Some names, such as that of an unknown zone, are none of a place.
        zone.iana_name().ok_or_else(unknown)?;
        Ok(Self { every, zone })
    }

    pub(crate) fn every(&self) -> Every {
        self.every
    }

    /// The zone's IANA name.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The period that a time lies in.
    pub(crate) fn period(&self, time: Timestamp) -> PeriodSpan {
        let period = match self.every {
            Every::Hour => self.hour(time),
            Every::Day => self.days(time, Ok, 1.day()),
            Every::Week => self.days(time, monday, 1.week()),
            Every::Month => self.days(time, |date| Ok(date.first_of_month()), 1.month()),
        };
        // No clock shows such a time.
        period.unwrap_or(PeriodSpan {
            start: Timestamp::MIN,
            end: Timestamp::MAX,
        })
    }

    /// Periods of whole days: from the first instant of one's first date to that of the next one's.
    fn days(
        &self,
        time: Timestamp,
        first: impl Fn(Date) -> Result<Date, Beyond>,
        length: Span,
    ) -> Result<PeriodSpan, Beyond> {
        let date = first(time.to_zoned(self.zone.clone()).date())?;
        let next = date.checked_add(length)?;
        let end = self.begin(next)?;
        if time < end {
            let start = self.begin(date)?;
            return Ok(PeriodSpan { start, end });
        }
        // The clock was set back over midnight, so that a date that had ended is shown again.
        Ok(PeriodSpan {
            start: end,
            end: self.begin(next.checked_add(length)?)?,
        })
    }

    /// The first instant of a date: midnight, or the end of the gap that swallows it.
    fn begin(&self, date: Date) -> Result<Timestamp, Beyond> {
        let midnight = date.to_datetime(jiff::civil::Time::midnight());
        let found = self.zone.to_ambiguous_timestamp(midnight);
        match found.offset() {
            AmbiguousOffset::Gap { after, .. } => self.jump_after(after.to_timestamp(midnight)?),
            _ => Ok(found.earlier()?),
        }
    }

    fn jump_after(&self, time: Timestamp) -> Result<Timestamp, Beyond> {
        let jump = self.zone.following(time).next().ok_or(Beyond)?;
        Ok(jump.timestamp())
    }

    /// Hours begin where the clock shows a full one, and where it is set to another time in between:
    /// an hour that is shown twice is two periods.
    fn hour(&self, time: Timestamp) -> Result<PeriodSpan, Beyond> {
        let offset = self.zone.to_offset(time);
        let full = full_hour(offset.to_datetime(time))?;
        let (start, end) = (
            offset.to_timestamp(full)?,
            offset.to_timestamp(full.checked_add(1.hour())?)?,
        );
        let differs = |time: Timestamp| self.zone.to_offset(time) != offset;
        let jumps_before = self.zone.preceding(time.checked_add(1.nanosecond())?);
        let start = match differs(start) {
            true => jumps_before
                .map(|jump| jump.timestamp())
                .next()
                .ok_or(Beyond)?,
            false => start,
        };
        let end = match differs(end.checked_sub(1.nanosecond())?) {
            true => self.jump_after(time)?,
            false => end,
        };
        Ok(PeriodSpan { start, end })
    }
}

fn monday(date: Date) -> Result<Date, Beyond> {
    let days = i64::from(date.weekday().to_monday_zero_offset());
    Ok(date.checked_sub(days.days())?)
}

fn full_hour(time: DateTime) -> Result<DateTime, Beyond> {
    let full = time.with().minute(0).second(0).subsec_nanosecond(0);
    Ok(full.build()?)
}

#[cfg(test)]
mod tests;
