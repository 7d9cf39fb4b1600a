//! Models and changes as JSON, and as tables for people.

use keyward_catalog::{Capability, Endpoint, Modality, Model, Offer};
use keyward_catalog_import::diff::{Change, Kind};
use keyward_catalog_import::refresh::HeldBack;
use keyward_money::{Nanos, Prices, Rates};
use serde_json::{Map, Value, json};

use crate::cli::table::{Align, Cell, Table, Tone};
use crate::cli::view;

/// Whether a text is in one of a model's names.
pub(super) fn has(model: &Model, text: &str) -> bool {
    let text = text.to_lowercase();
    let mut names = std::iter::once(&model.id)
        .chain([&model.display_name])
        .chain(&model.aliases);
    names.any(|name| name.to_lowercase().contains(&text))
}

/// A model with all that is known of it.
pub(super) fn model(model: &Model) -> Value {
    let names = |names: Vec<&'static str>| json!(names);
    json!({
        "model": model.id,
        "name": model.display_name,
        "aliases": model.aliases,
        "endpoints": names(model.endpoints.iter().copied().map(Endpoint::name).collect()),
        "input_modalities": names(model.input_modalities.iter().copied().map(Modality::name).collect()),
        "output_modalities": names(model.output_modalities.iter().copied().map(Modality::name).collect()),
        "capabilities": names(model.capabilities.iter().copied().map(Capability::name).collect()),
        "thinking": model.thinking.name(),
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "release_date": model.release_date,
        "listed": model.is_listed(),
        "offers": model.offers.iter().map(offer).collect::<Vec<_>>(),
    })
}

fn offer(offer: &Offer) -> Value {
    json!({
        "provider": offer.provider,
        "upstream": offer.upstream,
        "versions": offer.versions,
        "prices": offer.prices.is_priced().then(|| prices(&offer.prices)),
        "retirement_date": offer.retirement_date,
        "source": offer.source,
    })
}

fn prices(prices: &Prices) -> Value {
    let mut shown = rates(&prices.rates);
    let long: Vec<Value> = prices
        .long_context
        .iter()
        .map(|tier| {
            json!({
                "above_tokens": tier.above_tokens,
                "inclusive": tier.inclusive,
                "prices": rates(&tier.prices),
            })
        })
        .collect();
    let tiers: Vec<Value> = prices
        .service_tiers
        .iter()
        .map(|tier| json!({"service_tier": tier.service_tier, "prices": rates(&tier.rates)}))
        .collect();
    shown.insert("long_context".to_owned(), json!(long));
    shown.insert("service_tiers".to_owned(), json!(tiers));
    Value::Object(shown)
}

fn rates(rates: &Rates) -> Map<String, Value> {
    let known = rates
        .named()
        .into_iter()
        .filter_map(|(name, price)| Some((name.to_owned(), json!(credits(price?)))));
    known.collect()
}

fn credits(nanos: i64) -> String {
    Nanos::new(nanos).to_string()
}

/// A model's offers, each with what the table of models shows of the model.
pub(super) fn offers(model: &Value) -> Vec<Value> {
    let offers = model["offers"].as_array().into_iter().flatten().cloned();
    let named = offers.map(|mut offer| {
        offer["model"] = model["model"].clone();
        offer["context_tokens"] = model["context_tokens"].clone();
        offer
    });
    named.collect()
}

/// One model as a page: what it is, and below each offer with its prices.
pub(super) fn page(model: &Value) -> Table {
    let mut table = Table::pairs();
    for (name, value) in model.as_object().into_iter().flatten() {
        if name != "offers" && !is_empty(value) {
            table.pair(&name.replace('_', " "), view::plain(name, value));
        }
    }
    for offer in model["offers"].as_array().into_iter().flatten() {
        table.pair("", " ");
        for (name, value) in offer.as_object().into_iter().flatten() {
            if name != "prices" && !is_empty(value) {
                table.pair(&name.replace('_', " "), view::plain(name, value));
            }
        }
        match &offer["prices"] {
            Value::Object(prices) => prices.iter().for_each(|(name, value)| {
                price_lines(&mut table, name, value);
            }),
            _ => table.pair("prices", Cell::new("none: own keys only", Tone::Warning)),
        }
    }
    table
}

fn price_lines(table: &mut Table, name: &str, value: &Value) {
    let Value::Array(tiers) = value else {
        return table.pair(
            &format!("  {}", name.replace('_', " ")),
            view::plain(name, value),
        );
    };
    for tier in tiers {
        let when = match &tier["service_tier"] {
            Value::String(name) => name.clone(),
            _ => format!("above {} tokens", tier["above_tokens"]),
        };
        for (name, price) in tier["prices"].as_object().into_iter().flatten() {
            let name = format!("  {}, {when}", name.replace('_', " "));
            table.pair(&name, view::plain("", price));
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// Changes as JSON.
pub(super) fn changes(changes: &[Change]) -> Value {
    changes.iter().map(change).collect()
}

fn change(change: &Change) -> Value {
    let mut shown = json!({"model": change.model, "provider": change.provider});
    match &change.kind {
        Kind::Added { is_priced } => {
            shown["change"] = json!("added");
            shown["priced"] = json!(is_priced);
        }
        Kind::Removed => shown["change"] = json!("removed"),
        Kind::Price {
            name,
            before,
            after,
        } => {
            shown["change"] = json!("price");
            shown["price"] = json!(name);
            shown["before"] = json!(before.map(credits));
            shown["after"] = json!(after.map(credits));
            shown["percent"] = json!(change.kind.rise_basis_points().map(percent));
        }
    }
    shown
}

/// Changes that were held back, as JSON.
pub(super) fn held_back(held: &[HeldBack]) -> Value {
    held.iter()
        .map(|held| {
            let mut shown = change(&held.change);
            shown["reason"] = json!(held.doubt.to_string());
            shown
        })
        .collect()
}

/// Changes as a table: what came, what went, what costs another price.
pub(super) fn table(changes: &[Value], empty: &str) -> Table {
    let columns = [
        ("model", Align::Left),
        ("provider", Align::Left),
        ("change", Align::Left),
        ("before", Align::Right),
        ("after", Align::Right),
        ("%", Align::Right),
        ("held back", Align::Left),
    ];
    let mut table = Table::new(&columns, empty);
    for change in changes {
        let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
        let what = match change["price"].as_str() {
            Some(price) => price.to_owned(),
            None => text("change"),
        };
        table.row([
            text("model").into(),
            text("provider").into(),
            what.into(),
            text("before").into(),
            text("after").into(),
            text("percent").into(),
            Cell::new(text("reason"), Tone::Warning),
        ]);
    }
    table
}

/// Hundredths of a percent with a sign.
fn percent(basis_points: i64) -> String {
    let sign = if basis_points < 0 { '-' } else { '+' };
    let magnitude = basis_points.unsigned_abs();
    format!("{sign}{}.{:02}", magnitude / 100, magnitude % 100)
}
