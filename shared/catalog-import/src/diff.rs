//! What one catalogue's data has that another has not.

use std::collections::BTreeMap;

use keyward_catalog::{CatalogFile, OfferEntry};
use keyward_money::{Prices, Rates};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The model's id.
    pub model: String,
    /// The provider.
    pub provider: String,
    /// What is different.
    pub kind: Kind,
}

/// What can be different about an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It is new; the model too if nobody offered it.
    Added {
        /// Whether it has prices.
        is_priced: bool,
    },
    /// It is gone.
    Removed,
    /// A price is another.
    Price {
        /// Which one, as `input`, or `batch input`, or `input above 200000`.
        name: String,
        /// What it was; absent where it is new.
        before: Option<i64>,
        /// What it is; absent where it is gone.
        after: Option<i64>,
    },
}

impl Kind {
    /// By how many hundredths of a percent a price rose; absent where it came, went, or was zero.
    pub fn rise_basis_points(&self) -> Option<i64> {
        match *self {
            Self::Price {
                before: Some(before),
                after: Some(after),
                ..
            } if before > 0 => {
                let rise = (i128::from(after) - i128::from(before)) * 10_000 / i128::from(before);
                i64::try_from(rise).ok()
            }
            _ => None,
        }
    }
}

/// The differences of `after` to `before`, by model and provider.
pub fn diff(before: &CatalogFile, after: &CatalogFile) -> Vec<Change> {
    let (before, after) = (offers(before), offers(after));
    let mut changes = Vec::new();
    for (key, new) in &after {
        match before.get(key) {
            None => changes.push(change(key, added(new))),
            Some(old) => {
                let kinds = prices(old, new);
                changes.extend(kinds.into_iter().map(|kind| change(key, kind)));
            }
        }
    }
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    changes.extend(gone.map(|key| change(key, Kind::Removed)));
    changes.sort_by(|one, other| (&one.model, &one.provider).cmp(&(&other.model, &other.provider)));
    changes
}

/// A model's id and a provider.
type Key<'a> = (&'a str, &'a str);

fn offers(file: &CatalogFile) -> BTreeMap<Key<'_>, &OfferEntry> {
    file.models
        .iter()
        .flat_map(|model| {
            model
                .offers
                .iter()
                .map(|offer| ((model.id.as_str(), offer.provider.as_str()), offer))
        })
        .collect()
}

fn change(key: &Key<'_>, kind: Kind) -> Change {
    Change {
        model: key.0.to_owned(),
        provider: key.1.to_owned(),
        kind,
    }
}

fn added(offer: &OfferEntry) -> Kind {
    Kind::Added {
        is_priced: offer.prices.as_ref().is_some_and(Prices::is_priced),
    }
}

fn prices(old: &OfferEntry, new: &OfferEntry) -> Vec<Kind> {
    let (old, new) = (named(old.prices.as_ref()), named(new.prices.as_ref()));
    let names = old
        .keys()
        .chain(new.keys().filter(|name| !old.contains_key(*name)));
    names
        .filter_map(|name| {
            let (before, after) = (old.get(name).copied(), new.get(name).copied());
            (before != after).then(|| Kind::Price {
                name: name.clone(),
                before,
                after,
            })
        })
        .collect()
}

/// Every price under a name.
fn named(prices: Option<&Prices>) -> BTreeMap<String, i64> {
    let mut named = BTreeMap::new();
    let Some(prices) = prices else {
        return named;
    };
    name_rates(&mut named, "", "", &prices.rates);
    for long in &prices.long_context {
        let suffix = format!(" above {}", long.above_tokens);
        name_rates(&mut named, "", &suffix, &long.prices);
    }
    for tier in &prices.service_tiers {
        let prefix = format!("{} ", tier.service_tier);
        name_rates(&mut named, &prefix, "", &tier.rates);
        for long in &tier.long_context {
            let suffix = format!(" above {}", long.above_tokens);
            name_rates(&mut named, &prefix, &suffix, &long.prices);
        }
    }
    named
}

fn name_rates(named: &mut BTreeMap<String, i64>, prefix: &str, suffix: &str, rates: &Rates) {
    for (name, price) in rates.named() {
        if let Some(price) = price {
            named.insert(format!("{prefix}{name}{suffix}"), price);
        }
    }
}
