//! What a caller's name for a model means.

use crate::model::{Model, Offer};

/// What a caller's name for a model means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelRef<'a> {
    /// A model of the catalogue.
    Known {
        /// The model.
        model: &'a Model,
        /// The only provider that may serve it, where the name says so: `openrouter/vendor/model`,
        /// or a reseller's prefix such as `together/…`.
        pinned_provider: Option<&'a str>,
    },
    /// A model that the catalogue lacks, with the prefix of a provider or vendor that is known. Its
    /// prices are unknown, so it works with an own key only.
    Unlisted {
        /// The provider or vendor that the name begins with. `openrouter` pins OpenRouter.
        vendor: String,
        /// The rest of the name: how the vendor itself calls the model.
        name: String,
        /// What OpenRouter calls it; absent where it cannot have it.
        openrouter_name: Option<String>,
    },
    /// A name without a known prefix that nobody knows.
    Unknown,
}

impl<'a> ModelRef<'a> {
    /// The model, if the catalogue has it.
    pub fn model(&self) -> Option<&'a Model> {
        match self {
            Self::Known { model, .. } => Some(model),
            Self::Unlisted { .. } | Self::Unknown => None,
        }
    }

    /// The offers that the name allows: all of them, or the pinned provider's.
    pub fn offers(&self) -> impl Iterator<Item = &'a Offer> {
        let (model, pin) = match self {
            Self::Known {
                model,
                pinned_provider,
            } => (Some(*model), *pinned_provider),
            Self::Unlisted { .. } | Self::Unknown => (None, None),
        };
        model
            .into_iter()
            .flat_map(|model| &model.offers)
            .filter(move |offer| pin.is_none_or(|provider| offer.provider == provider))
    }
}
