//! From one candidate to the next, within the number of attempts and the time that a request has;
//! what the caller is told where nothing serves.

use std::collections::VecDeque;
use std::time::Duration;

use keyward_proto::metering::v1::KeySource;
use tokio::time::Instant;

use super::{Dispatch, Failed, Outcome};
use crate::app::RouteError;
use crate::app::answer::AnswerSender;
use crate::domain::failure::{Failure, Fault};
use crate::domain::plan::{Candidate, Plan, Refusal};

/// The longest wait for a key that is limited, where nothing else can serve.
const SHORT_WAIT_MS_MAX: u64 = 2_000;

/// What a caller could be told where nothing serves: the first of each.
#[derive(Default)]
struct Told {
    own: Option<Failed>,
    system: Option<Failed>,
    skipped: Option<RouteError>,
}

impl Told {
    fn hear(&mut self, candidate: &Candidate, failed: Failed) {
        let place = match candidate.source {
            KeySource::System => &mut self.system,
            _ => &mut self.own,
        };
        place.get_or_insert(failed);
    }
}

impl Dispatch {
    /// The error is to be told.
    pub(super) async fn walk(&self, plan: Plan) -> Result<(), RouteError> {
        let mut queue = Queue::of(plan.candidates);
        let mut told = Told::default();
        'walk: while let Some(next) = queue.next(&self.answer).await {
            if self.answer.is_closed() {
                return Ok(());
            }
            if !self.may_try() {
                break;
            }
            for (candidate, outcome) in self.try_next(next, &mut queue).await {
                match outcome {
                    Outcome::Over => return Ok(()),
                    Outcome::Stop(error) => {
                        told.skipped = Some(error);
                        break 'walk;
                    }
                    Outcome::Later => queue.postpone(candidate),
                    Outcome::Skipped(error) => {
                        told.skipped.get_or_insert(error);
                    }
                    Outcome::Failed(failed) if !failed.failure.fails_over() => {
                        return Err(failed.error);
                    }
                    Outcome::Failed(failed) => {
                        queue.learn(&candidate, failed.failure, self.answer.due());
                        told.hear(&candidate, failed);
                    }
                }
            }
        }
        self.give_up(told, plan.refusal.as_ref()).await
    }

    /// Whether one more attempt may be begun.
    fn may_try(&self) -> bool {
        let failover = &self.core.failover;
        let is_first = self.attempts() == 0;
        let has_time = is_first || self.began.elapsed() < failover.budget;
        has_time && self.attempts() < failover.max_attempts && !self.closing.is_over()
    }

    /// Nothing served. What the caller learns is its own key's failure, the first one by precedence:
    /// the platform's keys were only to help.
    async fn give_up(&self, told: Told, refusal: Option<&Refusal>) -> Result<(), RouteError> {
        let refused = || refusal.map(|refusal| RouteError::refused(refusal, self.request.model()));
        let failed = match (told.own, refused(), told.system) {
            (Some(own), _, _) => own,
            (None, Some(refused), _) => return Err(refused),
            (None, None, Some(system)) => system,
            (None, None, None) => {
                let skipped = told.skipped;
                return Err(skipped.unwrap_or_else(|| RouteError::away("every provider")));
            }
        };
        match failed.answer {
            Some(answer) => {
                self.pass_on(*answer).await;
                Ok(())
            }
            None => Err(failed.error),
        }
    }
}

/// The candidates that are left, in order.
pub(super) struct Queue {
    candidates: VecDeque<Candidate>,
    /// Those that are better tried after all others.
    postponed: VecDeque<Candidate>,
    /// The first limited one that will serve soon, and when.
    limited: Option<(Candidate, Instant)>,
    waited: bool,
}

/// The candidate whose turn it is.
pub(super) struct Next {
    pub(super) candidate: Candidate,
    /// Whether nothing better is left.
    pub(super) is_last: bool,
}

impl Queue {
    fn of(candidates: Vec<Candidate>) -> Self {
        Self {
            candidates: candidates.into(),
            postponed: VecDeque::new(),
            limited: None,
            waited: false,
        }
    }

    /// The next candidate; when there are no more, the limited one, once, after its wait.
    async fn next(&mut self, answer: &AnswerSender) -> Option<Next> {
        if let Some(candidate) = self.candidates.pop_front() {
            let is_last = self.candidates.is_empty() && self.postponed.is_empty();
            return Some(Next { candidate, is_last });
        }
        let is_last = true;
        if let Some(candidate) = self.postponed.pop_front() {
            return Some(Next { candidate, is_last });
        }
        let (candidate, until) = self.limited.take()?;
        self.waited = true;
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = answer.closed() => {}
        }
        Some(Next { candidate, is_last })
    }

    /// The one whose turn would be after this one.
    pub(super) fn peek(&self) -> Option<&Candidate> {
        self.candidates.front()
    }

    /// Takes that one, if it is to be tried.
    pub(super) fn take_if(&mut self, is_to_be: bool) -> Option<Candidate> {
        is_to_be.then(|| self.candidates.pop_front()).flatten()
    }

    /// It was not tried after all.
    pub(super) fn put_back(&mut self, candidate: Candidate) {
        self.candidates.push_front(candidate);
    }

    fn postpone(&mut self, candidate: Candidate) {
        self.postponed.push_back(candidate);
    }

    fn keep(&mut self, is_left: impl Fn(&Candidate) -> bool) {
        self.candidates.retain(&is_left);
        self.postponed.retain(is_left);
    }

    /// A candidate failed so; `due` is when the caller is to be answered.
    fn learn(&mut self, candidate: &Candidate, failure: Failure, due: Option<Instant>) {
        match failure.fault() {
            Fault::Model => self.keep(|next| {
                next.provider != candidate.provider
                    || next.upstream_model != candidate.upstream_model
            }),
            // Whatever the model, it would be refused again.
            Fault::Key | Fault::Quota => self.keep(|next| next.key_id() != candidate.key_id()),
            _ => {}
        }
        if let Some(wait) = short_wait(failure)
            && !self.waited
        {
            let until = Instant::now() + wait;
            if due.is_none_or(|due| until < due) {
                self.limited
                    .get_or_insert_with(|| (candidate.clone(), until));
            }
        }
    }
}

fn short_wait(failure: Failure) -> Option<Duration> {
    match failure {
        Failure::RateLimited { retry_after_ms } if retry_after_ms <= SHORT_WAIT_MS_MAX => {
            Some(Duration::from_millis(retry_after_ms))
        }
        _ => None,
    }
}
