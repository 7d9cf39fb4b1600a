//! Serves a plain JSON answer: held until its usage is known, so that the head can tell the charge.
//! Larger ones than are held are passed on as they come.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use keyward_money::MeasuredUsage;
use keyward_proto::metering::v1::{AttemptStatus, UsageSource};

use super::attempt::{Attempt, Ending};
use super::body::{Next, Reader};
use super::checkpoints::Checkpoints;
use super::dispatch::{Dispatch, Outcome};
use super::passed::Passed;
use super::spans;
use crate::domain::estimate::BYTES_PER_TOKEN;
use crate::domain::failure::{self, Failure};
use crate::domain::form::Form;
use crate::domain::{metadata, service_tier, usage};

/// The largest answer that is held.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The largest answer that is translated: several images in base64.
const TRANSLATED_BYTES_MAX: usize = 32 * 1024 * 1024;

impl Dispatch {
    pub(super) async fn serve_plain(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        mut reader: Reader,
    ) -> Outcome {
        let is_same = attempt.form() == self.request.form();
        if is_same && passes_at_once(attempt.form()) {
            return Box::pin(self.serve_large(attempt, headers, reader, Bytes::new())).await;
        }
        let mut body = BytesMut::new();
        loop {
            match reader.next(self.audience(&attempt.lane), None).await {
                Next::Bytes(bytes) => body.extend_from_slice(&bytes),
                Next::End => break,
                Next::Late => {}
                Next::Left => return self.left(attempt, Ending::left()).await,
                Next::Broken(_) if reader.is_abandoned() => {
                    return self.left(attempt, Ending::left()).await;
                }
                Next::Broken(failure) => {
                    let said = "its answer broke off".to_owned();
                    return self.failed(attempt, failure, said, None).await;
                }
            }
            if !is_same && body.len() > TRANSLATED_BYTES_MAX {
                let said = "its answer is too large to be translated".to_owned();
                return self.failed(attempt, Failure::Broken, said, None).await;
            }
            if is_same && body.len() > HELD_BYTES_MAX {
                return Box::pin(self.serve_large(attempt, headers, reader, body.freeze())).await;
            }
        }
        let body = body.freeze();
        if let Some((failure, said)) = failure::in_answer(attempt.form(), &body) {
            return self.failed(attempt, failure, said, None).await;
        }
        spans::answering_model(attempt, &body);
        let (measured, source) = self.used_by_answer(attempt, &body).await;
        let mut ending = whole(attempt, measured, source);
        let told = service_tier::read(&body).unwrap_or_default();
        ending.service_tier = self.served_tier(&attempt.candidate, &told);
        let body = match self.in_callers_form(attempt, body, &ending.usage()) {
            Ok(body) => body,
            Err(said) => return self.failed(attempt, Failure::Broken, said, None).await,
        };
        if reader.is_abandoned() || self.answer.is_closed() || !attempt.lane.claim() {
            // It counts, so who comes again for it shall not pay twice.
            self.keep_plain(attempt, headers, &ending, &body).await;
            return self.left(attempt, ending).await;
        }
        self.deliver(attempt, headers, body, &ending).await;
        Outcome::Over
    }

    async fn deliver(&self, attempt: &Attempt, headers: &HeaderMap, body: Bytes, ending: &Ending) {
        self.learn(attempt, ending);
        let (closed, ()) = tokio::join!(self.close(attempt, ending), self.note_success(attempt));
        self.keep_plain(attempt, headers, ending, &body).await;
        let candidate = &attempt.candidate;
        let head = self.head_of(attempt, headers, closed.charge);
        let tells = self.body_metadata && self.request.form().answers_objects();
        let pieces = match closed.charge.filter(|_| tells) {
            Some(charge) => {
                metadata::into_json(body, attempt.is_own(), &candidate.provider, charge)
            }
            None => vec![body],
        };
        if self.answer.head(head).is_err() {
            return;
        }
        for piece in pieces {
            if self.answer.send(piece).await.is_err() {
                return;
            }
        }
        self.answer.finish(closed.summary).await;
    }

    /// Passes a large answer on as it comes; what it is charged stands in the receipt only.
    async fn serve_large(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        mut reader: Reader,
        held: Bytes,
    ) -> Outcome {
        if !attempt.lane.claim() {
            return self.left(attempt, Ending::left()).await;
        }
        let usage = || self.used_by_bytes(&attempt.candidate, None, held.len());
        Checkpoints::default()
            .passing(&self.core.metering, attempt, usage)
            .await;
        let head = self.head_of(attempt, headers, None);
        let mut passed = Passed::default();
        passed.take(&held);
        let is_gone = self.answer.head(head).is_err() || self.answer.send(held).await.is_err();
        let mut broken = is_gone && !reader.abandon();
        while !broken {
            match reader.next(self.audience(&attempt.lane), None).await {
                Next::Bytes(bytes) => {
                    passed.take(&bytes);
                    if !reader.is_abandoned()
                        && self.answer.send(bytes).await.is_err()
                        && !reader.abandon()
                    {
                        broken = true;
                    }
                }
                Next::End => break,
                Next::Late => {}
                Next::Left | Next::Broken(_) => broken = true,
            }
        }
        let (measured, source) = self.used_by_passed(attempt, headers, &passed).await;
        let mut ending = whole(attempt, measured, source);
        let told = service_tier::read_tail(passed.tail()).unwrap_or_default();
        ending.service_tier = self.served_tier(&attempt.candidate, &told);
        if broken {
            ending.status = AttemptStatus::Cut;
            "the answer broke off".clone_into(&mut ending.reason);
        }
        if reader.is_abandoned() {
            return self.left(attempt, ending).await;
        }
        if broken {
            spans::failed(attempt, Failure::Broken);
            let noted = self.note_failure(attempt, Failure::Broken, &ending.reason);
            tokio::join!(self.close(attempt, &ending), noted);
            return Outcome::Over;
        }
        self.learn(attempt, &ending);
        let (closed, ()) = tokio::join!(self.close(attempt, &ending), self.note_success(attempt));
        self.answer.finish(closed.summary).await;
        Outcome::Over
    }

    /// What was used by an answer that was passed on as it came.
    async fn used_by_passed(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        passed: &Passed,
    ) -> (MeasuredUsage, UsageSource) {
        if let Some(reported) = usage::read_tail(attempt.form(), passed.tail()) {
            return (reported, UsageSource::Reported);
        }
        if attempt.form() == Form::Speech {
            let sound = passed.sound(headers);
            return self.estimated_sound(&attempt.candidate, &sound).await;
        }
        let delivered = passed.bytes().div_ceil(BYTES_PER_TOKEN);
        self.estimated(&attempt.candidate, delivered).await
    }
}

/// Whether an answer is passed on as it comes: sound is heard before its end is there, and an array of
/// answers is a stream.
fn passes_at_once(form: Form) -> bool {
    matches!(form, Form::Speech | Form::StreamGenerateContent)
}

fn whole(attempt: &Attempt, measured: MeasuredUsage, source: UsageSource) -> Ending {
    Ending {
        status: AttemptStatus::Ok,
        measured,
        source,
        service_tier: String::new(),
        reason: attempt.candidate.told(),
        delivered: true,
    }
}
