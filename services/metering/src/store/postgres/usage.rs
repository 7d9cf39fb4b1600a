//! Usage records, and events put aside: set by set, within the transaction of what they are of.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::marker::PhantomData;

use keyward_money::Nanos;
use keyward_proto::metering::v1::UsageOwner;
use keyward_storage::postgres::{Asked, Row};
use uuid::Uuid;

use super::super::StoreError;
use super::columns::columns;
use super::row::{self, get, key, text};
use crate::domain::charging::Priced;
use crate::domain::day::Day;
use crate::domain::ledger::{Reject, StoredEvent, UsageRow};

/// Goes by the primary key, each id in its own partition.
pub(super) const STORED: &str = "
    SELECT usage_record.event_id, event, list_cost, charge, absorbed,
        coalesce(refunded.amount, 0) AS refunded
    FROM usage_record LEFT JOIN refunded ON refunded.event_id = usage_record.event_id
    WHERE (usage_record.day, usage_record.event_id) IN (
        SELECT * FROM unnest($1::integer[], $2::uuid[]))";

const INSERT: &str = "
    INSERT INTO usage_record (day, event_id, inference_id, attempt, client_request_id, account,
        user_uid, organization_uid, project_uid, access_key_id, provider, model, key_source,
        provider_key_id, status, hold_id, list_cost, charge, absorbed, price_version,
        markup_basis_points, record_ms, event, start_ms, user_id, project_id, tags)
    SELECT day, event_id, inference_id, attempt, client_request_id, account,
        user_uid, organization_uid, project_uid, access_key_id, provider, model, key_source,
        provider_key_id, status, hold_id, list_cost, charge, absorbed, price_version,
        markup_basis_points, record_ms, event, start_ms, user_id, project_id, tags::json
    FROM unnest($1::integer[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[],
        $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[],
        $14::text[], $15::bigint[], $16::uuid[], $17::bigint[], $18::bigint[], $19::bigint[],
        $20::bigint[], $21::bigint[], $22::bigint[], $23::bytea[], $24::bigint[], $25::text[],
        $26::text[], $27::text[])
    AS new (day, event_id, inference_id, attempt, client_request_id, account,
        user_uid, organization_uid, project_uid, access_key_id, provider, model, key_source,
        provider_key_id, status, hold_id, list_cost, charge, absorbed, price_version,
        markup_basis_points, record_ms, event, start_ms, user_id, project_id, tags)";

const INSERT_DAYS: &str = "
    INSERT INTO usage_day (account, start_day, day)
    SELECT * FROM unnest($1::text[], $2::integer[], $3::integer[])
    ON CONFLICT (account, start_day, day) DO NOTHING";

pub(super) const PUT_ASIDE: &str = "
    INSERT INTO quarantine (event_id, hold_id, reason, body, quarantine_ms)
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bytea[], $5::bigint[])
    ON CONFLICT (event_id, reason, sha256(body)) DO NOTHING";

columns!(UsageColumns of UsageValues<'a> {
    day: i32,
    event_id: Uuid,
    inference_id: Cow<'a, str>,
    attempt: i64,
    client_request_id: Cow<'a, str>,
    account: String,
    user_uid: Cow<'a, str>,
    organization_uid: Cow<'a, str>,
    project_uid: Cow<'a, str>,
    access_key_id: Cow<'a, str>,
    provider: Cow<'a, str>,
    model: Cow<'a, str>,
    key_source: i64,
    provider_key_id: Cow<'a, str>,
    status: i64,
    hold_id: Option<Uuid>,
    list_cost: Option<i64>,
    charge: i64,
    absorbed: i64,
    price_version: i64,
    markup: i64,
    record_ms: i64,
    event: Vec<u8>,
    start_ms: i64,
    user_id: Cow<'a, str>,
    project_id: Cow<'a, str>,
    tags: String,
});

columns!(DayColumns of DayValues<'a> {
    account: String,
    start_day: i32,
    day: i32,
});

columns!(AsideColumns of AsideValues<'a> {
    event_id: Cow<'a, str>,
    hold_id: Option<Uuid>,
    reason: &'a str,
    body: &'a [u8],
    quarantine_ms: i64,
});

