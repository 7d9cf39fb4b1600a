//! The form of the catalogue's file.

use serde::Deserialize;

use crate::model::{Endpoint, Model, Offer};
use crate::provider::ProviderInfo;

/// The form that this program understands.
pub(crate) const SCHEMA: u32 = 1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatalogFile {
    pub(crate) schema: u32,
    pub(crate) version: u64,
    pub(crate) as_of: String,
    pub(crate) providers: Vec<ProviderInfo>,
    pub(crate) models: Vec<ModelEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelEntry {
    id: String,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    endpoints: Vec<Endpoint>,
    #[serde(default)]
    context_tokens: Option<i64>,
    #[serde(default)]
    max_output_tokens: Option<i64>,
    #[serde(default)]
    release_date: Option<String>,
    offers: Vec<Offer>,
    /// One model for each number, which is appended to the names; not shown in lists.
    #[serde(default)]
    numbered: Option<Numbers>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    from: u16,
    to: u16,
}

impl ModelEntry {
    /// The models that this entry stands for.
    pub(crate) fn into_models(self) -> Vec<Model> {
        match self.numbered {
            None => vec![self.into_model(true)],
            Some(numbers) => {
                let model = self.into_model(false);
                (numbers.from..=numbers.to)
                    .map(|number| with_number(&model, number))
                    .collect()
            }
        }
    }

    fn into_model(self, listed: bool) -> Model {
        Model {
            id: self.id,
            display_name: self.name,
            aliases: self.aliases,
            endpoints: self.endpoints,
            context_tokens: self.context_tokens,
            max_output_tokens: self.max_output_tokens,
            release_date: self.release_date,
            offers: self.offers,
            listed,
        }
    }
}

fn with_number(model: &Model, number: u16) -> Model {
    let mut numbered = model.clone();
    numbered.id.push_str(&number.to_string());
    for offer in &mut numbered.offers {
        offer.upstream.push_str(&number.to_string());
    }
    numbered
}
