//! What was found while a catalogue was made: refused prices, and where two lists disagree.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use keyward_money::{Prices, Rates};

use crate::Row;
use crate::merge::Merged;
use crate::sanity::Implausible;

/// Prices that were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The list that has them.
    pub form: &'static str,
    /// The provider.
    pub provider: String,
    /// The provider's name for the model.
    pub model: String,
    /// Why.
    pub reason: Implausible,
}

/// A price on which two lists differ by more than 1 %.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The provider.
    pub provider: String,
    /// The provider's name for the model.
    pub model: String,
    /// Which price.
    pub kind: &'static str,
    /// What the first list says, in nano-credits per million.
    pub first: i64,
    /// What the second list says.
    pub second: i64,
    /// What kind of disagreement it is.
    pub class: Class,
}

/// Kinds of disagreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The second list prices a family of names as one; this name may be another member.
    Family,
    /// One list has the price of long prompts as the usual one.
    LongPrompt,
    /// One has exactly twice the other's: prices by hour, region or service tier.
    Double,
    /// The one is a tenth above the other: a region's surcharge.
    Region,
    /// Only what caching or sound costs is in question.
    Caching,
    /// One list calls it free.
    Free,
    /// The one has what the other had before a change of prices, or is wrong.
    Changed,
}

impl Class {
    /// What it means, for people.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Family => {
                "the second list prices a family of names as one, and this may be another member"
            }
            Self::LongPrompt => "one list has the price of long prompts as the usual one",
            Self::Double => "exactly twofold: by hour, region or service tier",
            Self::Region => "a tenth more: one list has a region's surcharge",
            Self::Caching => "input and output agree, what caching or sound costs does not",
            Self::Free => "one list calls it free",
            Self::Changed => "prices that changed and one list has not followed, or a mistake",
        }
    }
}

/// Which kind a disagreement about a price is.
pub(crate) fn class(ours: &Prices, theirs: &Prices, kind: &str, is_exact: bool) -> Class {
    let price = |rates: &Rates| match kind {
        "input" => rates.input,
        "output" => rates.output,
        "cache_read" => rates.cache_read,
        "cache_write_5m" => rates.cache_write_5m,
        _ => None,
    };
    let (one, other) = (price(&ours.rates), price(&theirs.rates));
    let is_long = |prices: &Prices, wanted: Option<i64>| {
        let mut long = prices.long_context.iter().map(|tier| price(&tier.prices));
        wanted.is_some() && long.any(|price| price == wanted)
    };
    let agree = ours.rates.input == theirs.rates.input && ours.rates.output == theirs.rates.output;
    match (one, other) {
        _ if !is_exact => Class::Family,
        _ if is_long(ours, other) || is_long(theirs, one) => Class::LongPrompt,
        (Some(0), _) | (_, Some(0)) => Class::Free,
        _ if agree => Class::Caching,
        (Some(one), Some(other)) if one * 10 == other * 11 || other * 10 == one * 11 => {
            Class::Region
        }
        (Some(one), Some(other)) if one == other * 2 || other == one * 2 => Class::Double,
        _ => Class::Changed,
    }
}

impl Refusal {
    pub(crate) fn new(form: &'static str, row: &Row, reason: Implausible) -> Self {
        Self {
            form,
            provider: row.provider.clone(),
            model: row.upstream.clone(),
            reason,
        }
    }

    pub(crate) fn is_about(&self, row: &Row) -> bool {
        self.provider == row.provider && self.model == row.upstream
    }
}

impl Merged {
    /// A few lines for people.
    pub fn summary(&self) -> String {
        let offers: usize = self
            .file
            .models
            .iter()
            .map(|model| model.offers.len())
            .sum();
        let priced = self
            .file
            .models
            .iter()
            .flat_map(|model| &model.offers)
            .filter(|offer| offer.prices.is_some())
            .count();
        let models: std::collections::BTreeSet<_> = self
            .disagreements
            .iter()
            .map(|found| (&found.provider, &found.model))
            .collect();
        format!(
            "version {}: {} models, {offers} offers, {priced} of them priced\n\
             {} offers are priced in both lists; on {} of them the lists differ by more than 1 %\n\
             {} prices were refused\n",
            self.file.version,
            self.file.models.len(),
            self.compared,
            models.len(),
            self.refusals.len(),
        )
    }

    /// All of it, as text: the summary, what was refused, and each disagreement under its kind.
    pub fn report(&self) -> String {
        let mut text = self.summary();
        text.push_str("\nRefused\n");
        for refusal in &self.refusals {
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "  {}: {} at {}: {}",
                refusal.form, refusal.model, refusal.provider, refusal.reason
            );
        }
        let mut classes: BTreeMap<Class, Vec<&Disagreement>> = BTreeMap::new();
        for found in &self.disagreements {
            classes.entry(found.class).or_default().push(found);
        }
        for (class, found) in classes {
            let _ = writeln!(text, "\n{} prices: {}", found.len(), class.explanation());
            for it in found {
                let _ = writeln!(
                    text,
                    "  {:<12} {:<56} {:<15} {:>15} {:>15}",
                    it.provider, it.model, it.kind, it.first, it.second
                );
            }
        }
        text
    }
}
