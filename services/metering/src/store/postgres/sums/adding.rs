//! What a batch's records add to sums, as arrays by column.

use std::borrow::Cow;
use std::collections::BTreeMap;

use keyward_storage::postgres::{Asked, ToSql};

use super::super::columns::Arrays;
use super::super::row::key;
use crate::domain::account::AccountKey;
use crate::domain::filter::Hour;
use crate::domain::ledger::{Changes, SumKey};
use crate::domain::sums::Sum;

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

/// A statement that adds to the sums of a table, by tag where it says so.
macro_rules! add_to {
    ($table:literal) => {
        add_to!($table, "", "")
    };
    ($table:literal by tag) => {
        add_to!(
            $table,
            ", tag_name, tag_value",
            ", $31::text[], $32::text[]"
        )
    };
    ($table:literal, $tags:literal, $tag_arrays:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (",
            figures!(name, ""),
            ", ",
            alike!(),
            $tags,
            ")
     SELECT * FROM unnest(",
            arrays!(),
            $tag_arrays,
            ")
     ON CONFLICT (",
            alike!(),
            $tags,
            ") DO UPDATE SET ",
            figures!(add, $table)
        )
    };
}

const ADD: &str = add_to!("usage_hour");
const ADD_DAY: &str = add_to!("usage_sum_day");
const ADD_TAG: &str = add_to!("usage_hour_tag" by tag);
const ADD_TAG_DAY: &str = add_to!("usage_sum_day_tag" by tag);

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
pub(in crate::store::postgres) struct NewSums<'a> {
    hours: Columns<'a>,
    days: Columns<'a>,
    tags: Columns<'a>,
    tag_days: Columns<'a>,
}

impl<'a> NewSums<'a> {
    pub(in crate::store::postgres) fn of(changes: &'a Changes) -> Self {
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

    pub(in crate::store::postgres) fn asked(&self) -> Vec<Asked<'_>> {
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
