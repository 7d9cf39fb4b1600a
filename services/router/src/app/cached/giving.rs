//! Giving a stored answer, with a record of its own.

use std::time::Instant;

use keyward_money::Usage;
use keyward_proto::metering::v1::{AttemptStatus, UsageEvent};
use keyward_runtime::{ids, time};

use crate::app::RouteError;
use crate::app::answer::{AnswerHead, CacheOutcome, Summary};
use crate::app::attempt::owner;
use crate::app::dispatch::Dispatch;
use crate::domain::cache::StoredAnswer;
use crate::domain::parcel::{Held, Parcel};

/// What a stored answer says of its attempt.
const TOLD: &str = "the same request was answered before, and its answer was stored";

impl Dispatch {
    /// Gives a stored answer, once its record is written.
    pub(super) async fn give(&mut self, answer: &StoredAnswer) -> Result<(), RouteError> {
        let entry = self.core.metering.place()?;
        self.stands_with_store(CacheOutcome::Hit);
        let parcel = Parcel::closing(Held::default(), self.cached_event(answer), true);
        self.core.metering.close_books(&entry, parcel).await;
        self.leave(Usage::default()).await;
        self.remember(|| answer.clone()).await;
        if !self.hand_over(answer, self.cached_head(answer)).await {
            return Ok(());
        }
        let summary = Summary {
            usage: answer.usage.map(Usage::from).unwrap_or_default(),
            service_tier: answer.service_tier.clone(),
            ..Summary::nothing()
        };
        self.answer.finish(summary).await;
        Ok(())
    }

    /// Sends a stored answer, but for how it ends; whether its caller stayed for it.
    pub(in crate::app) async fn hand_over(&self, answer: &StoredAnswer, head: AnswerHead) -> bool {
        if self.answer.head(head).is_err() {
            return false;
        }
        for piece in answer.pieces(self.body_metadata) {
            if self.answer.send(piece).await.is_err() {
                return false;
            }
        }
        true
    }

    fn cached_head(&self, answer: &StoredAnswer) -> AnswerHead {
        let mut head = AnswerHead::stored(answer, CacheOutcome::Hit);
        head.inference_id.clone_from(&self.inference_id);
        head.headers.extend(self.limit_headers(answer.is_own()));
        head
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
}
