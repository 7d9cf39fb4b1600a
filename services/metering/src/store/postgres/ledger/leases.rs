//! Leases, as rows.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_storage::postgres::Row;
use uuid::Uuid;

use super::super::columns::columns;
use super::super::row::{self, get, time};
use super::super::{PostgresStore, Values};
use crate::domain::account::AccountKey;
use crate::domain::ledger::{Holder, Lease};
use crate::store::{CrossingStore, LeaseStore, StoreError};

pub(super) const READ: &str = "SELECT * FROM lease WHERE lease_id = ANY ($1)";

const OF_ACCOUNT: &str = "SELECT * FROM lease WHERE state = 'open' AND account = $1";

const OPEN: &str = "
    SELECT * FROM lease WHERE state = 'open' AND expire_ms <= $1 ORDER BY expire_ms LIMIT $2";

pub(super) const PUT: &str = "
    INSERT INTO lease (lease_id, account, router, start, price_version, markup_basis_points,
        granted, returned, remaining, state, create_ms, expire_ms)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[],
        $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::bigint[],
        $12::bigint[])
    ON CONFLICT (lease_id) DO UPDATE
    SET granted = excluded.granted, returned = excluded.returned, remaining = excluded.remaining,
        state = excluded.state, expire_ms = excluded.expire_ms";

columns!(LeaseColumns of LeaseValues<'a> {
    lease_id: Uuid,
    account: String,
    router: Uuid,
    start: i64,
    price_version: i64,
    markup: i64,
    granted: i64,
    returned: i64,
    remaining: i64,
    state: &'a str,
    create_ms: i64,
    expire_ms: i64,
});

pub(super) fn values(lease: &Lease) -> Result<LeaseValues<'static>, StoreError> {
    Ok(LeaseValues {
        lease_id: lease.id,
        account: lease.account.to_string(),
        router: lease.holder.router,
        start: row::signed(lease.holder.start)?,
        price_version: row::signed(lease.price_version)?,
        markup: lease.markup.get().into(),
        granted: lease.granted.get(),
        returned: lease.returned.get(),
        remaining: lease.remaining.get(),
        state: lease.state(),
        create_ms: lease.create_time.as_millisecond(),
        expire_ms: lease.expire_time.as_millisecond(),
        of: PhantomData,
    })
}

pub(super) fn read(row: &Row) -> Result<Lease, StoreError> {
    Ok(Lease {
        id: get(row, "lease_id")?,
        account: row::account(&get::<String>(row, "account")?)?,
        holder: Holder {
            router: get(row, "router")?,
            start: row::unsigned(get(row, "start")?)?,
        },
        price_version: row::unsigned(get(row, "price_version")?)?,
        markup: row::markup(get(row, "markup_basis_points")?)?,
        granted: Nanos::new(get(row, "granted")?),
        returned: Nanos::new(get(row, "returned")?),
        remaining: Nanos::new(get(row, "remaining")?),
        is_open: get::<String>(row, "state")? == "open",
        create_time: time(row, "create_ms")?,
        expire_time: time(row, "expire_ms")?,
    })
}

#[async_trait]
impl LeaseStore for PostgresStore {
    fn crossing(&self) -> Option<Arc<dyn CrossingStore>> {
        Some(Arc::new(self.clone()))
    }

    async fn lease_get(&self, id: Uuid) -> Result<Option<Lease>, StoreError> {
        let session = self.session().await?;
        let found = session.query_first(READ, &[&vec![id]]).await?;
        found.as_ref().map(read).transpose()
    }

    async fn leases_of(&self, account: AccountKey) -> Result<Vec<Lease>, StoreError> {
        let (session, account) = (self.session().await?, account.to_string());
        let rows = session.query(OF_ACCOUNT, &[&account]).await?;
        rows.iter().map(read).collect()
    }

    async fn leases_open(&self, expired: Timestamp, limit: u32) -> Result<Vec<Lease>, StoreError> {
        let values: Values<'_> = &[&expired.as_millisecond(), &i64::from(limit)];
        let rows = self.session().await?.query(OPEN, values).await?;
        rows.iter().map(read).collect()
    }
}
