//! Sums by the hour and by the day: kept with every record, and read instead of the records.

use std::borrow::Cow;
use std::collections::BTreeMap;

use keyward_storage::postgres::{Asked, Row, Session, ToSql};

use super::super::{StoreError, SumQuery, Sums};
use super::PostgresStore;
use super::columns::Arrays;
use super::row::{get, key, small};
use crate::domain::account::AccountKey;
use crate::domain::filter::Hour;
use crate::domain::ledger::{Changes, SumKey};
use crate::domain::sums::{Dimension, Group, GroupSum, Sum, TooManyGroups};

/// Calls a macro with each figure of a sum, in the order in which a sum gives and takes them.
macro_rules! figures {
    ($each:ident, $with:literal) => {
        concat!(
            $each!($with, "requests"),
            ", ",
            $each!($with, "attempts"),
            ", ",
            $each!($with, "failed_attempts"),
            ", ",
            $each!($with, "unpriced_attempts"),
            ", ",
            $each!($with, "list_cost"),
            ", ",
            $each!($with, "charge"),
            ", ",
            $each!($with, "own_key_list_cost"),
            ", ",
            $each!($with, "input_tokens"),
            ", ",
            $each!($with, "cache_read_tokens"),
            ", ",
            $each!($with, "cache_write_5m_tokens"),
            ", ",
            $each!($with, "cache_write_1h_tokens"),
            ", ",
            $each!($with, "input_audio_tokens"),
            ", ",
            $each!($with, "input_image_tokens"),
            ", ",
            $each!($with, "output_tokens"),
            ", ",
            $each!($with, "reasoning_tokens"),
            ", ",
            $each!($with, "output_audio_tokens"),
            ", ",
            $each!($with, "output_image_tokens"),
            ", ",
            $each!($with, "searches"),
            ", ",
            $each!($with, "images"),
            ", ",
            $each!($with, "audio_ms"),
            ", ",
            $each!($with, "characters")
        )
    };
}

macro_rules! name {
    ($table:literal, $column:literal) => {
        $column
    };
}

/// Adds a figure to what is there; one that no longer fits stays at the highest that does.
macro_rules! add {
    ($table:literal, $column:literal) => {
        concat!(
            $column,
            " = ",
            $table,
            ".",
            $column,
            " + least(excluded.",
            $column,
            ", 9223372036854775807 - ",
            $table,
            ".",
            $column,
            ")"
        )
    };
}

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

/// What records that are summed have in common.
macro_rules! alike {
    () => {
        "account, hour, user_uid, user_id, project_id, provider, model, key_source, provider_key_id"
    };
}

/// The arrays of a statement that adds, figures first: `$1` to `$30`.
macro_rules! arrays {
    () => {
        "$1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
         $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
         $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
         $19::bigint[], $20::bigint[], $21::bigint[],
         $22::text[], $23::bigint[], $24::text[], $25::text[], $26::text[], $27::text[],
         $28::text[], $29::bigint[], $30::text[]"
    };
}

