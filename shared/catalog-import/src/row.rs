//! What one provider says of one model, whichever list it was in.

use keyward_catalog::{Capability, Endpoint, Modality};
use keyward_money::Prices;

/// What one provider says of one model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The provider, by our name for it.
    pub provider: String,
    /// The provider's name for the model.
    pub upstream: String,
    /// Its name for people.
    pub name: Option<String>,
    /// What it can be asked for.
    pub endpoints: Vec<Endpoint>,
    /// What it reads.
    pub input_modalities: Vec<Modality>,
    /// What it makes.
    pub output_modalities: Vec<Modality>,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// Tokens of prompt and answer together.
    pub context_tokens: Option<i64>,
    /// Tokens of an answer.
    pub max_output_tokens: Option<i64>,
    /// `YYYY-MM-DD`.
    pub release_date: Option<String>,
    /// `YYYY-MM-DD`.
    pub retirement_date: Option<String>,
    /// Its prices; `None` where the list has none.
    pub prices: Option<Prices>,
    /// Whether the list says that the provider is giving it up.
    pub is_deprecated: bool,
    /// Which names the list takes for this model, where it says so.
    pub pattern: Option<Pattern>,
}

/// Which names of a provider mean a model, as genai-prices says it.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// The name begins so.
    StartsWith(String),
    /// The name ends so.
    EndsWith(String),
    /// The name has it somewhere.
    Contains(String),
    /// The name is this.
    Equals(String),
    /// A regular expression; not evaluated here, and so never met.
    Regex(String),
    /// One of them is met.
    Or(Vec<Pattern>),
    /// All of them are met.
    And(Vec<Pattern>),
}

impl Pattern {
    /// Whether a name is meant, as far as can be told without regular expressions.
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::StartsWith(text) => name.starts_with(text.as_str()),
            Self::EndsWith(text) => name.ends_with(text.as_str()),
            Self::Contains(text) => name.contains(text.as_str()),
            Self::Equals(text) => name == text,
            Self::Regex(_) => false,
            Self::Or(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
            Self::And(patterns) => patterns.iter().all(|pattern| pattern.matches(name)),
        }
    }
}
