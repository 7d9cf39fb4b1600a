//! Sends what is in the outbox, and keeps it small.

mod meters;

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use keyward_runtime::{error, time};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::MeteringError;
use crate::courier::{TIMEOUT, Undelivered};
use crate::domain::delivery::{GIVEN_UP_AFTER, Next, after_failure, rests_until};
use crate::store::notices::{Outgoing, Tried, TryEnd};

pub(crate) use meters::OutboxMeters;

/// How often the outbox is looked at: a notice leaves this much later at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many things are under way at a time. One that hangs takes one place for as long as a try may
/// last, so this many must hang before others wait for it.
const UNDER_WAY_MAX: usize = 64;

/// How long something taken is its taker's: the longest try, and room for a busy store. It comes
/// free by itself if its taker dies.
const CLAIM: SignedDuration = SignedDuration::from_secs(60);
const _: () = assert!(CLAIM.as_secs().unsigned_abs() > 3 * TIMEOUT.as_secs());

/// How often what is old is given up and forgotten.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// How long notices are kept: longer than the longest period of a rule, so that none is written
/// twice, and over a year, for who compares.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// How many are forgotten in one transaction.
const FORGET_MAX: u32 = 1_000;

/// The longest text of a failure that is kept.
const FAILURE_CHARS_MAX: usize = 200;

impl App {
    /// Sends what is due until told to stop; what is under way then is brought to its end.
    pub(crate) async fn send_notices_until(&self, stop: CancellationToken) {
        let mut under_way = FuturesUnordered::new();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = looks.tick() => {}
                Some(()) = under_way.next() => {}
            }
            let taken = self
                .take(UNDER_WAY_MAX - under_way.len(), time::now())
                .await;
            let taken = taken.unwrap_or_else(|fault| {
                tracing::error!(error.chain = %error::chain(&fault), "cannot read the outbox");
                Vec::new()
            });
            under_way.extend(
                taken
                    .into_iter()
                    .map(|outgoing| self.deliver(outgoing, time::now)),
            );
        }
        while under_way.next().await.is_some() {}
    }

    /// Takes what is due, as far as there is room.
    async fn take(&self, room: usize, now: Timestamp) -> Result<Vec<Outgoing>, MeteringError> {
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        if limit == 0 || !self.store.outbox_is_due(now).await? {
            return Ok(Vec::new());
        }
        let until = now.checked_add(CLAIM).unwrap_or(Timestamp::MAX);
        Ok(self.store.outbox_take(now, until, limit).await?)
    }

    /// Sends one thing, and writes down what became of it. Where that cannot be written it is sent
    /// again: better twice than not at all.
    async fn deliver(&self, outgoing: Outgoing, clock: impl Fn() -> Timestamp) {
        let sent = self
            .courier
            .send(&outgoing.endpoint, &outgoing.notice, clock())
            .await;
        let end = end(&outgoing, sent, clock());
        self.meters.outbox.tried(&end.tried);
        tell(&outgoing, &end.tried);
        if let Err(fault) = self.store.outbox_end(end).await {
            tracing::error!(
                error.chain = %error::chain(&fault),
                "cannot write down what became of a notice; it will be sent again"
            );
        }
    }

    /// Sends what is due at a time, to its end; says how much that was.
    #[cfg(test)]
    pub(crate) async fn send_at(&self, now: Timestamp) -> usize {
        let taken = self.take(UNDER_WAY_MAX, now).await.expect("works");
        let count = taken.len();
        let sending = taken
            .into_iter()
            .map(|outgoing| self.deliver(outgoing, || now));
        futures::future::join_all(sending).await;
        count
    }

    /// Gives up and forgets what is old, and counts what waits, until told to stop.
    pub(crate) async fn tidy_notices_until(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(TIDY_EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(fault) = self.tidy_notices().await {
                tracing::error!(error.chain = %error::chain(&fault), "cannot tidy the outbox");
            }
        }
    }

    async fn tidy_notices(&self) -> Result<(), MeteringError> {
        let now = time::now();
        let before = |age| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        self.store
            .outbox_give_up(before(GIVEN_UP_AFTER), now)
            .await?;
        self.store.notices_forget(before(KEPT), FORGET_MAX).await?;
        self.meters
            .outbox
            .depth(self.store.outbox_depth().await?, now);
        Ok(())
    }
}

/// What is to be written down of a try.
fn end(outgoing: &Outgoing, sent: Result<Option<u16>, Undelivered>, now: Timestamp) -> TryEnd {
    let jitter = jitter();
    let tried = match sent {
        Ok(_) => Tried::Delivered,
        Err(Undelivered { message, .. }) => {
            let failure = message.chars().take(FAILURE_CHARS_MAX).collect();
            let rests_until = rests_until(outgoing.tries, now, jitter);
            match after_failure(outgoing.tries, outgoing.since, now, jitter) {
                Next::Again(due) => Tried::Failed {
                    due,
                    rests_until,
                    failure,
                },
                Next::GivenUp => Tried::GivenUp {
                    rests_until,
                    failure,
                },
            }
        }
    };
    TryEnd {
        id: outgoing.id,
        tries: outgoing.tries,
        webhook: outgoing.endpoint.webhook.id,
        time: now,
        tried,
    }
}

/// Random; the middle where there is no randomness, which harms nobody.
fn jitter() -> u8 {
    let mut byte = [127];
    let _ = SystemRandom::new().fill(&mut byte);
    byte[0]
}

/// An address may hold a secret of its owner's, so webhooks are named by their ids.
fn tell(outgoing: &Outgoing, tried: &Tried) {
    let (webhook, notice) = (outgoing.endpoint.webhook.id, outgoing.notice.id);
    let tries = outgoing.tries;
    match tried {
        Tried::Delivered => {
            tracing::debug!(webhook.id = %webhook, notice.id = %notice, tries, "a notice was delivered");
        }
        Tried::Failed { failure, .. } => {
            tracing::info!(webhook.id = %webhook, notice.id = %notice, tries, failure, "a notice was not delivered and will be sent again");
        }
        Tried::GivenUp { failure, .. } => {
            tracing::warn!(webhook.id = %webhook, notice.id = %notice, tries, failure, "a notice could not be delivered for a day and is given up");
        }
    }
}
