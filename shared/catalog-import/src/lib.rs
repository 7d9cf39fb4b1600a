//! Published price lists, read into the catalogue's form. Four forms are understood: LiteLLM's price
//! map, genai-prices' data, models.dev's `api.json` and OpenRouter's list of models.
//!
//! Each list becomes [`Row`]s: what one provider says of one model, in our units. [`sanity`] refuses
//! prices that cannot be; [`merge`] makes models of the rows of one or two lists; [`report`] says
//! where two lists disagree; [`refresh`] puts a list over the data in use, holding back what is not
//! plausible; [`diff`] says what changed. Nothing here reads a file or calls anybody.

pub mod decimal;
pub mod diff;
mod forms;
mod genai_prices;
mod identity;
mod litellm;
pub mod merge;
mod models_dev;
mod openrouter;
pub mod refresh;
pub mod report;
mod row;
pub mod sanity;

pub use forms::{Form, Reading};
pub use row::Row;

/// Why a list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is not of the form that it should have.
    #[error("this is not {form}'s form")]
    Malformed {
        /// The form.
        form: &'static str,
        /// What was found instead.
        #[source]
        source: serde_json::Error,
    },
    /// It has the form, and nothing in it is of a provider known here.
    #[error("this has {form}'s form, but no model of a provider known here")]
    Empty {
        /// The form.
        form: &'static str,
    },
}
