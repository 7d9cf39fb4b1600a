//! Answers from the store: looked for once the request is let in, and given without a hold, a key or a
//! provider; kept once a provider has answered in full.

mod giving;
mod keeping;
mod looking;

use std::sync::Arc;
use std::time::Duration;

use keyward_runtime::telemetry::names;

use super::answer::CacheOutcome;
use super::cache::{Flight, Landing};
use super::dispatch::Dispatch;
use super::{Behalf, Core, RouteError};
use crate::domain::cache::{Form, Key, Wish};
use crate::domain::plan::Plan;
pub(super) use keeping::Tape;
use looking::Looked;

/// How a request stands with the store.
#[derive(Debug, Default)]
pub(super) enum Caching {
    /// It has nothing to do with it.
    #[default]
    Bypass,
    /// Its answer is to be stored.
    Miss(Box<Lookup>),
}

/// An answer that was looked for and is not there.
#[derive(Debug)]
pub(super) struct Lookup {
    key: Key,
    /// The model that the answer has to be of.
    model: Arc<str>,
    /// How long it is to be given; as the settings say where `None`.
    lifetime: Option<Duration>,
    /// Ends the wait of those who want the same.
    flight: Option<Flight>,
}

impl Caching {
    pub(super) fn outcome(&self) -> CacheOutcome {
        match self {
            Self::Bypass => CacheOutcome::Bypass,
            Self::Miss(_) => CacheOutcome::Miss,
        }
    }

    /// Says how it ends, for those who wait for it.
    pub(super) fn land(&self, landing: Landing) {
        if let Self::Miss(lookup) = self
            && let Some(flight) = &lookup.flight
        {
            flight.land(landing);
        }
    }
}

impl Dispatch {
    /// Answers from the store, if the very request was answered before; says whether it did.
    pub(super) async fn answer_from_store(&mut self, plan: &Plan) -> Result<bool, RouteError> {
        let layers = self.core.policies.layers(self.behalf.principal()).await?;
        let by_access_key = self.behalf.principal().cache;
        let wish = Wish::of(self.caching_said, by_access_key, &layers);
        let Some((key, model)) = self.cache_key(plan, wish) else {
            self.stands_with_store(CacheOutcome::Bypass);
            return Ok(false);
        };
        let (flight, refusal) = match self.look(&key, plan).await {
            Looked::Found(answer) => return self.give(&answer).await.map(|()| true),
            Looked::Left => return Ok(true),
            Looked::Refused(refusal) => (None, Some(refusal)),
            Looked::Missing(flight) => (flight, None),
        };
        let lookup = Lookup {
            key,
            model,
            lifetime: wish.lifetime,
            flight,
        };
        self.caching = Arc::new(Caching::Miss(Box::new(lookup)));
        self.stands_with_store(CacheOutcome::Miss);
        if let Some(refusal) = &refusal {
            self.tell_refusal(refusal).await;
        }
        Ok(refusal.is_some())
    }

    /// Counts how the request stands with the store, and says so in its span.
    fn stands_with_store(&self, outcome: CacheOutcome) {
        self.core.cache.asked(outcome);
        self.span.set(names::CACHE, outcome.as_str());
    }

    /// By what its answer is found, and the model that it is to be of; none where it is not to be
    /// stored. What brings its own key is not: nobody knows yet whether that key may have an answer.
    fn cache_key(&self, plan: &Plan, wish: Wish) -> Option<(Key, Arc<str>)> {
        if self.inline_key.is_some() || !self.core.cache.is_wanted(wish.wanted) {
            return None;
        }
        let form = Form::of(&self.request)?;
        let model = &plan.candidates.first()?.model;
        let tenant = self.behalf.principal().billing_account()?.key();
        let key = Key::of(&tenant, model, form, self.request.body_text())?;
        Some((key, Arc::clone(model)))
    }
}

impl Core {
    /// Takes stored answers of the caller's account away: those of requests with a tag, or all.
    pub(crate) async fn purge_cache(&self, behalf: &Behalf, tag: &str) -> Result<u64, RouteError> {
        let Some(account) = behalf.principal().billing_account() else {
            return Ok(0);
        };
        let tag = Some(tag).filter(|tag| !tag.is_empty());
        let purged = self.cache.purge(&account.key(), tag).await;
        purged.map_err(|error| {
            tracing::warn!(error = %keyward_runtime::error::chain(&error), "no answers were purged");
            RouteError::away("the store of answers")
        })
    }
}
