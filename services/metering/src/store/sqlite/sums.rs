//! Sums by the hour and by the day: kept with every record, and read instead of the records.

use keyward_money::Nanos;
use keyward_runtime::time;
use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params};

use super::super::{StoreError, SumQuery, Sums};
use super::row;
use crate::domain::charging::Priced;
use crate::domain::filter::{Filter, Hour};
use crate::domain::ledger::{Changes, SumKey};
use crate::domain::sums::{Cell, Dimension, Groups, Sum, TooManyGroups};

/// The figures of a sum, in the order in which a sum gives and takes them.
macro_rules! figures {
    () => {
        "requests, attempts, failed_attempts, unpriced_attempts, list_cost, charge,
         own_key_list_cost, input_tokens, cache_read_tokens, cache_write_5m_tokens,
         cache_write_1h_tokens, input_audio_tokens, input_image_tokens, output_tokens,
         reasoning_tokens, output_audio_tokens, output_image_tokens, searches, images, audio_ms,
         characters"
    };
}

/// What records that are summed have in common.
macro_rules! alike {
    () => {
        "account, hour, user_uid, user_id, project_id, provider, model, key_source, provider_key_id"
    };
}

/// Adds each figure to what is there; one that no longer fits stays at the highest that does.
macro_rules! add {
    ($first:literal $(, $column:literal)*) => {
        concat!(
            " DO UPDATE SET ", add!(@ $first), $(", ", add!(@ $column),)*
        )
    };
    (@ $column:literal) => {
        concat!($column, " = ", $column, " + min(excluded.", $column, ", 9223372036854775807 - ",
            $column, ")")
    };
    () => {
        add!("requests", "attempts", "failed_attempts", "unpriced_attempts", "list_cost", "charge",
            "own_key_list_cost", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens",
            "cache_write_1h_tokens", "input_audio_tokens", "input_image_tokens", "output_tokens",
            "reasoning_tokens", "output_audio_tokens", "output_image_tokens", "searches", "images",
            "audio_ms", "characters")
    };
}

macro_rules! add_to {
    ($table:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (",
            alike!(),
            ", ",
            figures!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
         ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)
     ON CONFLICT (",
            alike!(),
            ")",
            add!()
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
            alike!(),
            ", ",
            figures!(),
            ", tag_name, tag_value)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
         ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32)
     ON CONFLICT (",
            alike!(),
            ", tag_name, tag_value)",
            add!()
        )
    };
}

const ADD_TAG: &str = add_tags_to!("usage_hour_tag");
const ADD_TAG_DAY: &str = add_tags_to!("usage_sum_day_tag");

/// Adds what a batch's records add up to. The only caller of this is what stores them.
pub(super) fn add_all(connection: &Connection, changes: &Changes) -> Result<(), StoreError> {
    for (key, sum) in &changes.sums {
        add(connection, ADD, (key, key.hour), sum, &[])?;
        add(connection, ADD_DAY, (key, key.hour.day()), sum, &[])?;
    }
    for ((key, name, value), sum) in &changes.tag_sums {
        let tag = [name, value];
        add(connection, ADD_TAG, (key, key.hour), sum, &tag)?;
        add(connection, ADD_TAG_DAY, (key, key.hour.day()), sum, &tag)?;
    }
    Ok(())
}

fn add(
    connection: &Connection,
    statement: &str,
    (key, hour): (&SumKey, Hour),
    sum: &Sum,
    tag: &[&String],
) -> Result<(), StoreError> {
    let (account, hour) = (key.account.to_string(), hour.get());
    let figures = sum.figures();
    let mut values: Vec<&dyn ToSql> = vec![
        &account,
        &hour,
        &key.user_uid,
        &key.user_id,
        &key.project_id,
        &key.provider,
        &key.model,
        &key.key_source,
        &key.provider_key_id,
    ];
    values.extend(figures.iter().map(|figure| figure as &dyn ToSql));
    values.extend(tag.iter().map(|text| *text as &dyn ToSql));
    connection.prepare_cached(statement)?.execute(&*values)?;
    Ok(())
}

/// The figures of a row, from that column on.
fn sum(row: &Row<'_>, from: usize) -> Result<Sum, StoreError> {
    let mut figures = [0; Sum::FIGURES];
    for (place, figure) in (from..).zip(&mut figures) {
        *figure = row.get(place)?;
    }
    Ok(Sum::from_figures(figures))
}

