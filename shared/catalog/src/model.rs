//! Models, and who offers them at what price.

use std::fmt;

use keyward_money::Prices;
use serde::Deserialize;

/// What a model can be asked for. The names are those of usage records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Endpoint {
    /// `chat.completions`
    #[serde(rename = "chat.completions")]
    ChatCompletions,
    /// `completions`
    #[serde(rename = "completions")]
    Completions,
    /// `responses`
    #[serde(rename = "responses")]
    Responses,
    /// `embeddings`
    #[serde(rename = "embeddings")]
    Embeddings,
    /// `images.generations`
    #[serde(rename = "images.generations")]
    ImagesGenerations,
    /// `audio.speech`
    #[serde(rename = "audio.speech")]
    AudioSpeech,
    /// `audio.transcriptions`
    #[serde(rename = "audio.transcriptions")]
    AudioTranscriptions,
    /// `audio.translations`
    #[serde(rename = "audio.translations")]
    AudioTranslations,
    /// `moderations`
    #[serde(rename = "moderations")]
    Moderations,
}

impl Endpoint {
    /// Its name in usage records and in `endpoint` parameters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat.completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::ImagesGenerations => "images.generations",
            Self::AudioSpeech => "audio.speech",
            Self::AudioTranscriptions => "audio.transcriptions",
            Self::AudioTranslations => "audio.translations",
            Self::Moderations => "moderations",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A model, whoever offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// `vendor/name`.
    pub id: String,
    /// Its name for people.
    pub display_name: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// What it can be asked for; the first is the usual one.
    pub endpoints: Vec<Endpoint>,
    /// Tokens of prompt and answer together; absent where unknown.
    pub context_tokens: Option<i64>,
    /// Tokens of an answer; absent where unknown.
    pub max_output_tokens: Option<i64>,
    /// `YYYY-MM-DD`; absent where unknown.
    pub release_date: Option<String>,
    /// Who offers it, the vendor first.
    pub offers: Vec<Offer>,
    /// Whether lists show it.
    pub(crate) listed: bool,
}

impl Model {
    /// Whose model it is: what stands before the first slash of its id.
    pub fn vendor(&self) -> &str {
        self.id.split_once('/').map_or("", |(vendor, _)| vendor)
    }

    /// Its id without the vendor.
    pub fn bare_name(&self) -> &str {
        self.id
            .split_once('/')
            .map_or(self.id.as_str(), |(_, name)| name)
    }

    /// What a provider offers of it.
    pub fn offer(&self, provider: &str) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.provider == provider)
    }

    /// Whether it can be asked for this.
    pub fn supports(&self, endpoint: Endpoint) -> bool {
        self.endpoints.contains(&endpoint)
    }
}

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The provider.
    pub provider: String,
    /// The name that it knows the model by.
    pub upstream: String,
    /// Names of certain versions that it knows too, at the same prices. A caller who asks for one
    /// gets that one.
    #[serde(default)]
    pub versions: Vec<String>,
    /// What it costs there; without `input` it is unpriced.
    #[serde(default)]
    pub prices: Prices,
}

impl Offer {
    /// The name to send upstream for a model that was asked for by `requested`.
    pub fn upstream_for(&self, requested: &str) -> &str {
        let bare = last_segment(requested);
        self.versions
            .iter()
            .find(|version| last_segment(version) == bare)
            .map_or(self.upstream.as_str(), String::as_str)
    }
}

fn last_segment(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}
