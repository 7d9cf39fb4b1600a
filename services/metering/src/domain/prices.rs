//! The price book: one version of all prices.

use std::collections::HashMap;

use keyward_catalog::Catalog;
use keyward_money::Prices;

/// One version of all prices.
#[derive(Debug, Clone, Default)]
pub(crate) struct PriceBook {
    pub(crate) version: u64,
    rows: HashMap<String, HashMap<String, Prices>>,
}

/// The prices of a model at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PriceRow {
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) prices: Prices,
}

impl PriceBook {
    /// The rows that the catalogue has, sorted, so that two sets can be compared.
    pub(crate) fn rows_of(catalog: &Catalog) -> Vec<PriceRow> {
        let mut rows: Vec<PriceRow> = catalog
            .all_prices()
            .map(|(provider, model, prices)| PriceRow {
                provider: provider.to_owned(),
                model: model.to_owned(),
                prices: prices.clone(),
            })
            .collect();
        rows.sort_by(|left, right| {
            (&left.provider, &left.model).cmp(&(&right.provider, &right.model))
        });
        rows
    }

    pub(crate) fn new(version: u64, rows: Vec<PriceRow>) -> Self {
        let mut book = Self {
            version,
            rows: HashMap::new(),
        };
        for row in rows {
            book.rows
                .entry(row.provider)
                .or_default()
                .insert(row.model, row.prices);
        }
        book
    }

    /// The prices of a model at a provider; `None` where unpriced.
    pub(crate) fn get(&self, provider: &str, model: &str) -> Option<&Prices> {
        self.rows.get(provider)?.get(model)
    }
}
