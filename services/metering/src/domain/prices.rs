//! The price book: one version of all prices.

use std::collections::BTreeMap;

use keyward_catalog::Catalog;
use keyward_money::Prices;

/// What providers ask for a model, by provider.
pub(crate) type ByProvider = BTreeMap<String, Prices>;

/// One version of all prices.
#[derive(Debug, Clone, Default)]
pub(crate) struct PriceBook {
    pub(crate) version: u64,
    models: BTreeMap<String, ByProvider>,
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
            models: BTreeMap::new(),
        };
        for row in rows {
            let providers = book.models.entry(row.model).or_default();
            providers.insert(row.provider, row.prices);
        }
        book
    }

    /// The prices of a model at a provider; `None` where unpriced.
    pub(crate) fn get(&self, provider: &str, model: &str) -> Option<&Prices> {
        self.models.get(model)?.get(provider)
    }

    /// The models that have prices, by id.
    pub(crate) fn models(&self) -> impl Iterator<Item = (&String, &ByProvider)> {
        self.models.iter()
    }
}
