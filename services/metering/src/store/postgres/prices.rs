//! Price books.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Prices;
use keyward_storage::postgres::{Row, Session};

use super::super::{PriceStore, StoreError};
use super::row::{self, get};
use super::{PostgresStore, Values, lock_whole};
use crate::domain::prices::PriceRow;

const LATEST: &str = "SELECT max(version) AS version FROM price_book";

const BOOK: &str = r#"
    SELECT provider, model, prices::text AS prices FROM price WHERE version = $1
    ORDER BY provider COLLATE "C", model COLLATE "C""#;

const INSERT_BOOK: &str = "INSERT INTO price_book (version, create_ms) VALUES ($1, $2)";

const INSERT: &str = "
    INSERT INTO price (version, provider, model, prices)
    SELECT $1, provider, model, prices::json
    FROM unnest($2::text[], $3::text[], $4::text[]) AS row (provider, model, prices)";

const GET: &str = "
    SELECT prices::text AS prices FROM price WHERE version = $1 AND provider = $2 AND model = $3";

async fn install(
    session: &Session,
    version: u64,
    rows: &[PriceRow],
    time: Timestamp,
) -> Result<u64, StoreError> {
    // Whoever else starts at the same time installs the same.
    lock_whole(session, "price_book").await?;
    let latest = session.query_first(LATEST, &[]).await?;
    let latest: Option<i64> = latest.map_or(Ok(None), |row| get(&row, "version"))?;
    let mut version = row::signed(version)?;
    if let Some(latest) = latest {
        if book(session, latest).await? == rows {
            return row::unsigned(latest);
        }
        version = version.max(latest + 1);
    }
    insert(session, version, rows, time).await?;
    row::unsigned(version)
}

async fn book(session: &Session, version: i64) -> Result<Vec<PriceRow>, StoreError> {
    let rows = session.query(BOOK, &[&version]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<PriceRow, StoreError> {
    Ok(PriceRow {
        provider: get(row, "provider")?,
        model: get(row, "model")?,
        prices: row::prices(&get::<String>(row, "prices")?)?,
    })
}

async fn insert(
    session: &Session,
    version: i64,
    rows: &[PriceRow],
    time: Timestamp,
) -> Result<(), StoreError> {
    let providers: Vec<&str> = rows.iter().map(|row| &*row.provider).collect();
    let models: Vec<&str> = rows.iter().map(|row| &*row.model).collect();
    let prices = rows.iter().map(|row| row::prices_text(&row.prices));
    let prices = prices.collect::<Result<Vec<String>, _>>()?;
    let values: Values<'_> = &[&version, &time.as_millisecond()];
    session.execute(INSERT_BOOK, values).await?;
    let values: Values<'_> = &[&version, &providers, &models, &prices];
    session.execute(INSERT, values).await?;
    Ok(())
}

#[async_trait]
impl PriceStore for PostgresStore {
    async fn price_book_install(
        &self,
        version: u64,
        rows: Vec<PriceRow>,
        time: Timestamp,
    ) -> Result<u64, StoreError> {
        self.write(move |session| {
            Box::pin(async move { install(session, version, &rows, time).await })
        })
        .await
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
