//! Price books.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Prices;
use keyward_runtime::time;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{SqliteStore, row, tiers};
use crate::domain::prices::{self, Activation, Difference, PriceRow, PriceVersion};
use crate::store::{NewAnswer, PriceStore, StoreError};

pub(super) fn install(
    connection: &Connection,
    version: u64,
    rows: Vec<PriceRow>,
    time: Timestamp,
) -> Result<Activation, StoreError> {
    let before = activation(connection)?;
    let version = match known(connection, before, &rows)? {
        Some(known) => known,
        None => insert(connection, version, rows, time)?,
    };
    let after = Activation::with_catalog(before, version);
    put_activation(connection, after)?;
    Ok(after)
}

/// The version that has these rows: that of the last catalogue, or the latest.
fn known(
    connection: &Connection,
    before: Option<Activation>,
    rows: &[PriceRow],
) -> Result<Option<u64>, StoreError> {
    let latest = latest(connection)?;
    for version in before
        .map(|before| before.catalog)
        .into_iter()
        .chain(latest)
    {
        if all(connection, version)? == rows {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

fn latest(connection: &Connection) -> Result<Option<u64>, StoreError> {
    let latest: Option<i64> =
        connection.query_row("SELECT max(version) FROM price_book", [], |row| row.get(0))?;
    latest.map(row::unsigned).transpose()
}

fn insert(
    connection: &Connection,
    version: u64,
    rows: Vec<PriceRow>,
    time: Timestamp,
) -> Result<u64, StoreError> {
    let latest = latest(connection)?;
    let old = latest.map_or(Ok(Vec::new()), |latest| all(connection, latest))?;
    let version = version.max(latest.map_or(0, |latest| latest + 1));
    let difference = Difference::of(&prices::changes(old, rows.clone()));
    connection.execute(
        "INSERT INTO price_book (version, create_ms, prices, added, removed, changed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            row::signed(version)?,
            time.as_millisecond(),
            i64::try_from(rows.len()).unwrap_or(i64::MAX),
            difference.added,
            difference.removed,
            difference.changed,
        ],
    )?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO price (version, provider, model, prices) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for row in rows {
        let prices = row::prices_text(&row.prices)?;
        insert.execute(params![
            row::signed(version)?,
            row.provider,
            row.model,
            prices
        ])?;
    }
    Ok(version)
}

pub(super) fn activation(connection: &Connection) -> Result<Option<Activation>, StoreError> {
    let found = connection
        .prepare_cached("SELECT active, catalog FROM price_active")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(active, catalog)| {
            Ok(Activation {
                active: row::unsigned(active)?,
                catalog: row::unsigned(catalog)?,
            })
        })
        .transpose()
}

fn put_activation(connection: &Connection, activation: Activation) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO price_active (slot, active, catalog) VALUES (1, ?1, ?2)
         ON CONFLICT (slot) DO UPDATE SET active = excluded.active, catalog = excluded.catalog",
        params![
            row::signed(activation.active)?,
            row::signed(activation.catalog)?
        ],
    )?;
    Ok(())
}

pub(super) fn activate(
    connection: &Connection,
    version: u64,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    let changed = connection.execute(
        "UPDATE price_active SET active = ?1
         WHERE EXISTS (SELECT 1 FROM price_book WHERE version = ?1)",
        [row::signed(version)?],
    )?;
    if let Some(answer) = answer.filter(|_| changed > 0) {
        tiers::remember(connection, answer)?;
    }
    Ok(changed > 0)
}

pub(super) fn versions(
    connection: &Connection,
    before: u64,
    limit: u32,
) -> Result<Vec<PriceVersion>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT version, create_ms, prices, added, removed, changed FROM price_book
         WHERE version < ?1 ORDER BY version DESC LIMIT ?2",
    )?;
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![before, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(PriceVersion {
            version: row::unsigned(row.get(0)?)?,
            create_time: time::from_millis(row.get(1)?),
            prices: row.get(2)?,
            difference: Difference {
                added: row.get(3)?,
                removed: row.get(4)?,
                changed: row.get(5)?,
            },
        });
    }
    Ok(found)
}

/// All prices of a version, by provider and model; none where there is no such version.
pub(super) fn all(connection: &Connection, version: u64) -> Result<Vec<PriceRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT provider, model, prices FROM price WHERE version = ?1 ORDER BY provider, model",
    )?;
    let mut rows = statement.query([row::signed(version)?])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let prices = row::prices(&row.get::<_, String>(2)?)?;
        found.push(PriceRow {
            provider: row.get(0)?,
            model: row.get(1)?,
            prices,
        });
    }
    Ok(found)
}

pub(super) fn get(
    connection: &Connection,
    version: u64,
    provider: &str,
    model: &str,
) -> Result<Option<Prices>, StoreError> {
    connection
        .prepare_cached(
            "SELECT prices FROM price WHERE version = ?1 AND provider = ?2 AND model = ?3",
        )?
        .query_row(params![row::signed(version)?, provider, model], |row| {
            row.get::<_, String>(0)
        })
        .optional()?
        .map(|text| row::prices(&text))
        .transpose()
}

#[async_trait]
impl PriceStore for SqliteStore {
    async fn price_book_install(
        &self,
        version: u64,
        rows: Vec<PriceRow>,
        time: Timestamp,
    ) -> Result<Activation, StoreError> {
        self.write(move |connection| install(connection, version, rows, time))
            .await
    }

    async fn price_activation(&self) -> Result<Option<Activation>, StoreError> {
        self.read(activation).await
    }

    async fn price_activate(
        &self,
        version: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| activate(connection, version, answer.as_ref()))
            .await
    }

    async fn price_versions(
        &self,
        before: u64,
        limit: u32,
    ) -> Result<Vec<PriceVersion>, StoreError> {
        self.read(move |connection| versions(connection, before, limit))
            .await
    }

    async fn price_rows(&self, version: u64) -> Result<Vec<PriceRow>, StoreError> {
        self.read(move |connection| all(connection, version)).await
    }

    async fn prices(
        &self,
        version: u64,
        provider: String,
        model: String,
    ) -> Result<Option<Prices>, StoreError> {
        self.read(move |connection| get(connection, version, &provider, &model))
            .await
    }
}
