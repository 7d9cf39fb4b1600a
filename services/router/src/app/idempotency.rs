//! Requests that came with an `Idempotency-Key`: the first is served, who sends it again gets its answer
//! and pays nothing. Streams are not remembered.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward_money::Usage;
use keyward_runtime::error::Reason;
use tokio_util::sync::CancellationToken;

use super::answer::{AnswerHead, CacheOutcome, Summary};
use super::dispatch::Dispatch;
use super::{RouteError, now_ms, sealing};
use crate::domain::cache::StoredAnswer;
use crate::domain::repeatable::Repeatable;
use crate::store::StoreError;
use crate::store::answers::{AnswerStore, Claim, FORGET_STEP, Finish, Found};

/// How long an answer is remembered.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long a place is held by one word of who holds it: a router that was lost leaves its places until
/// then. Longer than clocks of routers differ and a store is slow.
const HELD_MS: i64 = 30 * 1_000;
/// How often who is under way says so.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often what is over is forgotten. Nobody is given it before, so this is about room alone.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// The turn of the first of the same requests.
#[derive(Debug)]
pub(super) struct Turn {
    repeatable: Repeatable,
    is_over: AtomicBool,
}

impl Dispatch {
    /// Takes the turn of a request that may come again; answers it, if it came before. Says whether it
    /// did.
    pub(super) async fn take_turn(&mut self) -> Result<bool, RouteError> {
        let Some(repeatable) = self.repeatable() else {
            return Ok(false);
        };
        let now_ms = signed_now_ms();
        let claim = Claim {
            place: repeatable.place,
            matches: repeatable.matches,
            holder: self.inference_id.clone(),
            now_ms,
            expire_ms: now_ms.saturating_add(HELD_MS),
        };
        match self
            .core
            .answers
            .claim(claim)
            .await
            .map_err(|error| away(&error))?
        {
            Found::Free => {
                self.turn = Some(
                    Turn {
                        repeatable,
                        is_over: AtomicBool::new(false),
                    }
                    .into(),
                );
                Ok(false)
            }
            Found::Running => Err(RouteError::new(
                Reason::IdempotencyInProgress,
                "a request with this `Idempotency-Key` is under way",
            )),
            Found::Other => Err(RouteError::new(
                Reason::IdempotencyMismatch,
                "this `Idempotency-Key` came with another body before",
            )),
            Found::Answer(sealed) => {
                let answer = sealing::open(&repeatable.seal, &repeatable.place, sealed);
                let answer = answer.ok_or_else(|| RouteError::away("the stored answer"))?;
                self.give_again(&answer).await;
                Ok(true)
            }
        }
    }

    /// Holds its place for as long as it is polled.
    pub(super) fn hold_turn(&self) -> impl Future<Output = Infallible> + Send + use<> {
        let (core, turn) = (Arc::clone(&self.core), self.turn.clone());
        let holder = self.inference_id.clone();
        async move {
            let Some(turn) = turn else {
                return std::future::pending().await;
            };
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                let expire_ms = signed_now_ms().saturating_add(HELD_MS);
                let place = turn.repeatable.place;
                if let Err(error) = core.answers.renew(place, holder.clone(), expire_ms).await {
                    let error = keyward_runtime::error::chain(&error);
                    tracing::warn!(%error, "a request's place is not held for longer");
                }
            }
        }
    }

    /// What it is known by, if it is to be remembered.
    fn repeatable(&self) -> Option<Repeatable> {
        if self.idempotency_key.is_empty() || self.request.is_stream() {
            return None;
        }
        let principal = self.behalf.principal();
        let account = principal.billing_account()?.key();
        let user = principal.user.as_ref().map_or("", |user| user.uid.as_str());
        let caller = format!("{account} {user}");
        let request = &self.request;
        // Some forms have the model in the address alone.
        let asked = format!("{:?} {}", request.form(), request.model());
        let (key, body) = (&self.idempotency_key, request.body());
        Some(Repeatable::of(&caller, key, &asked, body))
    }

    /// Remembers the answer, before it goes to the caller.
    pub(super) async fn remember(&self, answer: impl FnOnce() -> StoredAnswer) {
        let Some(turn) = &self.turn else {
            return;
        };
        let answer = StoredAnswer {
            inference_id: self.inference_id.clone(),
            ..answer()
        };
        let (place, seal) = (turn.repeatable.place, &turn.repeatable.seal);
        let Some(sealed) = sealing::seal(seal, &place, &answer) else {
            return;
        };
        let expire_ms = signed_now_ms().saturating_add(REMEMBERED_MS);
        let finish = Finish {
            place,
            holder: self.inference_id.clone(),
            answer: sealed,
            expire_ms,
        };
        match self.core.answers.finish(finish).await {
            Ok(()) => turn.is_over.store(true, Ordering::Relaxed),
            Err(error) => {
                let error = keyward_runtime::error::chain(&error);
                tracing::error!(%error, "an answer is not remembered");
            }
        }
    }

    /// The request is over: where it has no answer that is remembered, it may come again.
    pub(super) async fn end_turn(&self) {
        let Some(turn) = &self.turn else {
            return;
        };
        if turn.is_over.swap(true, Ordering::Relaxed) {
            return;
        }
        let (place, holder) = (turn.repeatable.place, self.inference_id.clone());
        if let Err(error) = self.core.answers.release(place, holder).await {
            let error = keyward_runtime::error::chain(&error);
            tracing::error!(%error, "a request's place is not given back, and stands until it expires");
        }
    }

    /// The first answer again, under its own id: its receipt is this one's.
    async fn give_again(&mut self, answer: &StoredAnswer) {
        self.leave(Usage::default()).await;
        let mut head = AnswerHead::stored(answer, CacheOutcome::Bypass);
        let replayed = ("idempotency-replayed".to_owned(), "true".to_owned());
        head.headers.push(replayed);
        if self.hand_over(answer, head).await {
            self.answer.finish(Summary::nothing()).await;
        }
    }
}

/// Forgets what nobody can ask for any more, until the process stops.
pub(crate) async fn forget_answers(store: Arc<dyn AnswerStore>, stopping: CancellationToken) {
    let forgetting = async {
        loop {
            tokio::time::sleep(FORGET_EVERY).await;
            while store.forget(signed_now_ms()).await.unwrap_or(0) == FORGET_STEP {}
        }
    };
    stopping.run_until_cancelled(forgetting).await;
}

fn signed_now_ms() -> i64 {
    i64::try_from(now_ms()).unwrap_or(i64::MAX)
}

fn away(error: &StoreError) -> RouteError {
    let error = keyward_runtime::error::chain(error);
    tracing::error!(%error, "what requests came to cannot be looked up");
    RouteError::away("the store of answers")
}
