//! The form of the catalogue's files. All of them have it: the generated one, the one kept by hand,
//! the operator's overlay, and each applied version.

use keyward_money::Prices;
use serde::{Deserialize, Serialize};

use crate::CatalogError;
use crate::model::{Capability, Endpoint, Modality, Thinking};
use crate::provider::ProviderInfo;

/// The form that this program understands.
pub const SCHEMA: u32 = 1;

/// A catalogue's file. What lies over another may leave out whatever it does not change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogFile {
    /// The form; [`SCHEMA`].
    pub schema: u32,
    /// Counts up with every change of the data, as `YYYYMMDDnn`.
    #[serde(default)]
    pub version: u64,
    /// The day of the data, `YYYY-MM-DD`.
    #[serde(default)]
    pub as_of: String,
    /// What the data was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Providers; only the file kept by hand has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderInfo>,
    /// Models.
    #[serde(default)]
    pub models: Vec<ModelEntry>,
}

/// What a file was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `litellm`, `genai-prices`, `models.dev` or `openrouter`.
    pub name: String,
    /// Its version, or the place that it was read from.
    pub version: String,
}

/// A model, or what a layer changes of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelEntry {
    /// `vendor/name`.
    pub id: String,
    /// Its name for people; its bare name where no layer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Other names; those of all layers count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// What it can be asked for; chat completions where no layer says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// What it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_modalities: Vec<Modality>,
    /// What it makes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_modalities: Vec<Modality>,
    /// What it can do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
    /// How Claude's models take it how much they shall think; `adaptive` where no layer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// Tokens of prompt and answer together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<i64>,
    /// Tokens of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<i64>,
    /// `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_date: Option<String>,
    /// Whether lists show it; yes where no layer says, unless every offer is retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<bool>,
    /// Who offers it; one entry for each provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<OfferEntry>,
    /// One model for each number, which is appended to the names; not shown in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbered: Option<Numbers>,
}

/// A model at a provider, or what a layer changes of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfferEntry {
    /// The provider.
    pub provider: String,
    /// The provider's name for the model; the model's bare name where no layer says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Names of certain versions at the same prices; those of all layers count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// All of its prices: they replace those of lower layers as a whole. `{}` means unpriced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retirement_date: Option<String>,
    /// Where the prices are from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A range of numbers, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl CatalogFile {
    /// An empty file of a version.
    pub fn new(version: u64, as_of: &str) -> Self {
        Self {
            schema: SCHEMA,
            version,
            as_of: as_of.to_owned(),
            sources: Vec::new(),
            providers: Vec::new(),
            models: Vec::new(),
        }
    }

    /// A file from its text.
    pub fn parse(json: &str) -> Result<Self, CatalogError> {
        let file: Self = serde_json::from_str(json)?;
        if file.schema != SCHEMA {
            return Err(CatalogError::Schema {
                found: file.schema,
                expected: SCHEMA,
            });
        }
        Ok(file)
    }

    /// An operator's overlay from its text. Providers belong in the settings, and a member of prices
    /// that nobody knows is refused rather than ignored.
    pub fn parse_overlay(json: &str) -> Result<Self, CatalogError> {
        let mut overlay = Self::parse(json)?;
        if let Some(provider) = overlay.providers.first() {
            return Err(CatalogError::Contradiction {
                name: provider.name.clone(),
                problem: "providers are set in the settings, not here",
            });
        }
        let text: OverlayText = serde_json::from_str(json)?;
        for (model, texts) in overlay.models.iter().zip(&text.models) {
            for (offer, text) in model.offers.iter().zip(&texts.offers) {
                let Some(prices) = &offer.prices else {
                    continue;
                };
                if text.prices.as_ref() != Some(&serde_json::to_value(prices)?) {
                    return Err(CatalogError::Contradiction {
                        name: format!("{} at {}", model.id, offer.provider),
                        problem: "its prices have a member that there is not",
                    });
                }
            }
        }
        overlay.mark("overlay");
        Ok(overlay)
    }

    /// The generated data that this program was built with.
    pub fn embedded() -> Result<Self, CatalogError> {
        Self::parse(include_str!("../data/models.json"))
    }

    /// What is kept by hand: providers, the sandbox, names that no price list has.
    pub fn hand() -> Result<Self, CatalogError> {
        let mut file = Self::parse(include_str!("../data/hand.json"))?;
        file.mark("hand");
        Ok(file)
    }

    /// Its text: one model on a line, so that versions can be compared by eye.
    pub fn to_text(&self) -> Result<String, CatalogError> {
        let mut head = serde_json::to_value(Self {
            models: Vec::new(),
            ..self.clone()
        })?;
        if let Some(members) = head.as_object_mut() {
            members.remove("models");
        }
        let head = serde_json::to_string(&head)?;
        let mut text = format!("{},\"models\":[", head.trim_end_matches('}'));
        for (position, model) in self.models.iter().enumerate() {
            text.push_str(if position == 0 { "\n" } else { ",\n" });
            text.push_str(&serde_json::to_string(model)?);
        }
        text.push_str("\n]}\n");
        Ok(text)
    }

    /// Says of all its prices where they are from.
    pub(crate) fn mark(&mut self, source: &str) {
        for offer in self.models.iter_mut().flat_map(|model| &mut model.offers) {
            if offer.prices.is_some() {
                offer.source = Some(source.to_owned());
            }
        }
    }
}

/// An overlay as it is written, as far as prices are concerned: their members lie flat, so that
/// unknown ones are not noticed otherwise.
#[derive(Deserialize)]
struct OverlayText {
    #[serde(default)]
    models: Vec<ModelText>,
}

#[derive(Deserialize)]
struct ModelText {
    #[serde(default)]
    offers: Vec<OfferText>,
}

#[derive(Deserialize)]
struct OfferText {
    #[serde(default)]
    prices: Option<serde_json::Value>,
}
