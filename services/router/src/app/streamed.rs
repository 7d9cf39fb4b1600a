//! Serves a stream: nothing leaves before it is committed, so that another candidate may still serve;
//! everything leaves as it comes afterwards; the books are closed before the last byte.

use bytes::Bytes;
use http::HeaderMap;
use keyward_money::MeasuredUsage;
use keyward_proto::metering::v1::{AttemptStatus, UsageSource};
use keyward_secret::redact;
use tokio::time::Instant;

use super::attempt::{Attempt, Ending};
use super::body::{Next, Reader};
use super::dispatch::{Dispatch, Outcome, counting};
use crate::domain::failure::{self, Failure};
use crate::domain::stream::{self, StreamWatch};
use crate::domain::{estimate, metadata};

/// How reading a stream ended.
enum End {
    /// It is whole.
    Whole,
    /// It broke off, or said that it failed.
    Broken(Failure, String),
    /// The caller left.
    Left,
}

impl Dispatch {
    pub(super) async fn serve_stream(
        &mut self,
        attempt: Attempt,
        headers: &HeaderMap,
        mut reader: Reader,
    ) -> Outcome {
        let mut watch = StreamWatch::new(!self.request.asks_usage());
        let end = self.pump(&attempt, headers, &mut reader, &mut watch).await;
        match end {
            End::Broken(failure, said) if !watch.is_committed() => {
                if reader.is_abandoned() {
                    return self.left(&attempt, Ending::left()).await;
                }
                self.failed(&attempt, failure, said, None).await
            }
            End::Left if !watch.is_committed() => self.left(&attempt, Ending::left()).await,
            _ if reader.is_abandoned() || matches!(end, End::Left) => {
                let ending = self.ending(&attempt, &watch, AttemptStatus::Abandoned);
                self.left(&attempt, ending).await
            }
            End::Broken(failure, said) => {
                self.finish_broken(&attempt, &watch, failure, &said).await
            }
            End::Whole | End::Left => self.finish_whole(&attempt, headers, watch).await,
        }
    }

    /// Reads the stream to its end and passes it on.
    async fn pump(
        &mut self,
        attempt: &Attempt,
        headers: &HeaderMap,
        reader: &mut Reader,
        watch: &mut StreamWatch,
    ) -> End {
        let late = Instant::now() + self.core.timeouts.commit;
        loop {
            let due = (!watch.is_committed()).then_some(late);
            let (pieces, done) = match reader.next(&self.answer, due).await {
                Next::Bytes(chunk) => match watch.push(&chunk) {
                    Ok(pushed) => (pushed.forward, pushed.done),
                    Err(broken) => {
                        let failure = Failure::classify_event(&broken.error);
                        let said = failure::event_message(&broken.error);
                        return End::Broken(failure, said);
                    }
                },
                Next::Late => (watch.commit(), false),
                Next::End if watch.is_whole() => return End::Whole,
                Next::End => {
                    return End::Broken(Failure::Broken, "its answer broke off".to_owned());
                }
                Next::Broken(failure) => {
                    return End::Broken(failure, "its answer broke off".to_owned());
                }
                Next::Left => return End::Left,
            };
            if watch.is_committed()
                && !reader.is_abandoned()
                && !self.forward(attempt, headers, pieces).await
                && !reader.abandon()
            {
                return End::Left;
            }
            if done {
                return End::Whole;
            }
        }
    }

    /// Passes pieces on, after the head; says whether the caller is still there.
    async fn forward(
        &mut self,
        attempt: &Attempt,
        headers: &HeaderMap,
        pieces: Vec<Bytes>,
    ) -> bool {
        if !self.answer.head_is_sent() {
            let head = self.head(&attempt.candidate, attempt.http_status, headers, None);
            if self.answer.head(head).is_err() {
                return false;
            }
        }
        for piece in pieces {
            if self.answer.send(piece).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn finish_whole(
        &mut self,
        attempt: &Attempt,
        headers: &HeaderMap,
        mut watch: StreamWatch,
    ) -> Outcome {
        let ending = self.ending(attempt, &watch, AttemptStatus::Ok);
        let (closed, ()) = tokio::join!(self.close(attempt, &ending), self.note_success(attempt));
        let mut last = watch.commit();
        if let Some(chunk) = watch.take_usage_chunk() {
            let provider = &attempt.candidate.provider;
            match closed.charge.filter(|_| self.body_metadata) {
                Some(charge) => {
                    last.extend(metadata::into_json(
                        chunk,
                        attempt.is_own(),
                        provider,
                        charge,
                    ));
                }
                None => last.push(chunk),
            }
        }
        last.extend(closed.charge.map(stream::charge_comment));
        last.extend(watch.take_done_event());
        if self.forward(attempt, headers, last).await {
            self.answer.finish(closed.summary).await;
        }
        Outcome::Over
    }

    /// What was delivered stays delivered and is metered; the stream ends with an error event.
    async fn finish_broken(
        &mut self,
        attempt: &Attempt,
        watch: &StreamWatch,
        failure: Failure,
        said: &str,
    ) -> Outcome {
        let said = redact(said, &[attempt.key.secret()]);
        let provider = &attempt.candidate.provider;
        let mut ending = self.ending(attempt, watch, AttemptStatus::Cut);
        ending.reason = format!("{provider} {}: {said}", failure.words());
        let (closed, ()) = tokio::join!(
            self.close(attempt, &ending),
            self.note_failure(attempt, failure, &said)
        );
        tracing::info!(inference.id = %self.inference_id, provider = %provider, "a stream broke off");
        let message = match attempt.is_own() {
            true => format!("{provider} broke off in mid-stream: {said}"),
            false => format!("{provider} broke off in mid-stream"),
        };
        let reason = failure.reason(attempt.is_own());
        let error = stream::error_event(&message, reason.openai_type(), reason.openai_code());
        let comment = closed.charge.map(stream::charge_comment);
        for piece in comment.into_iter().chain([error]) {
            if self.answer.send(piece).await.is_err() {
                return Outcome::Over;
            }
        }
        self.answer.finish(closed.summary).await;
        Outcome::Over
    }

    fn ending(&self, attempt: &Attempt, watch: &StreamWatch, status: AttemptStatus) -> Ending {
        let (measured, source) = match watch.usage() {
            Some(usage) if watch.is_whole() => (usage, UsageSource::Reported),
            Some(usage) => (usage, UsageSource::Opening),
            None => {
                let usage = estimate::delivered(
                    counting(&attempt.candidate),
                    &self.prompt(&attempt.candidate),
                    watch.delivered_bytes(),
                    watch.delivered_chunks(),
                );
                let inconsistent = watch.usage_unreadable();
                (
                    MeasuredUsage {
                        usage,
                        inconsistent,
                    },
                    UsageSource::Estimated,
                )
            }
        };
        let reason = attempt.candidate.reason.clone();
        Ending {
            status,
            measured,
            source,
            reason,
            delivered: true,
        }
    }
}