macro_rules! add_to {
    ($table:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (",
            figures!(name, ""),
            ", ",
            alike!(),
            ")
     SELECT * FROM unnest(",
            arrays!(),
            ")
     ON CONFLICT (",
            alike!(),
            ") DO UPDATE SET ",
            figures!(add, $table)
        )
    };
}

const ADD: &str = add_to!("usage_hour");
const ADD_DAY: &str = add_to!("usage_sum_day");

macro_rules! add_tags_to {
    ($table:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (",
            figures!(name, ""),
            ", ",
            alike!(),
            ", tag_name, tag_value)
     SELECT * FROM unnest(",
            arrays!(),
            ", $31::text[], $32::text[])
     ON CONFLICT (",
            alike!(),
            ", tag_name, tag_value) DO UPDATE SET ",
            figures!(add, $table)
        )
    };
}

const ADD_TAG: &str = add_tags_to!("usage_hour_tag");
const ADD_TAG_DAY: &str = add_tags_to!("usage_sum_day_tag");

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

/// What the hours of a day come to, less what its sum says.
macro_rules! difference {
    ($table:literal, $column:literal) => {
        concat!("sum(sign * ", $column, ")")
    };
}

macro_rules! zero {
    ($table:literal, $column:literal) => {
        "0"
    };
}

/// Counts the sums of an account that are not what their hours add up to.
macro_rules! differing {
    ($hours:literal, $days:literal, $tag:literal) => {
        concat!(
            "SELECT account, account, count(*), 0::bigint FROM (
                 SELECT account FROM (
                     SELECT *, hour - mod(mod(hour, 24) + 24, 24) AS day, 1 AS sign FROM ",
            $hours,
            " UNION ALL SELECT *, hour, -1 FROM ",
            $days,
            ") AS sums GROUP BY account, day, user_uid, user_id, project_id, provider, model,
                     key_source, provider_key_id",
            $tag,
            " HAVING (",
            figures!(difference, ""),
            ") <> (",
            figures!(zero, ""),
            ")) AS differing
             GROUP BY account"
        )
    };
}

pub(super) const DIFFERING: &str = differing!("usage_hour", "usage_sum_day", "");
pub(super) const DIFFERING_TAGS: &str = differing!(
    "usage_hour_tag",
    "usage_sum_day_tag",
    ", tag_name, tag_value"
);

/// What records that are summed have in common, with a tag or without, as columns have it; in the
/// order in which rows are locked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    account: AccountKey,
    hour: i64,
    user_uid: Cow<'a, str>,
    user: Cow<'a, str>,
    project: Cow<'a, str>,
    provider: Cow<'a, str>,
    model: Cow<'a, str>,
    source: i64,
    provider_key_id: Cow<'a, str>,
    tag_name: Cow<'a, str>,
    tag_value: Cow<'a, str>,
}

impl<'a> Key<'a> {
    fn of(of: &'a SumKey, name: &'a str, value: &'a str) -> Self {
        Self {
            account: of.account,
            hour: of.hour.get(),
            user_uid: key(&of.user_uid),
            user: key(&of.user_id),
            project: key(&of.project_id),
            provider: key(&of.provider),
            model: key(&of.model),
            source: of.key_source.into(),
            provider_key_id: key(&of.provider_key_id),
            tag_name: key(name),
            tag_value: key(value),
        }
    }

    /// The same for the whole day.
    fn of_day(self) -> Self {
        Self {
            hour: Hour::new(self.hour).day().get(),
            ..self
        }
    }
}

/// What a batch's records add up to.
#[derive(Debug)]
pub(super) struct NewSums<'a> {
    hours: Columns<'a>,
    days: Columns<'a>,
    tags: Columns<'a>,
    tag_days: Columns<'a>,
}

impl<'a> NewSums<'a> {
    pub(super) fn of(changes: &'a Changes) -> Self {
        let hours = changes.sums.iter();
        let hours = hours.map(|(of, sum)| (Key::of(of, "", ""), sum));
        let tags = changes.tag_sums.iter();
        let tags = tags.map(|((of, name, value), sum)| (Key::of(of, name, value), sum));
        let of_day = |(key, sum): (Key<'a>, &'a Sum)| (key.of_day(), sum);
        Self {
            days: Columns::of(hours.clone().map(of_day)),
            hours: Columns::of(hours),
            tag_days: Columns::of(tags.clone().map(of_day)),
            tags: Columns::of(tags),
        }
    }

    pub(super) fn asked(&self) -> Vec<Asked<'_>> {
        if self.hours.hour.is_empty() {
            return Vec::new();
        }
        vec![
            (ADD, self.hours.values()),
            (ADD_DAY, self.days.values()),
            (ADD_TAG, self.tags.values_with_tags()),
            (ADD_TAG_DAY, self.tag_days.values_with_tags()),
        ]
    }
}

/// Cells as a statement takes them.
#[derive(Debug, Default)]
struct Columns<'a> {
    figures: [Vec<i64>; Sum::FIGURES],
    account: Vec<String>,
    hour: Vec<i64>,
    user_uid: Vec<Cow<'a, str>>,
    user: Vec<Cow<'a, str>>,
    project: Vec<Cow<'a, str>>,
    provider: Vec<Cow<'a, str>>,
    model: Vec<Cow<'a, str>>,
    key_source: Vec<i64>,
    provider_key_id: Vec<Cow<'a, str>>,
    tag_name: Vec<Cow<'a, str>>,
    tag_value: Vec<Cow<'a, str>>,
}

impl<'a> Columns<'a> {
    /// Keys that columns do not tell apart are one: a statement touches no row twice.
    fn of<'s>(cells: impl Iterator<Item = (Key<'a>, &'s Sum)>) -> Self {
        let mut rows: BTreeMap<Key<'a>, Sum> = BTreeMap::new();
        for (key, sum) in cells {
            rows.entry(key).or_default().add(sum);
        }
        let mut columns = Self::default();
        for (key, sum) in rows {
            columns.push(key, &sum);
        }
        columns
    }

    fn push(&mut self, key: Key<'a>, sum: &Sum) {
        let figures = self.figures.iter_mut().zip(sum.figures());
        figures.for_each(|(column, figure)| column.push(figure));
        self.account.push(key.account.to_string());
        self.hour.push(key.hour);
        self.user_uid.push(key.user_uid);
        self.user.push(key.user);
        self.project.push(key.project);
        self.provider.push(key.provider);
        self.model.push(key.model);
        self.key_source.push(key.source);
        self.provider_key_id.push(key.provider_key_id);
        self.tag_name.push(key.tag_name);
        self.tag_value.push(key.tag_value);
    }

    /// Without tags.
    fn values(&self) -> Arrays<'_> {
        let figures = self.figures.iter();
        let mut values: Arrays<'_> = figures.map(|column| column as _).collect();
        let alike: [&(dyn ToSql + Sync); 9] = [
            &self.account,
            &self.hour,
            &self.user_uid,
            &self.user,
            &self.project,
            &self.provider,
            &self.model,
            &self.key_source,
            &self.provider_key_id,
        ];
        values.extend(alike);
        values
    }

    fn values_with_tags(&self) -> Arrays<'_> {
        let mut values = self.values();
        values.extend([&self.tag_name as &(dyn ToSql + Sync), &self.tag_value]);
        values
    }
}

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
pub(super) async fn query(
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
        *figure = row.try_get(place).map_err(super::row::fault)?;
    }
    Ok(Sum::from_figures(figures))
}
