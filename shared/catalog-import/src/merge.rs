//! One catalogue of the rows of two lists: the first leads, the second gives a second opinion, fills
//! gaps, and adds what the first lacks.

mod models;
mod opinion;

use std::collections::{BTreeMap, HashMap, HashSet};

use keyward_catalog::{CatalogFile, Source};

use crate::report::{Disagreement, Refusal};
use crate::{Reading, Row, sanity};
use models::Builder;
pub use models::Sourced;

/// The providers whose rows of the second list are added where the first has none. The others' names
/// there are families, not what the provider's interface takes.
const ADDED: [&str; 8] = [
    "openrouter",
    "groq",
    "together",
    "fireworks",
    "cerebras",
    "novita",
    "xai",
    "deepseek",
];

/// What a catalogue is made with.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The version to give it.
    pub version: u64,
    /// The day of the data, `YYYY-MM-DD`.
    pub as_of: String,
    /// What is said of the sources.
    pub sources: Vec<Source>,
}

/// A catalogue, and what was found while making it.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The catalogue's data.
    pub file: CatalogFile,
    /// Prices that were refused.
    pub refusals: Vec<Refusal>,
    /// Where the lists differ by more than 1 %.
    pub disagreements: Vec<Disagreement>,
    /// How many prices both lists have.
    pub compared: usize,
}

/// Makes a catalogue of two lists; `hand` says what names mean, and its prices are not looked at.
pub fn merge(
    first: Reading,
    second: Option<Reading>,
    hand: &CatalogFile,
    recipe: Recipe,
) -> Merged {
    let mut refusals = Vec::new();
    let leading = first.form.name();
    let first_rows = sane(first, &mut refusals);
    let (second_name, second_rows) = match second {
        Some(second) => (second.form.name(), sane(second, &mut refusals)),
        None => ("", Vec::new()),
    };
    let mut opinions = opinion::Opinions::of(&second_rows);
    let mut rows = Vec::new();
    for row in first_rows {
        rows.push(opinions.on(row, leading, second_name, &mut refusals));
    }
    let more = added(&rows, &second_rows, second_name);
    rows.extend(more);

    let mut builder = Builder::new(hand);
    builder.add_all(rows);
    let mut file = CatalogFile::new(recipe.version, &recipe.as_of);
    file.sources = recipe.sources;
    file.models = builder.finish();
    Merged {
        file,
        refusals,
        disagreements: opinions.disagreements,
        compared: opinions.compared,
    }
}

fn sane(reading: Reading, refusals: &mut Vec<Refusal>) -> Vec<Row> {
    let form = reading.form.name();
    let mut rows = reading.rows;
    for row in &mut rows {
        if let Some(reason) = sanity::check(row) {
            refusals.push(Refusal::new(form, row, reason));
        }
    }
    rows
}

/// The rows of the second list that the first lacks.
fn added(rows: &[Sourced], second: &[Row], name: &str) -> Vec<Sourced> {
    let known: HashSet<(&str, &str)> = rows
        .iter()
        .map(|row| (row.row.provider.as_str(), row.row.upstream.as_str()))
        .collect();
    second
        .iter()
        .filter(|row| ADDED.contains(&row.provider.as_str()))
        .filter(|row| !known.contains(&(row.provider.as_str(), row.upstream.as_str())))
        .map(|row| Sourced::new(row.clone(), name.to_owned()))
        .collect()
}

/// Rows by provider and upstream name.
pub(crate) fn by_name(rows: &[Row]) -> HashMap<(&str, &str), &Row> {
    rows.iter()
        .map(|row| ((row.provider.as_str(), row.upstream.as_str()), row))
        .collect()
}

/// Rows by provider, in the order of the list.
pub(crate) fn by_provider(rows: &[Row]) -> BTreeMap<&str, Vec<&Row>> {
    let mut found: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        found.entry(row.provider.as_str()).or_default().push(row);
    }
    found
}
