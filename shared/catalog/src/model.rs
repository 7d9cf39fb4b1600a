//! Models, and who offers them at what price.

use std::fmt;

use keyward_money::{Prices, Rates};
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize, de};

/// What a model can be asked for. The names are those of usage records. Anthropic's and Gemini's
/// forms of a call are ways to say one of these, not endpoints of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// `images.edits`
    #[serde(rename = "images.edits")]
    ImagesEdits,
    /// `images.variations`
    #[serde(rename = "images.variations")]
    ImagesVariations,
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
            Self::ImagesEdits => "images.edits",
            Self::ImagesVariations => "images.variations",
            Self::AudioSpeech => "audio.speech",
            Self::AudioTranscriptions => "audio.transcriptions",
            Self::AudioTranslations => "audio.translations",
            Self::Moderations => "moderations",
        }
    }

    /// Whether these rates price the unit that it is paid for in: a model priced by the token says
    /// nothing of what a second of sound or an image costs.
    pub fn is_priced_by(self, rates: &Rates) -> bool {
        let [first, second, third] = match self {
            Self::ImagesGenerations | Self::ImagesEdits | Self::ImagesVariations => {
                [rates.image_fee, rates.output_image, rates.output]
            }
            Self::AudioSpeech => [rates.characters, rates.audio_ms, rates.output_audio],
            Self::AudioTranscriptions | Self::AudioTranslations => {
                [rates.audio_ms, rates.input_audio, None]
            }
            Self::ChatCompletions
            | Self::Completions
            | Self::Responses
            | Self::Embeddings
            | Self::Moderations => return true,
        };
        first.or(second).or(third).is_some()
    }

    /// The endpoint of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<de::value::Error>::new(name)).ok()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What a model reads or makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Text.
    Text,
    /// Pictures.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// Documents.
    File,
    /// Vectors; made only.
    Embedding,
}

impl Modality {
    /// Its name in lists of models.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::File => "file",
            Self::Embedding => "embedding",
        }
    }
}

/// What a model can do besides answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Calls tools.
    Tools,
    /// Answers by a JSON schema.
    JsonSchema,
    /// Thinks before it answers.
    Reasoning,
    /// Looks at pictures.
    Vision,
    /// Has cheaper prices for prompts that it has seen.
    PromptCaching,
}

impl Capability {
    /// Its name in lists of models.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::JsonSchema => "json_schema",
            Self::Reasoning => "reasoning",
            Self::Vision => "vision",
            Self::PromptCaching => "prompt_caching",
        }
    }
}

/// How a model takes it how much it shall think, where its form has several ways to say so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    /// It judges itself how much it needs.
    #[default]
    Adaptive,
    /// It is given a number of tokens, and knows no judgement of its own.
    Budget,
}

impl Thinking {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Budget => "budget",
        }
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
    /// What it reads; empty where unknown.
    pub input_modalities: Vec<Modality>,
    /// What it makes; empty where unknown.
    pub output_modalities: Vec<Modality>,
    /// What it is known to be able to do.
    pub capabilities: Vec<Capability>,
    /// How it takes it how much it shall think.
    pub thinking: Thinking,
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

    /// Whether lists show it: neither hidden nor retired wherever it was sold.
    pub fn is_listed(&self) -> bool {
        self.listed
    }
}

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The provider.
    pub provider: String,
    /// The name that it knows the model by.
    pub upstream: String,
    /// Names of certain versions that it knows too, at the same prices. A caller who asks for one
    /// gets that one.
    pub versions: Vec<String>,
    /// What it costs there; without `input` it is unpriced.
    pub prices: Prices,
    /// The day on which the provider stops offering it, `YYYY-MM-DD`; absent where none is known.
    pub retirement_date: Option<String>,
    /// Where its prices are from: `hand`, `overlay`, or the sources that agreed, as
    /// `litellm+genai-prices`; absent where it is not said.
    pub source: Option<String>,
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

    /// Whether the provider has stopped offering it by a day, `YYYY-MM-DD`.
    pub fn is_retired_by(&self, day: &str) -> bool {
        self.retirement_date
            .as_deref()
            .is_some_and(|retirement| retirement <= day)
    }
}

fn last_segment(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}
