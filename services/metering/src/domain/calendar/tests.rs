//! Periods in zones whose clocks are set forward and back, against worked times and by property.

use proptest::prelude::*;

use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn calendar(every: Every, zone: &str) -> Calendar {
    Calendar::new(every, zone).expect("a zone")
}

/// A time in a zone is in the period from `start` to `end`.
fn check(every: Every, zone: &str, at: &str, (start, end): (&str, &str)) {
    let found = calendar(every, zone).period(time(at));
    let expect = PeriodSpan {
        start: time(start),
        end: time(end),
    };
    assert_eq!(found, expect, "{every:?} in {zone} at {at}");
}

#[test]
fn a_month_ends_at_midnight_of_its_own_zone() {
    let july = ("2026-07-01T00:00+09:00", "2026-08-01T00:00+09:00");
    let august = ("2026-08-01T00:00+09:00", "2026-09-01T00:00+09:00");
    let check = |at, expect| check(Every::Month, "Asia/Tokyo", at, expect);
    check("2026-07-31T23:59:59+09:00", july);
    check("2026-07-31T23:59:59.999999999+09:00", july);
    check("2026-08-01T00:00:00+09:00", august);
    // Still July in UTC.
    check("2026-07-31T15:00:00Z", august);
    check("2026-07-31T14:59:59Z", july);
}

#[test]
fn days_have_the_hours_that_they_have_where_they_are() {
    for (zone, at, start, end, hours) in [
        (
            "America/New_York",
            "2026-03-08T12:00Z",
            "2026-03-08T00:00-05:00",
            "2026-03-09T00:00-04:00",
            23,
        ),
        (
            "America/New_York",
            "2026-11-01T12:00Z",
            "2026-11-01T00:00-04:00",
            "2026-11-02T00:00-05:00",
            25,
        ),
        (
            "America/New_York",
            "2026-11-02T04:59:59Z",
            "2026-11-01T00:00-04:00",
            "2026-11-02T00:00-05:00",
            25,
        ),
        (
            "America/New_York",
            "2026-07-04T12:00Z",
            "2026-07-04T00:00-04:00",
            "2026-07-05T00:00-04:00",
            24,
        ),
        (
            "UTC",
            "2026-11-01T23:59:59Z",
            "2026-11-01T00:00Z",
            "2026-11-02T00:00Z",
            24,
        ),
        // Midnight itself is left out: the day begins at one.
        (
            "Africa/Cairo",
            "2026-04-24T12:00Z",
            "2026-04-24T01:00+03:00",
            "2026-04-25T00:00+03:00",
            23,
        ),
        (
            "Africa/Cairo",
            "2026-04-23T21:59:59Z",
            "2026-04-23T00:00+02:00",
            "2026-04-24T00:00+02:00",
            24,
        ),
        // Midnight comes twice: the day begins at the first.
        (
            "America/Havana",
            "2025-11-02T04:30Z",
            "2025-11-02T00:00-04:00",
            "2025-11-03T00:00-05:00",
            25,
        ),
        (
            "America/Havana",
            "2025-11-02T05:30Z",
            "2025-11-02T00:00-04:00",
            "2025-11-03T00:00-05:00",
            25,
        ),
        // A day that never was: the one before ends where the one after begins.
        (
            "Pacific/Apia",
            "2011-12-30T00:00Z",
            "2011-12-29T00:00-10:00",
            "2011-12-31T00:00+14:00",
            24,
        ),
        // At a minute past midnight back into the day before: that minute has begun the next one.
        (
            "America/St_Johns",
            "2010-11-07T02:30Z",
            "2010-11-07T00:00-02:30",
            "2010-11-08T00:00-03:30",
            25,
        ),
    ] {
        check(Every::Day, zone, at, (start, end));
        let length = time(end).duration_since(time(start));
        assert_eq!(length.as_hours(), hours, "{zone} at {at}");
    }
}

#[test]
fn weeks_begin_on_monday() {
    let berlin = |at, start, end| check(Every::Week, "Europe/Berlin", at, (start, end));
    let week = ("2026-11-16T00:00+01:00", "2026-11-23T00:00+01:00");
    berlin("2026-11-22T23:59:59+01:00", week.0, week.1);
    berlin("2026-11-16T00:00:00+01:00", week.0, week.1);
    berlin(
        "2026-11-15T23:59:59+01:00",
        "2026-11-09T00:00+01:00",
        week.0,
    );
    // An hour less, since the clock is set forward on the Sunday.
    berlin(
        "2026-03-25T12:00Z",
        "2026-03-23T00:00+01:00",
        "2026-03-30T00:00+02:00",
    );
    // From one year into the next.
    berlin(
        "2027-01-01T12:00Z",
        "2026-12-28T00:00+01:00",
        "2027-01-04T00:00+01:00",
    );
}

