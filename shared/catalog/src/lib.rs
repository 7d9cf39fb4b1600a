//! The models that Keyward knows: names, providers, limits, prices; and the providers themselves.
//! Data, not behaviour: nothing here calls anybody or knows whose key serves.
//!
//! Three files lie over one another: the generated one or a version that was applied since, the one
//! that is kept by hand, and the operator's overlay. The upper one wins.
//!
//! Prices are published list prices. Where one depends on the time of day the dearest is listed;
//! where one is not certain the offer has none, and only own keys can use it.

mod build;
mod catalog;
mod data;
mod folder;
mod handle;
mod layers;
mod model;
mod provider;
mod reference;

pub use catalog::Catalog;
pub use data::{CatalogFile, ModelEntry, Numbers, OfferEntry, SCHEMA, Source};
pub use folder::{CatalogFolder, Choice, FolderError, Stamp};
pub use handle::CatalogHandle;
pub use model::{Capability, Endpoint, Modality, Model, Offer, Thinking};
pub use provider::{Dialect, ProviderInfo};
pub use reference::ModelRef;

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// It is not JSON of the expected form.
    #[error("the catalogue is not of the expected form")]
    Malformed(#[from] serde_json::Error),
    /// It was written for another version of this program.
    #[error("the catalogue has schema {found}, expected {expected}")]
    Schema {
        /// What it says.
        found: u32,
        /// What is understood here.
        expected: u32,
    },
    /// It contradicts itself.
    #[error("the catalogue contradicts itself at {name:?}: {problem}")]
    Contradiction {
        /// The model, alias or provider concerned.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It offers a model at a provider that nobody knows.
    #[error(
        "{model} is offered at {provider}, which is no provider here; one of your own is added by the \
         setting `providers.{provider}.base_url`, in the settings' file where the name has a hyphen"
    )]
    UnknownProvider {
        /// The model's id.
        model: String,
        /// The provider.
        provider: String,
    },
}
