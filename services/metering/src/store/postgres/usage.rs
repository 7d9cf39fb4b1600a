//! Usage records, and events put aside: set by set, within the transaction of what they are of.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::marker::PhantomData;

use keyward_money::Nanos;
use keyward_proto::metering::v1::UsageOwner;
use keyward_storage::postgres::{Asked, CopyRows, Row};
use uuid::Uuid;

use super::super::StoreError;
use super::columns::columns;
use super::noted::{Noted, Place};
use super::row::{self, get, key, text};
use crate::domain::charging::Priced;
use crate::domain::day::Day;
use crate::domain::ledger::{Reject, StoredEvent, UsageRow};

/// Of one day, by the primary key of its partition, one by one: of the others none is opened.
pub(super) const STORED: &str = "
    SELECT stored.*, coalesce((SELECT amount FROM refunded
        WHERE refunded.event_id = stored.event_id), 0) AS refunded
    FROM unnest($2::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
        SELECT event_id, event, list_cost, charge, absorbed FROM usage_record
        WHERE day = $1 AND event_id = wanted.id LIMIT 1) AS stored";

const COPY: &str = "
    COPY usage_record (day, event_id, inference_id, attempt, client_request_id, account,
        user_uid, organization_uid, project_uid, access_key_id, provider, model, key_source,
        provider_key_id, status, hold_id, list_cost, charge, absorbed, price_version,
        markup_basis_points, record_ms, event, start_ms, user_id, project_id, tags)
    FROM STDIN BINARY";

const INSERT_DAYS: &str = "
    INSERT INTO usage_day (account, start_day, day)
    SELECT * FROM unnest($1::text[], $2::integer[], $3::integer[])
    ON CONFLICT (account, start_day, day) DO NOTHING";

pub(super) const PUT_ASIDE: &str = "
    INSERT INTO quarantine (event_id, hold_id, reason, body, quarantine_ms)
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bytea[], $5::bigint[])
    ON CONFLICT (event_id, reason, sha256(body)) DO NOTHING";

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
    records: CopyRows,
    days: DayColumns<'a>,
}

impl<'a> NewUsage<'a> {
    /// Without the days that are `noted` already.
    pub(super) fn of(records: &'a [UsageRow], noted: &Noted) -> Result<Self, StoreError> {
        let mut rows = CopyRows::new(COPY);
        for record in records {
            push(&mut rows, record)?;
        }
        Ok(Self {
            records: rows,
            days: columns_of(noted.new_among(days(records))),
        })
    }

    /// What is written before the records are copied.
    pub(super) fn asked(&self) -> Vec<Asked<'_>> {
        if self.days.is_empty() {
            return Vec::new();
        }
        vec![(INSERT_DAYS, self.days.arrays())]
    }

    pub(super) fn copied(&mut self) -> CopyRows {
        self.records.take()
    }
}

fn start_ms(record: &UsageRow) -> i64 {
    record.event.dispatched(record.time).as_millisecond()
}

fn push(rows: &mut CopyRows, record: &UsageRow) -> Result<(), StoreError> {
    let (event, message) = (&record.event, &record.event.message);
    let of_owner = |value: fn(&UsageOwner) -> &String| match &message.owner {
        Some(owner) => key(value(owner)),
        None => Cow::Borrowed(""),
    };
    rows.push(&[
        &Day::of_id(event.id).get(),
        &event.id,
        &key(&message.inference_id),
        &i64::from(message.attempt),
        &key(&message.client_request_id),
        &event.account.to_string(),
        &of_owner(|owner| &owner.user_uid),
        &of_owner(|owner| &owner.organization_uid),
        &of_owner(|owner| &owner.project_uid),
        &of_owner(|owner| &owner.access_key_id),
        &key(&message.provider),
        &key(&message.model),
        &i64::from(message.key_source),
        &key(&message.provider_key_id),
        &i64::from(message.status),
        &record.hold_id,
        &record.priced.list_cost.map(Nanos::get),
        &record.priced.charge.get(),
        &record.priced.absorbed.get(),
        &row::signed(record.price_version)?,
        &i64::from(record.markup.get()),
        &record.time.as_millisecond(),
        &event.to_bytes().as_slice(),
        &start_ms(record),
        &of_owner(|owner| &owner.user),
        &of_owner(|owner| &owner.project),
        &row::tags_json(event)?,
    ]);
    Ok(())
}

/// On which days accounts have records, and in which partitions.
pub(super) fn days(records: &[UsageRow]) -> BTreeSet<Place> {
    let each = records.iter().map(|record| Place {
        account: record.event.account,
        day: Day::of_millis(start_ms(record)),
        partition: Day::of_id(record.event.id),
    });
    each.collect()
}

fn columns_of<'a>(places: impl Iterator<Item = Place>) -> DayColumns<'a> {
    let mut columns = DayColumns::default();
    for place in places {
        columns.push(DayValues {
            account: place.account.to_string(),
            start_day: place.day.get(),
            day: place.partition.get(),
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
