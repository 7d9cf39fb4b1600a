//! Answers from the store: looked for once the request is let in, and given without a hold, a key or a
//! provider; kept once a provider has answered in full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use keyward_money::{Nanos, Usage};
use keyward_proto::metering::v1::{AttemptStatus, KeySource, UsageEvent};
use keyward_runtime::telemetry::names;
use keyward_runtime::{ids, time};

use super::answer::{AnswerHead, CacheOutcome, Summary};
use super::attempt::{Attempt, Ending, owner};
use super::cache::{Boarding, Flight};
use super::dispatch::Dispatch;
use super::{Behalf, Core, RouteError};
use crate::domain::cache::{ANSWER_BYTES_MAX, Form, Key, StoredAnswer, Wish};
use crate::domain::parcel::{Held, Parcel};
use crate::domain::plan::Plan;

/// How long one request waits for the same one that came before it; then it asks by itself.
const FOLLOW_MAX: Duration = Duration::from_secs(30);

/// What a stored answer says of its attempt.
const TOLD: &str = "the same request was answered before, and its answer was stored";

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
    _flight: Option<Flight>,
}

impl Caching {
    pub(super) fn outcome(&self) -> CacheOutcome {
        match self {
            Self::Bypass => CacheOutcome::Bypass,
            Self::Miss(_) => CacheOutcome::Miss,
        }
    }
}

/// What of a stream has passed, as long as it is small enough to be stored.
#[derive(Debug)]
pub(super) struct Tape(Option<BytesMut>);

