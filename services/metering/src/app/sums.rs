//! What was used in a period, added up.

use jiff::Timestamp;
use keyward_money::BasisPoints;
use keyward_runtime::{page, time};

use super::App;
use super::access::Access;
use crate::MeteringError;
use crate::domain::filter::{Filter, Hour};
use crate::domain::requester::Requester;
use crate::domain::statement::Month;
use crate::domain::sums::{Dimension, Dimensions, GroupSum, Place, Sum};
use crate::store::{SumQuery, Sums};

/// The longest period, in hours: a leap year. Each hour of it is read.
const HOURS_MAX: i64 = 366 * 24;

/// The most sums of one query: more than anybody reads, and little enough to be kept in memory while
/// they are put in order.
const GROUPS_MAX: usize = 10_000;

/// The sums of a page where none are asked for, and the most.
const PAGE_SIZE_DEFAULT: u32 = 100;
const PAGE_SIZE_MAX: u32 = 1_000;

/// Sums that are asked for.
#[derive(Debug, Clone)]
pub(crate) struct SumRequest {
    pub(crate) account: String,
    pub(crate) filter: Filter,
    pub(crate) by: Dimensions,
    pub(crate) page_size: u32,
    pub(crate) page_token: String,
}

/// A page of sums.
#[derive(Debug, Clone)]
pub(crate) struct SumPage {
    pub(crate) sums: Vec<GroupSum>,
    pub(crate) total: Sum,
    pub(crate) next_page_token: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// The markup of the reader's tier now: what own keys saved is counted by it.
    pub(crate) markup: BasisPoints,
}

impl App {
    /// Sums what an account used.
    pub(crate) async fn usage_sums(
        &self,
        requester: &Requester,
        asked: SumRequest,
    ) -> Result<SumPage, MeteringError> {
        let access = self.access(requester, &asked.account).await?;
        let after = place(&asked.page_token)?;
        let size = page::size_within(asked.page_size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
        if asked.by.contains(&Dimension::Hour) && asked.by.contains(&Dimension::Day) {
            let message = "`group_by` takes hours or days, not both";
            return Err(MeteringError::invalid("group_by", message));
        }
        let (start, end) = period(&asked.filter, time::now())?;
        let sums = self
            .sums_of(&access, (start, end), asked.filter, asked.by)
            .await?;
        let total = sums.total;
        let (sums, next_page_token) = page_of(sums.groups, after.as_ref(), size);
        Ok(SumPage {
            sums,
            total,
            next_page_token,
            start: start.start(),
            end: end.start(),
            markup: self.current_tiers().markup(&requester.tier),
        })
    }

    /// Sums what is to be seen of an account in a period.
    pub(super) async fn sums_of(
        &self,
        access: &Access,
        (start, end): (Hour, Hour),
        filter: Filter,
        by: Dimensions,
    ) -> Result<Sums, MeteringError> {
        self.flush(access.key).await?;
        let query = SumQuery {
            account: access.key,
            user_uid: access.only_user,
            start,
            end,
            filter,
            by,
            groups_max: GROUPS_MAX,
        };
        self.store.usage_sums(query).await?.map_err(|_| {
            let message = format!(
                "there are more than {GROUPS_MAX} sums: name a shorter period, fewer dimensions or \
                 a filter"
            );
            MeteringError::invalid("group_by", message)
        })
    }
}

/// What of sums in order is on the page after that place, and where the next one starts.
pub(super) fn page_of(
    groups: Vec<GroupSum>,
    after: Option<&Place>,
    size: u32,
) -> (Vec<GroupSum>, String) {
    let rest = groups
        .into_iter()
        .filter(|sum| after.is_none_or(|after| sum.place() > *after));
    page::cut(rest.take(size as usize + 1).collect(), size, token)
}

/// The hours that are wanted; where nothing is said, those of this calendar month so far, in UTC.
pub(super) fn period(filter: &Filter, now: Timestamp) -> Result<(Hour, Hour), MeteringError> {
    let end = match filter.end {
        Some(end) => Hour::at_or_after(end),
        None => Hour::new(Hour::of(now).get() + 1),
    };
    let last = Hour::new(end.get() - 1);
    let start = match filter.start {
        Some(start) => Hour::of(start),
        None => Hour::of(Month::of(last.start()).start()),
    };
    if start >= end {
        let message = "the period ends before it begins";
        return Err(MeteringError::invalid("start_time", message));
    }
    if end.get() - start.get() > HOURS_MAX {
        let message = "the period is longer than 366 days";
        return Err(MeteringError::invalid("start_time", message));
    }
    Ok((start, end))
}

fn token(sum: &GroupSum) -> String {
    serde_json::to_string(&sum.place()).unwrap_or_default()
}

pub(super) fn place(page_token: &str) -> Result<Option<Place>, MeteringError> {
    let invalid = || MeteringError::invalid("page_token", page::InvalidPageToken);
    let key = page::key(page_token).map_err(|_| invalid())?;
    key.map(|key| serde_json::from_str(&key))
        .transpose()
        .map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn check(start: Option<&str>, end: Option<&str>, expect: Option<(&str, &str)>) {
        let filter = Filter {
            start: start.map(time),
            end: end.map(time),
            ..Filter::default()
        };
        let found = period(&filter, time("2026-11-21T16:20:00Z")).ok();
        let found = found.map(|(start, end)| (start.start(), end.start()));
        let expect = expect.map(|(start, end)| (time(start), time(end)));
        assert_eq!(found, expect, "{start:?} {end:?}");
    }

    #[test]
    fn a_period_is_of_whole_hours_and_this_month_where_nothing_is_said() {
        let month = ("2026-11-01T00:00:00Z", "2026-11-21T17:00:00Z");
        check(None, None, Some(month));
        check(
            Some("2026-11-20T05:59:59Z"),
            Some("2026-11-20T06:00:01Z"),
            Some(("2026-11-20T05:00:00Z", "2026-11-20T07:00:00Z")),
        );
        check(
            Some("2026-10-05T00:00:00Z"),
            None,
            Some(("2026-10-05T00:00:00Z", "2026-11-21T17:00:00Z")),
        );
        check(
            None,
            Some("2026-03-01T00:00:00Z"),
            Some(("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")),
        );
    }

    #[test]
    fn a_period_is_neither_backwards_nor_endless() {
        check(Some("2026-11-22T00:00:00Z"), None, None);
        check(
            Some("2026-11-20T06:00:00Z"),
            Some("2026-11-20T06:00:00Z"),
            None,
        );
        let year = ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
        check(Some(year.0), Some(year.1), Some(year));
        check(Some(year.0), Some("2025-01-01T00:00:01Z"), None);
    }
}
