//! A second attempt beside one that takes longer than usual: whoever commits first serves, the other
//! is cancelled, and the caller pays for one.

use std::sync::Arc;
use std::time::Duration;

use super::walk::{Next, Queue};
use super::{Dispatch, Outcome};
use crate::app::cached::Caching;
use crate::app::now_ms;
use crate::app::race::{Lane, Race, Runner};
use crate::config::Hedge;
use crate::domain::hedge;
use crate::domain::plan::Candidate;

/// A candidate, and what became of it.
pub(super) type Tried = (Candidate, Outcome);

/// How a hedge came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Hedged {
    /// It answered first.
    Won,
    /// The first attempt did, after all.
    Lost,
    /// Neither did.
    Neither,
    /// It was not sent: its hold was refused, or it was not its time.
    Withheld,
}

impl Dispatch {
    /// Tries a candidate, and the one behind it at the same time where it takes longer than usual.
    pub(super) async fn try_next(&self, next: Next, queue: &mut Queue) -> Vec<Tried> {
        let Some(after) = self.hedges_after(&next.candidate, queue.peek()) else {
            let tried = self.try_in(Lane::default(), &next.candidate, next.is_last);
            let outcome = Box::pin(tried).await;
            return vec![(next.candidate, outcome)];
        };
        let (outcome, rival) = self.race(&next, after, queue).await;
        let mut tried = vec![(next.candidate, outcome)];
        match rival {
            // It was not sent, and may be still.
            Some((rival, Outcome::Skipped(_))) => queue.put_back(rival),
            rival => tried.extend(rival),
        }
        // Where one of them has served, nothing else counts.
        tried.sort_by_key(|(_, outcome)| !matches!(outcome, Outcome::Over));
        tried
    }

    /// The first, and what ran beside it, if anything did.
    async fn race(
        &self,
        next: &Next,
        after: Duration,
        queue: &mut Queue,
    ) -> (Outcome, Option<Tried>) {
        let race = Arc::new(Race::default());
        let (lane, beside) = race.lanes();
        let mut first = Box::pin(self.try_in(lane, &next.candidate, next.is_last));
        tokio::select! {
            biased;
            outcome = &mut first => return (outcome, None),
            () = race.is_slow(after) => {}
        }
        let Some(rival) = queue.take_if(race.winner().is_none()) else {
            return (first.await, None);
        };
        let second = Box::pin(self.try_in(beside, &rival, false));
        let (one, two) = tokio::join!(first, second);
        self.count(race.winner(), &two);
        (one, Some((rival, two)))
    }

    /// Tries a candidate in a lane. What is wrong with the request itself ends the other lane too.
    async fn try_in(&self, lane: Lane, candidate: &Candidate, is_last: bool) -> Outcome {
        let outcome = self.try_candidate(candidate, is_last, &lane).await;
        if matches!(&outcome, Outcome::Failed(failed) if !failed.failure.fails_over()) {
            lane.claim();
        }
        outcome
    }

    /// After how long the second is asked too; never where its answer would be kept for later, which
    /// only one may be.
    fn hedges_after(&self, first: &Candidate, second: Option<&Candidate>) -> Option<Duration> {
        let failover = &self.core.failover;
        let is_kept = self.turn.is_some() || !matches!(*self.caching, Caching::Bypass);
        let has_room = self.attempts() + 2 <= failover.max_attempts;
        let has_time = self.began.elapsed() < failover.budget;
        // Images and sound cost more than a late answer is worth.
        let is_meant = failover.hedge != Hedge::Off && self.request.form().makes_text();
        if !is_meant || is_kept || !has_room || !has_time || self.has_hedged() {
            return None;
        }
        let streamed = self.request.is_stream();
        let health = &self.core.health;
        let late_ms = health.late_ms(&first.provider, &first.model, streamed, now_ms());
        hedge::after(first.into(), second.map(Into::into), late_ms)
    }

    fn count(&self, winner: Option<Runner>, outcome: &Outcome) {
        let hedged = match (winner, outcome) {
            (_, Outcome::Skipped(_) | Outcome::Later) => Hedged::Withheld,
            (Some(Runner::First), _) => Hedged::Lost,
            (Some(Runner::Second), _) => Hedged::Won,
            (None, _) => Hedged::Neither,
        };
        if hedged != Hedged::Withheld {
            self.hedged();
        }
        self.core.meters.hedge(hedged);
    }
}
