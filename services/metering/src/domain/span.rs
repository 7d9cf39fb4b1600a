//! A period of whole hours, cut so that its whole days can be read from sums by the day.

use super::filter::Hour;

/// Hours, then whole days, then hours again; each part may be empty. All in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first hour.
    pub(crate) start: Hour,
    /// The first hour of the first whole day.
    pub(crate) days_start: Hour,
    /// The hour after the last whole day.
    pub(crate) days_end: Hour,
    /// The hour after the last.
    pub(crate) end: Hour,
}

impl Span {
    /// Cuts the hours from `start` to before `end`.
    pub(crate) fn of_days(start: Hour, end: Hour) -> Self {
        let first = start.day();
        let next = Hour::new(first.get().saturating_add(24));
        let days_start = if first == start { first } else { next };
        let days_end = end.day();
        if days_start >= days_end {
            return Self::of_hours(start, end);
        }
        Self {
            start,
            days_start,
            days_end,
            end,
        }
    }

    /// The same without days, for who wants to see each hour.
    pub(crate) fn of_hours(start: Hour, end: Hour) -> Self {
        Self {
            start,
            days_start: end,
            days_end: end,
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(start: i64, end: i64, expect: [i64; 4]) {
        let span = Span::of_days(Hour::new(start), Hour::new(end));
        let found = [span.start, span.days_start, span.days_end, span.end].map(Hour::get);
        assert_eq!(found, expect, "{start} to {end}");
    }

    #[test]
    fn whole_days_are_cut_out_of_hours() {
        check(24, 72, [24, 24, 72, 72]);
        check(25, 72, [25, 48, 72, 72]);
        check(24, 71, [24, 24, 48, 71]);
        check(30, 100, [30, 48, 96, 100]);
        check(-30, 30, [-30, -24, 24, 30]);
        // No day is whole.
        check(24, 47, [24, 47, 47, 47]);
        check(25, 71, [25, 71, 71, 71]);
    }

    proptest! {
        #[test]
        fn each_hour_is_in_one_part_and_each_day_is_whole(
            start in -5_000..5_000_i64, hours in 1..500_i64,
        ) {
            let span = Span::of_days(Hour::new(start), Hour::new(start + hours));
            prop_assert!(span.start <= span.days_start && span.days_start <= span.days_end);
            prop_assert!(span.days_end <= span.end);
            let is_whole = span.days_start == span.days_end
                || (span.days_start.day() == span.days_start
                    && span.days_end.day() == span.days_end);
            prop_assert!(is_whole);
            // What is left on either side is less than a day, unless there is no whole one.
            if span.days_start < span.days_end {
                prop_assert!(span.days_start.get() - start < 24);
                prop_assert!(span.end.get() - span.days_end.get() < 24);
            }
        }
    }
}