/// Which sums are wanted: `?1` to `?10`.
macro_rules! wanted {
    () => {
        " WHERE account = ?1 AND hour >= ?2 AND hour < ?3
            AND (?4 IS NULL OR user_uid = ?4)
            AND (?5 IS NULL OR model = ?5)
            AND (?6 IS NULL OR provider = ?6)
            AND (?7 IS NULL OR key_source = ?7)
            AND (?8 IS NULL OR provider_key_id = ?8)
            AND (?9 IS NULL OR user_id = ?9)
            AND (?10 IS NULL OR project_id = ?10)"
    };
}

/// Counts the sums of an account that are not what their hours add up to. Counted as floating
/// numbers, which are exact up to 2^53: figures that no longer fit would end the proof.
macro_rules! differing {
    ($hours:literal, $days:literal, $tag:literal) => {
        concat!(
            "SELECT account, account, count(*), 0 FROM (
                 SELECT account FROM (
                     SELECT *, hour - ((hour % 24) + 24) % 24 AS day, 1 AS sign FROM ",
            $hours,
            " UNION ALL SELECT *, hour, -1 FROM ",
            $days,
            ") GROUP BY account, day, user_uid, user_id, project_id, provider, model, key_source,
                     provider_key_id",
            $tag,
            " HAVING (total(sign * requests), total(sign * attempts),
                     total(sign * failed_attempts), total(sign * unpriced_attempts),
                     total(sign * list_cost), total(sign * charge),
                     total(sign * own_key_list_cost), total(sign * input_tokens),
                     total(sign * cache_read_tokens), total(sign * cache_write_5m_tokens),
                     total(sign * cache_write_1h_tokens), total(sign * input_audio_tokens),
                     total(sign * input_image_tokens), total(sign * output_tokens),
                     total(sign * reasoning_tokens), total(sign * output_audio_tokens),
                     total(sign * output_image_tokens), total(sign * searches),
                     total(sign * images), total(sign * audio_ms), total(sign * characters))
                 <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
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

/// Walks the primary key over the hours that are asked for.
macro_rules! read {
    ($table:literal) => {
        concat!(
            "SELECT hour, user_id, project_id, provider, model, key_source, provider_key_id, '',
                 '', ",
            figures!(),
            " FROM ",
            $table,
            wanted!()
        )
    };
}

pub(super) const HOURS: &str = read!("usage_hour");
pub(super) const DAYS: &str = read!("usage_sum_day");

/// The same by tag; `?11` is a tag's name and `?12` its value.
macro_rules! read_by_tag {
    ($table:literal) => {
        concat!(
            "SELECT hour, user_id, project_id, provider, model, key_source, provider_key_id,
                 tag_name, tag_value, ",
            figures!(),
            " FROM ",
            $table,
            wanted!(),
            " AND (?11 IS NULL OR tag_name = ?11) AND (?12 IS NULL OR tag_value = ?12)"
        )
    };
}

pub(super) const HOURS_BY_TAG: &str = read_by_tag!("usage_hour_tag");
pub(super) const DAYS_BY_TAG: &str = read_by_tag!("usage_sum_day_tag");

pub(super) fn query(
    connection: &Connection,
    query: &SumQuery,
) -> Result<Result<Sums, TooManyGroups>, StoreError> {
    // Both passes must see the same.
    let transaction = connection.unchecked_transaction()?;
    let of_tag = query.filter.tag.is_some();
    let by_tag = of_tag || query.by.contains(&Dimension::Tag);
    // Of one tag's name, and of what is not by tag, a record is there once.
    let is_each_once = of_tag || !by_tag;
    let mut total = Sum::default();
    let mut groups = Groups::new(query.by.clone(), query.groups_max);
    let mut too_many = false;
    each(&transaction, query, by_tag, |cell| {
        if is_each_once {
            total.add(&cell.sum);
        }
        too_many |= groups.add(&cell).is_err();
        !too_many
    })?;
    if too_many {
        return Ok(Err(TooManyGroups));
    }
    if !is_each_once {
        each(&transaction, query, false, |cell| {
            total.add(&cell.sum);
            true
        })?;
    }
    let groups = groups.finish();
    Ok(Ok(Sums { groups, total }))
}

/// Shows `visit` the sums that are wanted, until it has seen enough: whole days, and hours beside
/// them.
fn each(
    connection: &Connection,
    query: &SumQuery,
    by_tag: bool,
    mut visit: impl FnMut(Cell) -> bool,
) -> Result<(), StoreError> {
    let (hours, days) = match by_tag {
        true => (HOURS_BY_TAG, DAYS_BY_TAG),
        false => (HOURS, DAYS),
    };
    let span = query.span();
    let parts = [
        (hours, span.start, span.days_start),
        (days, span.days_start, span.days_end),
        (hours, span.days_end, span.end),
    ];
    for (sql, start, end) in parts.into_iter().filter(|(_, start, end)| start < end) {
        let part = Part { sql, start, end };
        if !each_of(connection, query, (part, by_tag), &mut visit)? {
            break;
        }
    }
    Ok(())
}

/// What is read at once.
#[derive(Debug, Clone, Copy)]
struct Part {
    sql: &'static str,
    start: Hour,
    end: Hour,
}

/// Says whether more is wanted.
fn each_of(
    connection: &Connection,
    query: &SumQuery,
    (part, by_tag): (Part, bool),
    visit: &mut impl FnMut(Cell) -> bool,
) -> Result<bool, StoreError> {
    let Filter {
        model,
        provider,
        key_source,
        provider_key_id,
        user,
        project,
        tag,
        ..
    } = &query.filter;
    let account = query.account.to_string();
    let (start, end) = (part.start.get(), part.end.get());
    let user_uid = query.user_uid.map(|uid| uid.to_string());
    let mut values: Vec<&dyn ToSql> = vec![
        &account,
        &start,
        &end,
        &user_uid,
        model,
        provider,
        key_source,
        provider_key_id,
        user,
        project,
    ];
    let (name, value) = match tag {
        Some(tag) => (Some(&tag.name), tag.value.as_ref()),
        None => (None, None),
    };
    if by_tag {
        values.extend([&name as &dyn ToSql, &value]);
    }
    let mut statement = connection.prepare_cached(part.sql)?;
    let mut rows = statement.query(&*values)?;
    while let Some(row) = rows.next()? {
        if !visit(cell(row)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn cell(row: &Row<'_>) -> Result<Cell, StoreError> {
    let (name, value): (String, String) = (row.get(7)?, row.get(8)?);
    Ok(Cell {
        hour: Hour::new(row.get(0)?),
        user: row.get(1)?,
        project: row.get(2)?,
        provider: row.get(3)?,
        model: row.get(4)?,
        key_source: row.get(5)?,
        provider_key_id: row.get(6)?,
        tag: if name.is_empty() {
            String::new()
        } else {
            [name, value].join("=")
        },
        sum: sum(row, 9)?,
    })
}

pub(super) fn complete(connection: &Connection, limit: u32) -> Result<usize, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT sequence, event, list_cost, charge, absorbed, record_ms FROM usage_record
         WHERE start_ms IS NULL ORDER BY sequence LIMIT ?1",
    )?;
    let mut mark = connection.prepare_cached(
        "UPDATE usage_record SET start_ms = ?2, tags = ?3, user_id = ?4, project_id = ?5
         WHERE sequence = ?1",
    )?;
    let mut found = Vec::new();
    let mut rows = select.query([limit])?;
    while let Some(row) = rows.next()? {
        let sequence: i64 = row.get(0)?;
        let priced = Priced {
            list_cost: row::amount(row.get(2)?),
            charge: Nanos::new(row.get(3)?),
            absorbed: Nanos::new(row.get(4)?),
        };
        let event = row::event(&row.get::<_, Vec<u8>>(1)?)?;
        found.push((sequence, event, priced, time::from_millis(row.get(5)?)));
    }
    let mut changes = Changes::default();
    for (sequence, event, priced, recorded) in &found {
        changes.count(event, priced, *recorded);
        let owner = event.message.owner.clone().unwrap_or_default();
        let start_ms = event.dispatched(*recorded).as_millisecond();
        let tags = row::tags_text(event)?;
        mark.execute(params![sequence, start_ms, tags, owner.user, owner.project])?;
    }
    add_all(connection, &changes)?;
    Ok(found.len())
}
