//! How long the answers of models were lately, as this router saw them. Kept for as many models as
//! are in use, each with a lock of its own.

use std::sync::Arc;

use keyward_money::Usage;
use moka::sync::Cache;
use parking_lot::Mutex;

use crate::domain::estimate::Lengths;

/// Models that are remembered: a few times as many as the catalogue's popular ones, at 4 KB each.
const MODELS_MAX: u64 = 512;

/// The lengths of answers, by model.
#[derive(Debug)]
pub(crate) struct LengthBook {
    models: Cache<String, Arc<Mutex<Lengths>>>,
}

impl LengthBook {
    pub(crate) fn new() -> Self {
        Self {
            models: Cache::new(MODELS_MAX),
        }
    }

    /// Remembers an answer: what a provider reported of it, in so many choices.
    pub(super) fn note(&self, model: &str, usage: &Usage, choices: u64) {
        let tokens = u64::try_from(usage.completion_tokens()).unwrap_or(0);
        let lengths = match self.models.get(model) {
            Some(lengths) => lengths,
            None => self.models.get_with_by_ref(model, Arc::default),
        };
        lengths.lock().note(tokens.div_ceil(choices.max(1)));
    }

    /// How long the next answer is expected to be.
    pub(super) fn expected(&self, model: &str) -> u64 {
        let lengths = self.models.get(model);
        lengths.map_or_else(
            || Lengths::default().expected(),
            |lengths| lengths.lock().expected(),
        )
    }
}
