//! Marks for the routers of other meterings, and who is connected to whom.

use std::time::Duration;

use async_trait::async_trait;
use keyward_money::Nanos;
use keyward_storage::postgres::Row;
use uuid::Uuid;

use super::row::{self, get};
use super::{PostgresStore, Values};
use crate::domain::errand::{Errand, ErrandKind};
use crate::domain::ledger::Holder;
use crate::store::{CrossingStore, Mark, StoreError};

/// Nobody waits for a minute.
const STATE: &str = "
    WITH left_behind AS (
        DELETE FROM lease_mark WHERE asked < clock_timestamp() - interval '1 minute'),
    ended AS (
        DELETE FROM lease_watch
        WHERE metering <> $1 AND stated < clock_timestamp() - interval '1 minute')
    INSERT INTO lease_watch (metering, routers, starts, stated)
    VALUES ($1, $2, $3, clock_timestamp())
    ON CONFLICT ON CONSTRAINT lease_watch_pk DO UPDATE
    SET routers = excluded.routers, starts = excluded.starts, stated = excluded.stated";

const ELSEWHERE: &str = "
    SELECT DISTINCT router, start FROM lease_watch, unnest(routers, starts) AS watched (router, start)
    WHERE metering <> $1 AND stated > clock_timestamp() - $2::bigint * interval '1 millisecond'";

const PUT: &str = "
    INSERT INTO lease_mark (mark_id, router, start, kind, account, asked)
    SELECT *, clock_timestamp()
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[])";

const TAKE: &str = "
    UPDATE lease_mark SET taken_by = $1
    FROM unnest($2::uuid[], $3::bigint[]) AS here (router, start)
    WHERE lease_mark.router = here.router AND lease_mark.start = here.start
        AND in_flight IS NULL AND taken_by IS DISTINCT FROM $1
    RETURNING mark_id, lease_mark.router, lease_mark.start, kind, account";

const DONE: &str = "UPDATE lease_mark SET in_flight = $2 WHERE mark_id = $1";

const SAID: &str = "
    SELECT in_flight FROM lease_mark WHERE mark_id = ANY ($1) AND in_flight IS NOT NULL";

const REMOVE: &str = "DELETE FROM lease_mark WHERE mark_id = ANY ($1)";

/// Holders by column.
fn columns(holders: &[Holder]) -> Result<(Vec<Uuid>, Vec<i64>), StoreError> {
    let routers = holders.iter().map(|holder| holder.router).collect();
    let starts = holders.iter().map(|holder| row::signed(holder.start));
    Ok((routers, starts.collect::<Result<_, _>>()?))
}

fn holder(row: &Row) -> Result<Holder, StoreError> {
    Ok(Holder {
        router: get(row, "router")?,
        start: row::unsigned(get(row, "start")?)?,
    })
}

fn mark(row: &Row) -> Result<Mark, StoreError> {
    let kind = ErrandKind::named(&get::<String>(row, "kind")?);
    let account: Option<String> = get(row, "account")?;
    Ok(Mark {
        id: get(row, "mark_id")?,
        holder: holder(row)?,
        errand: Errand {
            kind: kind.ok_or(row::corrupt("mark"))?,
            account: account.as_deref().map(row::account).transpose()?,
        },
    })
}

#[async_trait]
impl CrossingStore for PostgresStore {
    async fn watch_put(&self, metering: Uuid, holders: Vec<Holder>) -> Result<(), StoreError> {
        let (routers, starts) = columns(&holders)?;
        let values: Values<'_> = &[&metering, &routers, &starts];
        self.session().await?.execute(STATE, values).await?;
        Ok(())
    }

    async fn watched_elsewhere(
        &self,
        metering: Uuid,
        age: Duration,
    ) -> Result<Vec<Holder>, StoreError> {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let values: Values<'_> = &[&metering, &age];
        let rows = self.session().await?.query(ELSEWHERE, values).await?;
        rows.iter().map(holder).collect()
    }

    async fn marks_put(&self, marks: Vec<Mark>) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = marks.iter().map(|mark| mark.id).collect();
        let holders: Vec<Holder> = marks.iter().map(|mark| mark.holder).collect();
        let (routers, starts) = columns(&holders)?;
        let kinds: Vec<_> = marks.iter().map(|mark| mark.errand.kind.name()).collect();
        let accounts = marks.iter().map(|mark| mark.errand.account);
        let accounts: Vec<_> = accounts
            .map(|account| account.map(|account| account.to_string()))
            .collect();
        let values: Values<'_> = &[&ids, &routers, &starts, &kinds, &accounts];
        self.session().await?.execute(PUT, values).await?;
        Ok(())
    }

    async fn marks_take(
        &self,
        metering: Uuid,
        holders: Vec<Holder>,
    ) -> Result<Vec<Mark>, StoreError> {
        let (routers, starts) = columns(&holders)?;
        let values: Values<'_> = &[&metering, &routers, &starts];
        let rows = self.session().await?.query(TAKE, values).await?;
        rows.iter().map(mark).collect()
    }

    async fn mark_done(&self, id: Uuid, in_flight: Nanos) -> Result<(), StoreError> {
        let values: Values<'_> = &[&id, &in_flight.get()];
        self.session().await?.execute(DONE, values).await?;
        Ok(())
    }

    async fn marks_done(&self, ids: Vec<Uuid>) -> Result<Vec<Nanos>, StoreError> {
        let rows = self.session().await?.query(SAID, &[&ids]).await?;
        let said = |row: &Row| get(row, "in_flight").map(Nanos::new);
        rows.iter().map(said).collect()
    }

    async fn marks_remove(&self, ids: Vec<Uuid>) -> Result<(), StoreError> {
        self.session().await?.execute(REMOVE, &[&ids]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