/// What is stored of an event, with its id.
pub(super) fn stored(row: &Row) -> Result<(Uuid, StoredEvent), StoreError> {
    let stored = StoredEvent {
        event: row::event(&get::<Vec<u8>>(row, "event")?)?,
        priced: priced(row)?,
        refunded: Nanos::new(get(row, "refunded")?),
    };
    Ok((get(row, "event_id")?, stored))
}

pub(super) fn priced(row: &Row) -> Result<Priced, StoreError> {
    Ok(Priced {
        list_cost: row::amount(get(row, "list_cost")?),
        charge: Nanos::new(get(row, "charge")?),
        absorbed: Nanos::new(get(row, "absorbed")?),
    })
}

/// New records, as they are stored.
#[derive(Debug)]
pub(super) struct NewUsage<'a> {
    records: UsageColumns<'a>,
    days: DayColumns<'a>,
}

impl<'a> NewUsage<'a> {
    pub(super) fn of(records: &'a [UsageRow]) -> Result<Self, StoreError> {
        let mut columns = UsageColumns::default();
        for record in records {
            columns.push(values(record)?);
        }
        Ok(Self {
            records: columns,
            days: days(records),
        })
    }

    pub(super) fn asked(&self) -> Vec<Asked<'_>> {
        let mut asked = Vec::new();
        if !self.records.is_empty() {
            asked.push((INSERT, self.records.arrays()));
        }
        if !self.days.is_empty() {
            asked.push((INSERT_DAYS, self.days.arrays()));
        }
        asked
    }
}

fn start_ms(record: &UsageRow) -> i64 {
    record.event.dispatched(record.time).as_millisecond()
}

fn values(record: &UsageRow) -> Result<UsageValues<'_>, StoreError> {
    let (event, message) = (&record.event, &record.event.message);
    let of_owner = |value: fn(&UsageOwner) -> &String| match &message.owner {
        Some(owner) => key(value(owner)),
        None => Cow::Borrowed(""),
    };
    Ok(UsageValues {
        day: Day::of_id(event.id).get(),
        event_id: event.id,
        inference_id: key(&message.inference_id),
        attempt: message.attempt.into(),
        client_request_id: key(&message.client_request_id),
        account: event.account.to_string(),
        user_uid: of_owner(|owner| &owner.user_uid),
        organization_uid: of_owner(|owner| &owner.organization_uid),
        project_uid: of_owner(|owner| &owner.project_uid),
        access_key_id: of_owner(|owner| &owner.access_key_id),
        provider: key(&message.provider),
        model: key(&message.model),
        key_source: message.key_source.into(),
        provider_key_id: key(&message.provider_key_id),
        status: message.status.into(),
        hold_id: record.hold_id,
        list_cost: record.priced.list_cost.map(Nanos::get),
        charge: record.priced.charge.get(),
        absorbed: record.priced.absorbed.get(),
        price_version: row::signed(record.price_version)?,
        markup: record.markup.get().into(),
        record_ms: record.time.as_millisecond(),
        event: event.to_bytes(),
        start_ms: start_ms(record),
        user_id: of_owner(|owner| &owner.user),
        project_id: of_owner(|owner| &owner.project),
        tags: row::tags_json(event)?,
        of: PhantomData,
    })
}

/// On which days accounts have records, and in which partitions.
fn days(records: &[UsageRow]) -> DayColumns<'_> {
    let each = records.iter().map(|record| {
        let start_day = Day::of_millis(start_ms(record));
        let account = record.event.account.to_string();
        (account, start_day, Day::of_id(record.event.id))
    });
    let mut columns = DayColumns::default();
    for (account, start_day, day) in each.collect::<BTreeSet<_>>() {
        columns.push(DayValues {
            account,
            start_day: start_day.get(),
            day: day.get(),
            of: PhantomData,
        });
    }
    columns
}

/// Things to be put aside, outside of all sums; each is kept once.
pub(super) fn aside(rejects: &[Reject]) -> AsideColumns<'_> {
    let mut columns = AsideColumns::default();
    for reject in rejects {
        columns.push(AsideValues {
            event_id: text(&reject.event_id),
            hold_id: reject.hold_id,
            reason: reject.reason.name(),
            body: &reject.body,
            quarantine_ms: reject.time.as_millisecond(),
            of: PhantomData,
        });
    }
    columns
}
