//! Sums that are asked for, added up in the database.

use std::borrow::Cow;

use keyward_storage::postgres::{Row, Session, ToSql};

use super::super::PostgresStore;
use super::super::row::{self, get, key, small};
use crate::domain::sums::{Dimension, Group, GroupSum, Sum, TooManyGroups};
use crate::store::{StoreError, SumQuery, Sums};

/// Adds a figure up over rows, in the same way.
macro_rules! total {
    ($table:literal, $column:literal) => {
        concat!(
            "least(coalesce(sum(",
            $column,
            "), 0), 9223372036854775807)::bigint AS ",
            $column
        )
    };
}

/// The sums of a period: `$11` to `$12` are its whole days, what of `$2` to `$3` is beside them
/// its hours.
macro_rules! spanned {
    ($hours:literal, $days:literal) => {
        concat!(
            " FROM (
             SELECT * FROM ",
            $hours,
            " WHERE account = $1 AND hour >= $2 AND hour < $11
             UNION ALL SELECT * FROM ",
            $days,
            " WHERE account = $1 AND hour >= $11 AND hour < $12
             UNION ALL SELECT * FROM ",
            $hours,
            " WHERE account = $1 AND hour >= $12 AND hour < $3) AS sums"
        )
    };
}

/// Which of them are wanted: `$4` to `$10`.
macro_rules! wanted {
    () => {
        " WHERE ($4::text IS NULL OR user_uid = $4)
            AND ($5::text IS NULL OR model = $5)
            AND ($6::text IS NULL OR provider = $6)
            AND ($7::bigint IS NULL OR key_source = $7)
            AND ($8::text IS NULL OR provider_key_id = $8)
            AND ($9::text IS NULL OR user_id = $9)
            AND ($10::text IS NULL OR project_id = $10)"
    };
}

/// The dimensions that are asked for, `$13` to `$19`, each a column that is null where it is not.
macro_rules! dimensions {
    () => {
        "SELECT CASE WHEN $13::bigint > 0 THEN hour - mod(mod(hour, $13) + $13, $13) END AS hour,
             CASE WHEN $14::bool THEN model END AS model,
             CASE WHEN $15::bool THEN provider END AS provider,
             CASE WHEN $16::bool THEN provider_key_id END AS provider_key_id,
             CASE WHEN $17::bool THEN user_id END AS user_id,
             CASE WHEN $18::bool THEN project_id END AS project_id,
             CASE WHEN $19::bool THEN key_source END AS key_source, "
    };
}

/// The dimensions of `$14` to `$19`.
const SHOWN: [Dimension; 6] = [
    Dimension::Model,
    Dimension::Provider,
    Dimension::ProviderKey,
    Dimension::User,
    Dimension::Project,
    Dimension::KeySource,
];

const TOTAL: &str = concat!(
    "SELECT ",
    figures!(total, ""),
    spanned!("usage_hour", "usage_sum_day"),
    wanted!()
);

const GROUPS: &str = concat!(
    dimensions!(),
    "NULL::text AS tag, ",
    figures!(total, ""),
    spanned!("usage_hour", "usage_sum_day"),
    wanted!(),
    " GROUP BY 1, 2, 3, 4, 5, 6, 7 LIMIT $20"
);

/// The same by tag; `$21` is a tag's name, `$22` its value, `$23` whether tags are shown.
const GROUPS_OF_TAGS: &str =
    concat!(
    dimensions!(),
    "CASE WHEN $23::bool THEN CASE tag_name WHEN '' THEN '' ELSE tag_name || '=' || tag_value END
     END AS tag, ",
    figures!(total, ""), spanned!("usage_hour_tag", "usage_sum_day_tag"), wanted!(),
    " AND ($21::text IS NULL OR tag_name = $21) AND ($22::text IS NULL OR tag_value = $22)
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 LIMIT $20"
);

/// What is asked for, as statements take it.
#[derive(Debug)]
struct Question<'a> {
    account: String,
    start: i64,
    days_start: i64,
    days_end: i64,
    end: i64,
    user_uid: Option<String>,
    model: Option<Cow<'a, str>>,
    provider: Option<Cow<'a, str>>,
    key_source: Option<i64>,
    provider_key_id: Option<Cow<'a, str>>,
    user: Option<Cow<'a, str>>,
    project: Option<Cow<'a, str>>,
    /// How many hours are one; none where time does not matter.
    hours: i64,
    /// Which of the other dimensions are shown.
    shown: [bool; 6],
    limit: i64,
    tag_name: Option<Cow<'a, str>>,
    tag_value: Option<Cow<'a, str>>,
    by_tag: bool,
}

