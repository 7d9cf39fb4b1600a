//! Price books.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Prices;
use keyward_storage::postgres::{Row, Session};

use super::super::{NewAnswer, PriceStore, StoreError};
use super::row::{self, get, small, time};
use super::{PostgresStore, Values, lock_whole, tiers};
use crate::domain::prices::{self, Activation, Difference, PriceRow, PriceVersion};

const LATEST: &str = "SELECT max(version) AS version FROM price_book";

const BOOK: &str = r#"
    SELECT provider, model, prices::text AS prices FROM price WHERE version = $1
    ORDER BY provider COLLATE "C", model COLLATE "C""#;

const INSERT_BOOK: &str = "
    INSERT INTO price_book (version, create_ms, prices, added, removed, changed)
    VALUES ($1, $2, $3, $4, $5, $6)";

const INSERT: &str = "
    INSERT INTO price (version, provider, model, prices)
    SELECT $1, provider, model, prices::json
    FROM unnest($2::text[], $3::text[], $4::text[]) AS row (provider, model, prices)";

const ACTIVATION: &str = "SELECT active, catalog FROM price_active";

const PUT_ACTIVATION: &str = "
    INSERT INTO price_active (slot, active, catalog) VALUES (1, $1, $2)
    ON CONFLICT (slot) DO UPDATE SET active = excluded.active, catalog = excluded.catalog";

const ACTIVATE: &str = "
    UPDATE price_active SET active = $1
    WHERE EXISTS (SELECT 1 FROM price_book WHERE version = $1)";

const VERSIONS: &str = "
    SELECT version, create_ms, prices, added, removed, changed FROM price_book
    WHERE version < $1 ORDER BY version DESC LIMIT $2";

const GET: &str = "
    SELECT prices::text AS prices FROM price WHERE version = $1 AND provider = $2 AND model = $3";

async fn install(
    session: &Session,
    version: u64,
    rows: Vec<PriceRow>,
    time: Timestamp,
) -> Result<Activation, StoreError> {
    // Whoever else starts at the same time installs the same.
    lock_whole(session, "price_book").await?;
    let before = activation(session).await?;
    let version = match known(session, before, &rows).await? {
        Some(known) => known,
        None => insert(session, version, rows, time).await?,
    };
    let after = Activation::with_catalog(before, version);
    let values: Values<'_> = &[&row::signed(after.active)?, &row::signed(after.catalog)?];
    session.execute(PUT_ACTIVATION, values).await?;
    Ok(after)
}

/// The version that has these rows: that of the last catalogue, or the latest.
async fn known(
    session: &Session,
    before: Option<Activation>,
    rows: &[PriceRow],
) -> Result<Option<u64>, StoreError> {
    let latest = latest(session).await?;
    for version in before
        .map(|before| before.catalog)
        .into_iter()
        .chain(latest)
    {
        if book(session, version).await? == rows {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

async fn latest(session: &Session) -> Result<Option<u64>, StoreError> {
    let latest = session.query_first(LATEST, &[]).await?;
    let latest: Option<i64> = latest.map_or(Ok(None), |row| get(&row, "version"))?;
    latest.map(row::unsigned).transpose()
}

async fn activation(session: &Session) -> Result<Option<Activation>, StoreError> {
    let found = session.query_first(ACTIVATION, &[]).await?;
    let read = |row: Row| {
        Ok(Activation {
            active: row::unsigned(get(&row, "active")?)?,
            catalog: row::unsigned(get(&row, "catalog")?)?,
        })
    };
    found.map(read).transpose()
}

/// All prices of a version, by provider and model; none where there is no such version.
async fn book(session: &Session, version: u64) -> Result<Vec<PriceRow>, StoreError> {
    let rows = session.query(BOOK, &[&row::signed(version)?]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<PriceRow, StoreError> {
    Ok(PriceRow {
        provider: get(row, "provider")?,
        model: get(row, "model")?,
        prices: row::prices(&get::<String>(row, "prices")?)?,
    })
}

fn read_version(row: &Row) -> Result<PriceVersion, StoreError> {
    Ok(PriceVersion {
        version: row::unsigned(get(row, "version")?)?,
        create_time: time(row, "create_ms")?,
        prices: small(row, "prices")?,
        difference: Difference {
            added: small(row, "added")?,
            removed: small(row, "removed")?,
            changed: small(row, "changed")?,
        },
    })
}

async fn insert(
    session: &Session,
    version: u64,
    rows: Vec<PriceRow>,
    time: Timestamp,
) -> Result<u64, StoreError> {
    let latest = latest(session).await?;
    let old = match latest {
        Some(latest) => book(session, latest).await?,
        None => Vec::new(),
    };
    let number = version.max(latest.map_or(0, |latest| latest + 1));
    let version = row::signed(number)?;
    let difference = Difference::of(&prices::changes(old, rows.clone()));
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let Difference {
        added,
        removed,
        changed,
    } = difference;
    let [added, removed, changed] = [added, removed, changed].map(i64::from);
    let providers: Vec<&str> = rows.iter().map(|row| &*row.provider).collect();
    let models: Vec<&str> = rows.iter().map(|row| &*row.model).collect();
    let prices = rows.iter().map(|row| row::prices_text(&row.prices));
    let prices = prices.collect::<Result<Vec<String>, _>>()?;
    let created = time.as_millisecond();
    let values: Values<'_> = &[&version, &created, &count, &added, &removed, &changed];
    session.execute(INSERT_BOOK, values).await?;
    let values: Values<'_> = &[&version, &providers, &models, &prices];
    session.execute(INSERT, values).await?;
    Ok(number)
}

#[async_trait]
impl PriceStore for PostgresStore {
    async fn price_book_install(
        &self,
        version: u64,
        rows: Vec<PriceRow>,
        time: Timestamp,
    ) -> Result<Activation, StoreError> {
        self.write(move |session| {
            Box::pin(async move { install(session, version, rows, time).await })
        })
        .await
    }

    async fn price_activation(&self) -> Result<Option<Activation>, StoreError> {
        activation(&self.session().await?).await
    }

    async fn price_activate(
        &self,
        version: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        let version = row::signed(version)?;
        self.write(move |session| {
            Box::pin(async move {
                lock_whole(session, "price_book").await?;
                let touched = session.execute(ACTIVATE, &[&version]).await?;
                tiers::answered(session, touched, answer.as_ref()).await
            })
        })
        .await
    }

    async fn price_versions(
        &self,
        before: u64,
        limit: u32,
    ) -> Result<Vec<PriceVersion>, StoreError> {
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let values: Values<'_> = &[&before, &i64::from(limit)];
        let rows = self.session().await?.query(VERSIONS, values).await?;
        rows.iter().map(read_version).collect()
    }

    async fn price_rows(&self, version: u64) -> Result<Vec<PriceRow>, StoreError> {
        book(&self.session().await?, version).await
    }

    async fn prices(
        &self,
        version: u64,
        provider: String,
        model: String,
    ) -> Result<Option<Prices>, StoreError> {
        let version = row::signed(version)?;
        let (provider, model) = (row::text(&provider), row::text(&model));
        let values: Values<'_> = &[&version, &provider, &model];
        let found = self.session().await?.query_first(GET, values).await?;
        let text = found.map(|row| get::<String>(&row, "prices")).transpose()?;
        text.map(|text| row::prices(&text)).transpose()
    }
}
