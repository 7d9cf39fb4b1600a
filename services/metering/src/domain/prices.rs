//! The price book: one version of all prices.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
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

/// Which version is in force, and which has the prices of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activation {
    pub(crate) active: u64,
    pub(crate) catalog: u64,
}

impl Activation {
    /// After a catalogue came whose prices are those of `version`. What was put in force by hand
    /// stays until a catalogue brings other prices than the last one: neither a restart nor an old
    /// choice decides anything, as it is with versions of the catalogue itself.
    pub(crate) fn with_catalog(before: Option<Self>, version: u64) -> Self {
        match before {
            Some(before) if before.catalog == version => before,
            _ => Self {
                active: version,
                catalog: version,
            },
        }
    }
}

/// How one version differs from another, in numbers of prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Difference {
    pub(crate) added: u32,
    pub(crate) removed: u32,
    pub(crate) changed: u32,
}

impl Difference {
    /// Counts changes.
    pub(crate) fn of(changes: &[PriceChange]) -> Self {
        let mut difference = Self::default();
        for change in changes {
            let count = match (&change.from, &change.to) {
                (None, _) => &mut difference.added,
                (_, None) => &mut difference.removed,
                _ => &mut difference.changed,
            };
            *count = count.saturating_add(1);
        }
        difference
    }
}

/// A version as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PriceVersion {
    pub(crate) version: u64,
    pub(crate) create_time: Timestamp,
    /// How many prices it has.
    pub(crate) prices: u32,
    /// From the version before.
    pub(crate) difference: Difference,
}

/// What is different about a model at a provider; `None` where one version has no price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PriceChange {
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) from: Option<Prices>,
    pub(crate) to: Option<Prices>,
}

/// What is different between two versions, whose rows are sorted by provider and model.
pub(crate) fn changes(from: Vec<PriceRow>, to: Vec<PriceRow>) -> Vec<PriceChange> {
    let (mut from, mut to) = (from.into_iter().peekable(), to.into_iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (from.peek(), to.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => {
                (&one.provider, &one.model).cmp(&(&other.provider, &other.model))
            }
        };
        let old = if order.is_le() { from.next() } else { None };
        let new = if order.is_ge() { to.next() } else { None };
        changes.extend(change(old, new));
    }
}

/// `None` where they are the same.
fn change(from: Option<PriceRow>, to: Option<PriceRow>) -> Option<PriceChange> {
    let either = from.as_ref().or(to.as_ref())?;
    let (provider, model) = (either.provider.clone(), either.model.clone());
    let (from, to) = (from.map(|row| row.prices), to.map(|row| row.prices));
    (from != to).then_some(PriceChange {
        provider,
        model,
        from,
        to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(&str, &str, i64)]) -> Vec<PriceRow> {
        rows.iter()
            .map(|(provider, model, price)| PriceRow {
                provider: (*provider).to_owned(),
                model: (*model).to_owned(),
                prices: Prices::per_million(*price, *price),
            })
            .collect()
    }

    #[test]
    fn versions_differ_by_what_was_added_removed_and_changed() {
        let old = rows(&[("a", "m", 1), ("a", "n", 2), ("b", "m", 3), ("c", "m", 4)]);
        let new = rows(&[("a", "l", 5), ("a", "m", 1), ("b", "m", 6), ("c", "m", 4)]);
        let found = changes(old.clone(), new.clone());
        let brief: Vec<_> = found
            .iter()
            .map(|change| {
                let price = |prices: &Option<Prices>| prices.as_ref()?.rates.input;
                let (from, to) = (price(&change.from), price(&change.to));
                (&*change.provider, &*change.model, from, to)
            })
            .collect();
        assert_eq!(
            brief,
            [
                ("a", "l", None, Some(5)),
                ("a", "n", Some(2), None),
                ("b", "m", Some(3), Some(6)),
            ]
        );
        let difference = Difference {
            added: 1,
            removed: 1,
            changed: 1,
        };
        assert_eq!(Difference::of(&found), difference);
        assert_eq!(changes(new.clone(), new), []);
        assert_eq!(changes(Vec::new(), old).len(), 4);
    }

    #[test]
    fn a_choice_stands_until_a_catalogue_brings_other_prices() {
        let of = |active, catalog| Activation { active, catalog };
        for (before, version, after) in [
            (None, 3, of(3, 3)),
            (Some(of(3, 3)), 3, of(3, 3)),
            // Put in force by hand: a restart changes nothing.
            (Some(of(2, 3)), 3, of(2, 3)),
            (Some(of(2, 3)), 4, of(4, 4)),
            // A catalogue that went back to what was there before is another one.
            (Some(of(4, 4)), 5, of(5, 5)),
        ] {
            assert_eq!(Activation::with_catalog(before, version), after);
        }
    }
}