impl<'a> Question<'a> {
    fn of(query: &'a SumQuery) -> Self {
        let has = |dimension| query.by.contains(&dimension);
        let given = |value: &'a Option<String>| value.as_deref().map(key);
        let (filter, tag) = (&query.filter, query.filter.tag.as_ref());
        let limit = i64::try_from(query.groups_max).unwrap_or(i64::MAX);
        let span = query.span();
        Self {
            account: query.account.to_string(),
            start: span.start.get(),
            days_start: span.days_start.get(),
            days_end: span.days_end.get(),
            end: span.end.get(),
            user_uid: query.user_uid.map(|uid| uid.to_string()),
            model: given(&filter.model),
            provider: given(&filter.provider),
            key_source: filter.key_source.map(i64::from),
            provider_key_id: given(&filter.provider_key_id),
            user: given(&filter.user),
            project: given(&filter.project),
            hours: match (has(Dimension::Hour), has(Dimension::Day)) {
                (true, _) => 1,
                (false, true) => 24,
                (false, false) => 0,
            },
            shown: SHOWN.map(has),
            // One more shows that there are too many.
            limit: limit.saturating_add(1),
            tag_name: tag.map(|tag| key(&tag.name)),
            tag_value: tag.and_then(|tag| given(&tag.value)),
            by_tag: has(Dimension::Tag),
        }
    }

    /// `$1` to `$12`.
    fn wanted(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![
            &self.account,
            &self.start,
            &self.end,
            &self.user_uid,
            &self.model,
            &self.provider,
            &self.key_source,
            &self.provider_key_id,
            &self.user,
            &self.project,
            &self.days_start,
            &self.days_end,
        ]
    }

    /// The statement that groups, and all its values.
    fn groups(&self) -> (&'static str, Vec<&(dyn ToSql + Sync)>) {
        let mut values = self.wanted();
        values.push(&self.hours);
        values.extend(self.shown.iter().map(|shown| shown as &(dyn ToSql + Sync)));
        values.push(&self.limit);
        if self.by_tag || self.tag_name.is_some() {
            values.extend([&self.tag_name as &(dyn ToSql + Sync), &self.tag_value]);
            values.push(&self.by_tag);
            return (GROUPS_OF_TAGS, values);
        }
        (GROUPS, values)
    }

    /// Whether a record may be in several groups: all but one tag's name, and what is not by tag.
    fn is_in_several(&self) -> bool {
        self.by_tag && self.tag_name.is_none()
    }
}

/// Adds up what is wanted, in the database: what it sends does not grow with the hours.
pub(in crate::store::postgres) async fn query(
    store: &PostgresStore,
    query: &SumQuery,
) -> Result<Result<Sums, TooManyGroups>, StoreError> {
    let asked = Question::of(query);
    // Both passes must see the same.
    let session = store.postgres.snapshot().await?;
    let read = read(&session, &asked, query.groups_max).await;
    session.end(read).await
}

async fn read(
    session: &Session,
    asked: &Question<'_>,
    groups_max: usize,
) -> Result<Result<Sums, TooManyGroups>, StoreError> {
    let (sql, values) = asked.groups();
    let rows = session.query(sql, &values).await?;
    if rows.len() > groups_max {
        return Ok(Err(TooManyGroups));
    }
    let mut groups = rows.iter().map(group_sum).collect::<Result<Vec<_>, _>>()?;
    let total = total(session, asked, &groups).await?;
    groups.sort_by_cached_key(GroupSum::place);
    Ok(Ok(Sums { groups, total }))
}

/// All that fits, each record once: where it may be in several groups, by a query of its own.
async fn total(
    session: &Session,
    asked: &Question<'_>,
    groups: &[GroupSum],
) -> Result<Sum, StoreError> {
    if asked.is_in_several() {
        let row = session.query_first(TOTAL, &asked.wanted()).await?;
        return row.as_ref().map_or(Ok(Sum::default()), sum);
    }
    let mut total = Sum::default();
    for group in groups {
        total.add(&group.sum);
    }
    Ok(total)
}

fn group_sum(row: &Row) -> Result<GroupSum, StoreError> {
    let key_source: Option<i64> = get(row, "key_source")?;
    Ok(GroupSum {
        group: Group {
            hour: get(row, "hour")?,
            model: get(row, "model")?,
            provider: get(row, "provider")?,
            provider_key_id: get(row, "provider_key_id")?,
            user: get(row, "user_id")?,
            project: get(row, "project_id")?,
            key_source: key_source.map(|_| small(row, "key_source")).transpose()?,
            tag: get(row, "tag")?,
        },
        sum: sum(row)?,
    })
}

/// The figures of a row: its last columns.
fn sum(row: &Row) -> Result<Sum, StoreError> {
    let mut figures = [0; Sum::FIGURES];
    let first = row.len().saturating_sub(Sum::FIGURES);
    for (place, figure) in (first..).zip(&mut figures) {
        *figure = row.try_get(place).map_err(row::fault)?;
    }
    Ok(Sum::from_figures(figures))
}
