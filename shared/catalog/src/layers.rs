//! One file over another: what the upper one says holds, the rest shows through.

use std::collections::HashMap;

use crate::data::{CatalogFile, ModelEntry, OfferEntry};

impl CatalogFile {
    /// This file with another over it. Version, date and sources stay this one's. A model of this
    /// file whose id is an alias above is that model, and a name that the upper file gives to a
    /// model is taken from every other.
    #[must_use]
    pub fn under(mut self, upper: Self) -> Self {
        let mut owners: HashMap<String, String> = HashMap::new();
        for model in &upper.models {
            for alias in &model.aliases {
                owners.insert(alias.clone(), model.id.clone());
            }
        }
        let mut merged = Models::default();
        for mut model in self.models {
            if let Some(id) = owners.get(&model.id) {
                model.id.clone_from(id);
            }
            merged.add_below(model);
        }
        for model in upper.models {
            merged.add_above(model);
        }
        self.models = merged.list;
        self.providers.extend(upper.providers);
        self.keep_aliases_of(&owners);
        self
    }

    /// Drops aliases that belong to another model by what was said above, or by being its id.
    fn keep_aliases_of(&mut self, owners: &HashMap<String, String>) {
        let ids: std::collections::HashSet<String> =
            self.models.iter().map(|model| model.id.clone()).collect();
        for model in &mut self.models {
            let id = &model.id;
            model.aliases.retain(|alias| {
                !ids.contains(alias) && owners.get(alias).is_none_or(|owner| owner == id)
            });
        }
    }
}

/// Models by id, in the order in which they came.
#[derive(Default)]
struct Models {
    list: Vec<ModelEntry>,
    positions: HashMap<String, usize>,
}

impl Models {
    fn add_below(&mut self, model: ModelEntry) {
        match self.positions.get(&model.id) {
            Some(&position) => fill(&mut self.list[position], model),
            None => self.push(model),
        }
    }

    fn add_above(&mut self, model: ModelEntry) {
        match self.positions.get(&model.id) {
            Some(&position) => {
                let below = std::mem::replace(&mut self.list[position], model);
                fill(&mut self.list[position], below);
            }
            None => self.push(model),
        }
    }

    fn push(&mut self, model: ModelEntry) {
        self.positions.insert(model.id.clone(), self.list.len());
        self.list.push(model);
    }
}

/// Fills in what a model leaves open from what lies below it.
fn fill(model: &mut ModelEntry, below: ModelEntry) {
    model.name = model.name.take().or(below.name);
    join(&mut model.aliases, below.aliases);
    either(&mut model.endpoints, below.endpoints);
    either(&mut model.input_modalities, below.input_modalities);
    either(&mut model.output_modalities, below.output_modalities);
    either(&mut model.capabilities, below.capabilities);
    model.thinking = model.thinking.or(below.thinking);
    model.context_tokens = model.context_tokens.or(below.context_tokens);
    model.max_output_tokens = model.max_output_tokens.or(below.max_output_tokens);
    model.release_date = model.release_date.take().or(below.release_date);
    model.listed = model.listed.or(below.listed);
    model.numbered = model.numbered.or(below.numbered);
    for offer in below.offers {
        let above = model
            .offers
            .iter_mut()
            .find(|above| above.provider == offer.provider);
        match above {
            Some(above) => fill_offer(above, offer),
            None => model.offers.push(offer),
        }
    }
}

fn fill_offer(offer: &mut OfferEntry, below: OfferEntry) {
    offer.upstream = offer.upstream.take().or(below.upstream);
    join(&mut offer.versions, below.versions);
    let upstream = offer.upstream.as_deref();
    offer
        .versions
        .retain(|version| Some(version.as_str()) != upstream);
    if offer.prices.is_none() {
        offer.prices = below.prices;
        offer.source = below.source;
    }
    offer.retirement_date = offer.retirement_date.take().or(below.retirement_date);
}

fn either<T>(above: &mut Vec<T>, below: Vec<T>) {
    if above.is_empty() {
        *above = below;
    }
}

fn join(above: &mut Vec<String>, below: Vec<String>) {
    for name in below {
        if !above.contains(&name) {
            above.push(name);
        }
    }
}
