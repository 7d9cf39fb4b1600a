//! Reading a provider's answer: within time-outs, and with an ear for the caller who leaves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::closing::Closing;
use super::drains::Drains;
use super::race::Audience;
use crate::domain::failure::Failure;
use crate::upstream::AnswerBody;

/// How long the end of a connection's answer is waited for after the stream's own end.
const FINISH_WAIT: Duration = Duration::from_millis(500);
/// How long an error body may take: another candidate waits for it.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(5);

/// How much of an answer is read that nobody waits for: many times a long one.
const DRAINED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What reading brought.
pub(super) enum Next {
    /// Bytes.
    Bytes(Bytes),
    /// The end.
    End,
    /// It broke off, or nothing came for too long.
    Broken(Failure),
    /// The time for the first content is over.
    Late,
    /// The caller left, and the rest is not read: cancelling stops the billing, or too much is read
    /// for nobody already.
    Left,
}

/// Reads an answer, also after its caller has left where the provider bills all the same.
pub(super) struct Reader {
    body: AnswerBody,
    idle: Duration,
    drain: Drain,
    closing: Arc<Closing>,
    /// When an abandoned answer is given up.
    abandoned: Option<Instant>,
    /// The place among those that are read although nobody waits for them.
    draining: Option<OwnedSemaphorePermit>,
    drained_bytes: usize,
}

/// What is done with an answer whose caller has gone.
#[derive(Debug)]
pub(super) struct Drain {
    pub(super) drains: Drains,
    /// How long it is read.
    pub(super) longest: Duration,
    /// Whether there is no need to.
    pub(super) cancel_stops_billing: bool,
}

impl Reader {
    pub(super) fn new(
        body: AnswerBody,
        idle: Duration,
        drain: Drain,
        closing: Arc<Closing>,
    ) -> Self {
        Self {
            body,
            idle,
            drain,
            closing,
            abandoned: None,
            draining: None,
            drained_bytes: 0,
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.is_some()
    }

    /// The caller has gone; says whether the rest is still to be read.
    pub(super) fn abandon(&mut self) -> bool {
        if self.abandoned.is_none() {
            self.abandoned = Some(Instant::now() + self.drain.longest);
            let bills = !self.drain.cancel_stops_billing;
            self.draining = bills.then(|| self.drain.drains.begin()).flatten();
        }
        self.draining.is_some()
    }

    /// Whether so many more bytes may be read.
    fn has_room(&mut self, bytes: usize) -> bool {
        if self.draining.is_some() {
            self.drained_bytes += bytes;
        }
        self.drained_bytes <= DRAINED_BYTES_MAX
    }

    /// Reads on; `late` is when the first content is due.
    pub(super) async fn next(&mut self, audience: Audience<'_>, late: Option<Instant>) -> Next {
        loop {
            let deadline = self
                .abandoned
                .unwrap_or_else(far)
                .min(Instant::now() + self.idle);
            let abandoned = self.abandoned.is_some();
            let frame = tokio::select! {
                biased;
                frame = self.body.frame() => frame,
                () = audience.gone(), if !abandoned => {
                    // Of two answers one is enough: the other is not read any further.
                    if !audience.lane.is_lost() && self.abandon() {
                        continue;
                    }
                    return Next::Left;
                }
                () = tokio::time::sleep_until(late.unwrap_or_else(far)), if late.is_some() => {
                    return Next::Late;
                }
                () = tokio::time::sleep_until(deadline) => {
                    return Next::Broken(Failure::TimedOut);
                }
                () = self.closing.over() => return Next::Broken(Failure::Stopping),
            };
            match frame {
                None => return Next::End,
                Some(Err(error)) => {
                    tracing::debug!(error = %keyward_runtime::error::chain(&error), "an answer broke off");
                    return Next::Broken(Failure::Broken);
                }
                Some(Ok(frame)) => {
                    // Trailers say nothing that is used here.
                    if let Ok(bytes) = frame.into_data() {
                        return match self.has_room(bytes.len()) {
                            true => Next::Bytes(bytes),
                            false => Next::Left,
                        };
                    }
                }
            }
        }
    }

    /// Reads what follows the end of a stream, so that its connection can be used again.
    pub(super) async fn finish(mut self) {
        let rest = async { while let Some(Ok(_)) = self.body.frame().await {} };
        let _ = tokio::time::timeout(FINISH_WAIT, rest).await;
    }

    /// Reads the beginning of an error body, for as long as one is worth waiting for.
    pub(super) async fn beginning(&mut self, audience: Audience<'_>, bytes_max: usize) -> Bytes {
        let mut beginning = bytes::BytesMut::new();
        let due = Instant::now() + ERROR_BODY_WAIT;
        while beginning.len() < bytes_max {
            match self.next(audience, Some(due)).await {
                Next::Bytes(bytes) => beginning.extend_from_slice(&bytes),
                Next::End | Next::Broken(_) | Next::Late | Next::Left => break,
            }
        }
        beginning.truncate(bytes_max);
        beginning.freeze()
    }
}

/// Later than anything that is waited for here.
fn far() -> Instant {
    Instant::now() + Duration::from_hours(24)
}