impl Tape {
    pub(super) fn record(&mut self, pieces: &[Bytes]) {
        for piece in pieces {
            let room = |tape: &BytesMut| tape.len() + piece.len() <= ANSWER_BYTES_MAX;
            match self.0.as_mut().filter(|tape| room(tape)) {
                Some(tape) => tape.extend_from_slice(piece),
                None => self.0 = None,
            }
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
        let mut found = self.stored(&key, plan).await;
        let mut flight = None;
        if found.is_none() {
            match self.core.cache.board(&key) {
                Boarding::First(first) => {
                    flight = Some(first);
                    // Whoever was through just before has put it there.
                    found = self.stored(&key, plan).await;
                }
                Boarding::Behind(mut before) => {
                    tokio::select! {
                        _ = before.changed() => {}
                        () = tokio::time::sleep(FOLLOW_MAX) => {}
                        () = self.closing.over() => {}
                        () = self.answer.closed() => return Ok(true),
                    }
                    found = self.stored(&key, plan).await;
                }
            }
        }
        if let Some(answer) = found {
            drop(flight);
            return self.give(&answer).await.map(|()| true);
        }
        let lookup = Lookup {
            key,
            model,
            lifetime: wish.lifetime,
            _flight: flight,
        };
        self.caching = Arc::new(Caching::Miss(Box::new(lookup)));
        self.stands_with_store(CacheOutcome::Miss);
        Ok(false)
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

    /// A stored answer that this request might have got from a provider, too.
    async fn stored(&self, key: &Key, plan: &Plan) -> Option<Arc<StoredAnswer>> {
        let answer = self.core.cache.get(key).await?;
        let mut candidates = plan.candidates.iter();
        let is_allowed = candidates.any(|candidate| answer.is_from(candidate));
        is_allowed.then_some(answer)
    }

    /// Gives a stored answer, once its record is written.
    async fn give(&mut self, answer: &StoredAnswer) -> Result<(), RouteError> {
        let entry = self.core.metering.place()?;
        self.stands_with_store(CacheOutcome::Hit);
        let parcel = Parcel::closing(Held::default(), self.cached_event(answer), true);
        self.core.metering.close_books(&entry, parcel).await;
        self.leave(Usage::default()).await;
        self.remember(|| answer.clone()).await;
        if self.answer.head(self.cached_head(answer)).is_err() {
            return Ok(());
        }
        for piece in answer.pieces(self.body_metadata) {
            if self.answer.send(piece).await.is_err() {
                return Ok(());
            }
        }
        let summary = Summary {
            usage: answer.usage.map(Usage::from).unwrap_or_default(),
            service_tier: answer.service_tier.clone(),
            ..Summary::nothing()
        };
        self.answer.finish(summary).await;
        Ok(())
    }

    fn cached_head(&self, answer: &StoredAnswer) -> AnswerHead {
        let mut headers = self.limit_headers(answer.is_own());
        headers.push(("content-type".to_owned(), answer.content_type.clone()));
        AnswerHead {
            inference_id: self.inference_id.clone(),
            http_status: 200,
            headers,
            dropped: answer.dropped.clone(),
            provider: answer.provider.clone(),
            upstream_model: answer.upstream_model.clone(),
            source: answer.source(),
            attempts: 0,
            charge: Some(Nanos::ZERO),
            cache: CacheOutcome::Hit,
        }
    }

    fn cached_event(&self, answer: &StoredAnswer) -> UsageEvent {
        let since = |began: Instant| u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        let took = since(self.began);
        UsageEvent {
            event_id: ids::new_text(),
            inference_id: self.inference_id.clone(),
            attempt: 1,
            owner: Some(owner(self.behalf.principal())),
            provider: answer.provider.clone(),
            model: answer.model.clone(),
            upstream_model: answer.upstream_model.clone(),
            key_source: answer.source,
            status: AttemptStatus::Ok.into(),
            http_status: 200,
            reason: TOLD.to_owned(),
            usage: answer.usage,
            usage_source: answer.usage_source,
            first_byte_ms: took,
            duration_ms: took,
            start_time: Some(time::to_proto(
                time::now() - jiff::SignedDuration::from_millis(took.into()),
            )),
            endpoint: self.request.form().name().to_owned(),
            streamed: self.request.is_stream(),
            tags: self.tags.clone(),
            client_request_id: self.client_request_id.clone(),
            service_tier: answer.service_tier.clone(),
            requested_model: self.request.model().to_owned(),
            cached: true,
            candidates: self.shown.rows.clone(),
            candidates_omitted: self.shown.omitted,
            ..UsageEvent::default()
        }
    }

    /// What to record a stream on; nothing is recorded that is not to be stored.
    pub(super) fn tape(&self) -> Tape {
        let is_wanted = matches!(*self.caching, Caching::Miss(_));
        Tape(is_wanted.then(BytesMut::new))
    }

    /// Stores a plain answer, for the same request by whomever and for this very one.
    pub(super) async fn keep_plain(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        ending: &Ending,
        body: &Bytes,
    ) {
        let answer = || StoredAnswer {
            // A copy: what it is a part of may be larger.
            body: Bytes::copy_from_slice(body),
            ..kept(attempt, headers, ending)
        };
        if attempt.http_status == 200 {
            self.remember(answer).await;
        }
        if let Some(lookup) = self.to_keep(attempt) {
            self.keep(lookup, answer()).await;
        }
    }

    /// Stores a stream: what was recorded of it, and what it ends with.
    pub(super) async fn keep_stream(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        ending: &Ending,
        tape: Tape,
        last: [Option<&Bytes>; 2],
    ) {
        if let (Some(lookup), Some(body)) = (self.to_keep(attempt), tape.0) {
            let [usage_chunk, done_event] = last.map(|part| part.map(|part| part.to_vec().into()));
            let answer = StoredAnswer {
                body: body.freeze(),
                usage_chunk,
                done_event,
                streamed: true,
                ..kept(attempt, headers, ending)
            };
            self.keep(lookup, answer).await;
        }
    }

    /// Only successes are stored, and only of the model that was asked for first.
    fn to_keep(&self, attempt: &Attempt) -> Option<&Lookup> {
        match &*self.caching {
            Caching::Miss(lookup) => {
                let fits = attempt.http_status == 200 && attempt.candidate.model == lookup.model;
                fits.then_some(lookup)
            }
            Caching::Bypass => None,
        }
    }

    async fn keep(&self, lookup: &Lookup, answer: StoredAnswer) {
        if answer.fits() {
            let tags = self
                .tags
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            self.core
                .cache
                .put(&lookup.key, answer, tags.collect(), lookup.lifetime)
                .await;
        }
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

/// What is kept of an answer beside its body.
fn kept(attempt: &Attempt, headers: &HeaderMap, ending: &Ending) -> StoredAnswer {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let source: KeySource = attempt.candidate.source;
    StoredAnswer {
        model: attempt.candidate.model.to_string(),
        provider: attempt.candidate.provider.to_string(),
        upstream_model: attempt.candidate.upstream_model.to_string(),
        base_url: attempt.candidate.base_url().unwrap_or_default().to_owned(),
        source: source.into(),
        content_type: content_type.unwrap_or_default().to_owned(),
        usage: Some(ending.usage().into()),
        usage_source: ending.source.into(),
        service_tier: ending.service_tier.clone(),
        dropped: attempt.words.dropped.clone(),
        ..StoredAnswer::default()
    }
}
