//! How fast models answered lately, as this router saw them: by provider and model, and by provider.

use std::sync::Arc;

use moka::sync::Cache;
use parking_lot::Mutex;

use crate::domain::health::Pace;

/// Models that are remembered, at 1 KB each: as many as a busy router calls in some minutes.
const MODELS_MAX: u64 = 2_000;

/// Paces by `provider/model`, and by provider alone.
#[derive(Debug)]
pub(super) struct Paces {
    kept: Cache<String, Arc<Mutex<Pace>>>,
}

impl Paces {
    pub(super) fn new() -> Self {
        Self {
            kept: Cache::new(MODELS_MAX),
        }
    }

    /// Notes something of a model.
    pub(super) fn note(&self, provider: &str, model: &str, note: impl Fn(&mut Pace)) {
        for name in [name(provider, model), provider.to_owned()] {
            let pace = self.kept.get_with(name, Arc::default);
            note(&mut pace.lock());
        }
    }

    pub(super) fn get(&self, provider: &str, model: &str) -> Option<Pace> {
        let pace = self.kept.get(&name(provider, model))?;
        let pace = pace.lock();
        Some(pace.clone())
    }

    pub(super) fn of_provider(&self, provider: &str) -> Pace {
        let pace = self.kept.get(provider);
        pace.map(|pace| pace.lock().clone()).unwrap_or_default()
    }
}

fn name(provider: &str, model: &str) -> String {
    format!("{provider}/{model}")
}
