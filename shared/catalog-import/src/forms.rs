//! The forms of lists that are understood.

use std::fmt;
use std::str::FromStr;

use crate::{ImportError, Row, genai_prices, litellm, models_dev, openrouter};

/// A form of list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// LiteLLM's price map.
    LiteLlm,
    /// genai-prices' data.
    GenaiPrices,
    /// models.dev's `api.json`.
    ModelsDev,
    /// OpenRouter's list of models.
    OpenRouter,
}

/// A list, read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Its form.
    pub form: Form,
    /// Its rows.
    pub rows: Vec<Row>,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::LiteLlm,
        Self::GenaiPrices,
        Self::ModelsDev,
        Self::OpenRouter,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LiteLlm => "litellm",
            Self::GenaiPrices => "genai-prices",
            Self::ModelsDev => "models.dev",
            Self::OpenRouter => "openrouter",
        }
    }

    /// Where its owners publish it.
    pub const fn published_at(self) -> &'static str {
        match self {
            Self::LiteLlm => {
                "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
            }
            Self::GenaiPrices => {
                "https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json"
            }
            Self::ModelsDev => "https://models.dev/api.json",
            Self::OpenRouter => "https://openrouter.ai/api/v1/models",
        }
    }

    /// Reads a list of this form. `day` (`YYYY-MM-DD`) says which prices hold where the list has
    /// several.
    pub fn read(self, text: &str, day: &str) -> Result<Reading, ImportError> {
        let rows = match self {
            Self::LiteLlm => litellm::read(text),
            Self::GenaiPrices => genai_prices::read(text, day),
            Self::ModelsDev => models_dev::read(text),
            Self::OpenRouter => openrouter::read(text),
        };
        let form = self.name();
        let rows = rows.map_err(|source| ImportError::Malformed { form, source })?;
        if rows.is_empty() {
            return Err(ImportError::Empty { form });
        }
        Ok(Reading { form: self, rows })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|form| form.name() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.into_iter().map(Self::name).collect();
                format!("expected one of {}", names.join(", "))
            })
    }
}
