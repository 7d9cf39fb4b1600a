//! Tiers.

use rusqlite::{Connection, params};

use super::super::StoreError;
use super::row;
use crate::domain::tier::Tier;

pub(super) fn all(connection: &Connection) -> Result<Vec<Tier>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, markup_basis_points, organization_keys FROM tier ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut tiers = Vec::new();
    while let Some(row) = rows.next()? {
        let markup = row::markup(row.get(1)?)?;
        tiers.push(Tier {
            name: row.get(0)?,
            markup,
            organization_keys: row.get(2)?,
        });
    }
    Ok(tiers)
}

pub(super) fn put(connection: &Connection, tier: &Tier) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO tier (name, markup_basis_points, organization_keys) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET
                 markup_basis_points = excluded.markup_basis_points,
                 organization_keys = excluded.organization_keys",
        )?
        .execute(params![
            tier.name,
            tier.markup.get(),
            tier.organization_keys
        ])?;
    Ok(())
}
