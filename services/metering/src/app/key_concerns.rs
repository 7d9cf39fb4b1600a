//! Provider keys that need care. The vault knows of them and calls nobody, so it is asked again and
//! again; an occasion that was told of is not told of again, whoever asks.

use std::time::Duration;

use async_trait::async_trait;
use keyward_runtime::{error, time};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::App;
use crate::MeteringError;
use crate::domain::notice::KeyConcern;

/// How often the vault is asked what has changed: a failing key is told of this much later at most.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// How often it is asked of all keys anew: they grow old and expire without being changed.
const ALL_EVERY: Duration = Duration::from_hours(1);

/// A part of what there is to know.
#[derive(Debug, Default)]
pub(crate) struct KeyConcerns {
    pub(crate) concerns: Vec<KeyConcern>,
    /// Where to go on.
    pub(crate) next: String,
    /// Whether there is nothing more now.
    pub(crate) caught_up: bool,
}

/// Knows which keys need care: the vault.
#[async_trait]
pub(crate) trait KeyWatch: Send + Sync {
    /// The next part, from where the one before ended; from the start where `place` is empty.
    async fn concerns(&self, place: &str) -> Result<KeyConcerns, MeteringError>;
}

/// How far somebody who asks has come.
#[derive(Debug, Default)]
struct Place {
    at: String,
    /// When all keys were asked for last.
    all: Option<Instant>,
}

impl App {
    /// Asks until told to stop, and writes notices of what is new.
    pub(crate) async fn watch_keys_until(&self, keys: &dyn KeyWatch, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut place = Place::default();
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if place.all.is_none_or(|asked| asked.elapsed() >= ALL_EVERY) {
                place = Place {
                    at: String::new(),
                    all: Some(Instant::now()),
                };
            }
            let told = self.tell_of_keys(keys, &mut place.at);
            if let Some(Err(fault)) = stop.run_until_cancelled(told).await {
                tracing::debug!(error.chain = %error::chain(&fault), "keys must be asked for later");
            }
        }
    }

    /// Writes notices of all that there is to know behind a place, which moves on with what is
    /// written.
    pub(crate) async fn tell_of_keys(
        &self,
        keys: &dyn KeyWatch,
        place: &mut String,
    ) -> Result<(), MeteringError> {
        loop {
            let known = keys.concerns(place).await?;
            let now = time::now();
            for notice in known.concerns.iter().flat_map(|key| key.notices(now)) {
                self.store.notice_insert(notice).await?;
            }
            *place = known.next;
            if known.caught_up {
                return Ok(());
            }
        }
    }
}