#[test]
fn months_have_their_days() {
    let utc = |at, start, end| check(Every::Month, "UTC", at, (start, end));
    utc(
        "2028-02-29T23:59:59Z",
        "2028-02-01T00:00Z",
        "2028-03-01T00:00Z",
    );
    utc(
        "2026-12-31T12:00Z",
        "2026-12-01T00:00Z",
        "2027-01-01T00:00Z",
    );
}

#[test]
fn hours_begin_where_the_clock_shows_a_full_one() {
    for (zone, at, start, end) in [
        (
            "Asia/Kolkata",
            "2026-11-21T12:29:59Z",
            "2026-11-21T17:00+05:30",
            "2026-11-21T18:00+05:30",
        ),
        (
            "Asia/Kolkata",
            "2026-11-21T12:30:00Z",
            "2026-11-21T18:00+05:30",
            "2026-11-21T19:00+05:30",
        ),
        (
            "Asia/Kathmandu",
            "2026-11-21T12:20Z",
            "2026-11-21T18:00+05:45",
            "2026-11-21T19:00+05:45",
        ),
        // The hour that is shown twice is two.
        (
            "America/New_York",
            "2026-11-01T05:30Z",
            "2026-11-01T05:00Z",
            "2026-11-01T06:00Z",
        ),
        (
            "America/New_York",
            "2026-11-01T06:30Z",
            "2026-11-01T06:00Z",
            "2026-11-01T07:00Z",
        ),
        // The hour that is left out is none.
        (
            "America/New_York",
            "2026-03-08T06:59Z",
            "2026-03-08T06:00Z",
            "2026-03-08T07:00Z",
        ),
        (
            "America/New_York",
            "2026-03-08T07:00Z",
            "2026-03-08T07:00Z",
            "2026-03-08T08:00Z",
        ),
        // Set forward by half an hour at two: that hour begins in the gap, and is half as long.
        (
            "Australia/Lord_Howe",
            "2026-10-03T15:29Z",
            "2026-10-03T14:30Z",
            "2026-10-03T15:30Z",
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-03T15:40Z",
            "2026-10-03T15:30Z",
            "2026-10-03T16:00Z",
        ),
        // And back at two, to half past one.
        (
            "Australia/Lord_Howe",
            "2026-04-04T14:59Z",
            "2026-04-04T14:00Z",
            "2026-04-04T15:00Z",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-04T15:00Z",
            "2026-04-04T15:00Z",
            "2026-04-04T15:30Z",
        ),
    ] {
        check(Every::Hour, zone, at, (start, end));
    }
}

#[test]
fn a_zone_that_does_not_exist_is_refused_by_its_name() {
    for zone in [
        "Europe/Atlantis",
        "",
        "+02:00",
        "Etc/Unknown",
        "../etc/passwd",
    ] {
        let refused = Calendar::new(Every::Day, zone).expect_err(zone);
        assert!(
            refused.to_string().contains(&format!("{zone:?}")),
            "{refused}"
        );
    }
    assert_eq!(calendar(Every::Day, "asia/tokyo").zone_name(), "Asia/Tokyo");
}

proptest! {
    /// Each time is in its period, and periods follow each other without gaps.
    #[test]
    fn periods_cover_all_time_once(
        second in 0_i64..4_102_444_800,
        every in prop::sample::select(Every::ALL.to_vec()),
        zone in prop::sample::select(vec![
            "UTC", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo",
            "America/Havana", "Pacific/Apia", "America/St_Johns", "Asia/Kolkata", "Africa/Casablanca",
            "Antarctica/Troll", "America/Sao_Paulo",
        ]),
    ) {
        let calendar = calendar(every, zone);
        let at = Timestamp::from_second(second).expect("in range");
        let period = calendar.period(at);
        prop_assert!(period.start <= at && at < period.end, "{period:?}");
        prop_assert_eq!(calendar.period(period.start), period);
        let last = period.end - 1.nanosecond();
        prop_assert_eq!(calendar.period(last), period);
        prop_assert_eq!(calendar.period(period.end).start, period.end);
    }
}
