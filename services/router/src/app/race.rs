//! Two attempts that run side by side for one request: the caller gets the answer of the one that
//! commits first, and the other one ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SetOnce;
use tokio::time::{Instant, sleep_until};

use super::answer::AnswerSender;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runner {
    /// The one that was sent first.
    First,
    /// The one that was begun because the first took its time.
    Second,
}

/// The race of two attempts.
#[derive(Debug, Default)]
pub(super) struct Race {
    /// When the first was sent.
    sent: SetOnce<Instant>,
    /// Whose answer the caller gets.
    winner: SetOnce<Runner>,
}

impl Race {
    /// The lanes of the two.
    pub(super) fn lanes(self: &Arc<Self>) -> (Lane, Lane) {
        let lane = |runner| Lane(Some((Arc::clone(self), runner)));
        (lane(Runner::First), lane(Runner::Second))
    }

    /// Comes back when the first was sent so long ago.
    pub(super) async fn is_slow(&self, after: Duration) {
        let sent = *self.sent.wait().await;
        sleep_until(sent + after).await;
    }

    pub(super) fn winner(&self) -> Option<Runner> {
        self.winner.get().copied()
    }
}

/// Where an attempt runs: alone, or beside another.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane(Option<(Arc<Race>, Runner)>);

impl Lane {
    /// The attempt is being sent.
    pub(super) fn sent(&self) {
        if let Some((race, Runner::First)) = &self.0 {
            // A limited key is asked a second time; what counts is the first.
            let _ = race.sent.set(Instant::now());
        }
    }

    /// The answer is this one's from now on. Says whether it is: the other may have been first.
    pub(super) fn claim(&self) -> bool {
        let Some((race, runner)) = &self.0 else {
            return true;
        };
        let _ = race.winner.set(*runner);
        race.winner() == Some(*runner)
    }

    /// Whether the other one was first.
    pub(super) fn is_lost(&self) -> bool {
        let Some((race, runner)) = &self.0 else {
            return false;
        };
        race.winner().is_some_and(|winner| winner != *runner)
    }

    /// Whether it is the first of two.
    pub(super) fn is_first(&self) -> bool {
        matches!(&self.0, Some((_, Runner::First)))
    }

    /// Comes back once the other one was first.
    async fn lost(&self) {
        match &self.0 {
            Some((race, runner)) if race.winner.wait().await != runner => {}
            _ => std::future::pending().await,
        }
    }
}

/// Who an attempt answers: the caller, as long as it is there and has no other answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Audience<'a> {
    pub(super) answer: &'a AnswerSender,
    pub(super) lane: &'a Lane,
}

impl Audience<'_> {
    /// Comes back when nobody waits for this attempt any more.
    pub(super) async fn gone(self) {
        tokio::select! {
            () = self.answer.closed() => {}
            () = self.lane.lost() => {}
        }
    }

    pub(super) fn is_gone(self) -> bool {
        self.lane.is_lost() || self.answer.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_has_won() {
        let lane = Lane::default();
        assert!(!lane.is_lost() && lane.claim() && !lane.is_lost());
    }

    #[tokio::test]
    async fn of_two_the_first_to_claim_has_the_answer_for_good() {
        let race = Arc::new(Race::default());
        let (first, second) = race.lanes();
        assert!(!first.is_lost() && !second.is_lost());
        assert!(second.claim() && second.claim() && !first.claim());
        assert!(first.is_lost() && !second.is_lost());
        first.lost().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_is_slow_so_long_after_it_was_sent() {
        let race = Arc::new(Race::default());
        let (first, second) = race.lanes();
        second.sent();
        let after = Duration::from_millis(300);
        let waiting = tokio::time::timeout(Duration::from_secs(1), race.is_slow(after));
        assert!(waiting.await.is_err(), "the first was not sent yet");
        first.sent();
        let sent = Instant::now();
        race.is_slow(after).await;
        assert_eq!(sent.elapsed(), after);
    }
}
