//! Price books.

use jiff::Timestamp;
use keyward_money::Prices;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::StoreError;
use super::row;
use crate::domain::prices::PriceRow;

pub(super) fn install(
    connection: &Connection,
    version: u64,
    rows: &[PriceRow],
    time: Timestamp,
) -> Result<u64, StoreError> {
    let latest: Option<i64> =
        connection.query_row("SELECT max(version) FROM price_book", [], |row| row.get(0))?;
    let mut version = row::signed(version)?;
    if let Some(latest) = latest {
        if all(connection, latest)? == rows {
            return row::unsigned(latest);
        }
        version = version.max(latest + 1);
    }
    connection.execute(
        "INSERT INTO price_book (version, create_ms) VALUES (?1, ?2)",
        params![version, time.as_millisecond()],
    )?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO price (version, provider, model, prices) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for row in rows {
        let prices = row::prices_text(&row.prices)?;
        insert.execute(params![version, row.provider, row.model, prices])?;
    }
    row::unsigned(version)
}

fn all(connection: &Connection, version: i64) -> Result<Vec<PriceRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT provider, model, prices FROM price WHERE version = ?1 ORDER BY provider, model",
    )?;
    let mut rows = statement.query([version])?;
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
