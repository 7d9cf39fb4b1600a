//! Serves a stream: nothing leaves before it is committed, so that another candidate may still serve;
//! everything leaves as it comes afterwards; the books are closed before the last byte.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use keyward_money::Nanos;
use keyward_proto::metering::v1::AttemptStatus;
use keyward_runtime::error::Reason;
use keyward_secret::{Secret, redact};
use memchr::memmem;
use tokio::time::Instant;

use super::attempt::{Attempt, Ending};
use super::body::{Next, Reader};
use super::cached::Tape;
use super::checkpoints::Checkpoints;
use super::dispatch::{Dispatch, Outcome};
use super::growth::Growth;
use super::spans;
use super::voice::Voice;
use crate::domain::failure::{self, Failure};
use crate::domain::form::Form;
use crate::domain::metadata;
use crate::domain::stream::{self, Pushed, StreamWatch};

/// What is said of a stream whose connection broke.
const BROKE_OFF: &str = "its answer broke off";
/// What is said of a stream that was ended for want of credits.
const EXHAUSTED: &str = "ended at its length: the credits do not reach for more";

/// What of a stream was held back until its end.
struct Last {
    held: Vec<Bytes>,
    usage_chunk: Option<Bytes>,
    done_event: Option<Bytes>,
    /// Whether nobody reads on behind the event that ends the stream.
    ends_with_done: bool,
}

impl Last {
    fn take(watch: &mut StreamWatch) -> Self {
        Self {
            held: watch.commit().forward,
            usage_chunk: watch.take_usage_chunk(),
            done_event: watch.take_done_event(),
            ends_with_done: watch.ends_with_done(),
        }
    }

    fn to_store(&self) -> [Option<&Bytes>; 2] {
        [self.usage_chunk.as_ref(), self.done_event.as_ref()]
    }
}

/// How reading a stream ended.
enum End {
    /// It is whole.
    Whole,
    /// It broke off, or said that it failed.
    Broken(Failure, String),
    /// The caller left.
    Left,
    /// The credits do not reach for more; with the last that was passed on.
    Exhausted(Vec<Bytes>),
}

impl Dispatch {
    pub(super) async fn serve_stream(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        mut reader: Reader,
    ) -> Outcome {
        let _open = self.core.meters.stream();
        let mut voice = self.voice(attempt);
        // Who translates looks at the usage, and withholds it itself.
        let withhold_usage = voice.is_same() && !self.request.asks_usage();
        let mut watch = StreamWatch::new(attempt.form(), withhold_usage);
        let mut tape = self.tape();
        let ways = (&mut watch, &mut voice, &mut tape);
        let end = self.pump(attempt, headers, &mut reader, ways).await;
        match end {
            End::Broken(failure, said) if !watch.is_committed() => {
                if reader.is_abandoned() {
                    return self.left(attempt, Ending::left()).await;
                }
                self.failed(attempt, failure, said, None).await
            }
            End::Left if !watch.is_committed() => self.left(attempt, Ending::left()).await,
            _ if reader.is_abandoned() || matches!(end, End::Left) => {
                let ending = self.ending(attempt, &watch, AttemptStatus::Abandoned).await;
                self.left(attempt, ending).await
            }
            End::Broken(failure, said) => {
                self.finish_broken(attempt, headers, (watch, voice), failure, &said)
                    .await
            }
            End::Exhausted(passed) => {
                // Nobody pays for what would come.
                drop(reader);
                self.finish_exhausted(attempt, headers, (watch, voice), &passed)
                    .await
            }
            End::Whole | End::Left => {
                self.finish_whole(attempt, headers, (watch, voice), tape)
                    .await;
                reader.finish().await;
                Outcome::Over
            }
        }
    }

    /// Reads the stream to its end and passes it on.
    async fn pump(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        reader: &mut Reader,
        (watch, voice, tape): (&mut StreamWatch, &mut Voice, &mut Tape),
    ) -> End {
        let late = Instant::now() + self.core.timeouts.commit;
        let mut begun = false;
        let mut checkpoints = Checkpoints::default();
        let mut growth = Growth::of(self, attempt);
        loop {
            let due = (!watch.is_committed()).then_some(late);
            let mut broken = None;
            let (pushed, ended) = match reader.next(self.audience(&attempt.lane), due).await {
                Next::Bytes(chunk) => {
                    if !std::mem::replace(&mut begun, true) {
                        spans::first_chunk(attempt, &chunk);
                    }
                    (watch.push(&chunk), false)
                }
                Next::Late => (Ok(watch.commit()), false),
                Next::End => (watch.end(), true),
                Next::Broken(failure) => {
                    broken = Some(failure);
                    (Ok(Pushed::default()), true)
                }
                Next::Left => return End::Left,
            };
            let mut pushed = match pushed {
                Ok(pushed) => pushed,
                Err(broken) => return reported(&broken.error),
            };
            pushed.forward = match voice.tell(pushed.forward) {
                Ok(told) => told,
                Err(said) => return End::Broken(Failure::Broken, said),
            };
            if watch.is_committed() {
                self.committed(attempt);
                if !reader.is_abandoned() && !attempt.lane.claim() {
                    return End::Left;
                }
            }
            if watch.is_committed() && !reader.is_abandoned() {
                let usage = || self.used_so_far(&attempt.candidate, watch);
                checkpoints
                    .passing(&self.core.metering, attempt, usage)
                    .await;
            }
            let ended = ended || pushed.done;
            let growth = growth.as_mut().filter(|_| !ended);
            let last = exhausted(growth, (watch, voice), &pushed);
            if watch.is_committed() {
                tape.record(&pushed.forward);
            }
            if watch.is_committed()
                && !reader.is_abandoned()
                && !self
                    .forward(attempt, headers, clean(attempt, watch, pushed.forward))
                    .await
                && !reader.abandon()
            {
                return End::Left;
            }
            match last {
                Some(last) if !reader.is_abandoned() => return End::Exhausted(last),
                _ if ended => return end(watch, broken),
                _ => {}
            }
        }
    }

    /// The first content is here: a probe has found the provider to answer.
    fn committed(&self, attempt: &Attempt) {
        if attempt.committed.set(std::time::Instant::now()).is_ok() {
            self.core.health.answered(&attempt.place());
        }
    }

    /// Passes pieces on, after the head; says whether the caller is still there.
    async fn forward(&self, attempt: &Attempt, headers: &HeaderMap, pieces: Vec<Bytes>) -> bool {
        if !self.answer.head_is_sent() {
            let head = self.head_of(attempt, headers, None);
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
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        (mut watch, voice): (StreamWatch, Voice),
        mut tape: Tape,
    ) {
        let ending = self.ending(attempt, &watch, AttemptStatus::Ok).await;
        self.learn(attempt, &ending);
        let (closed, ()) = tokio::join!(self.close(attempt, &ending), self.note_success(attempt));
        let last = self.last(&mut watch, voice);
        tape.record(&last.held);
        self.keep_stream(attempt, headers, &ending, tape, last.to_store())
            .await;
        let last = self.told(attempt, last, closed.charge);
        if self.forward(attempt, headers, last).await {
            self.answer.finish(closed.summary).await;
        }
    }

    /// What of a stream was held back until its charge is known, as the caller is told it.
    fn last(&self, watch: &mut StreamWatch, mut voice: Voice) -> Last {
        let mut last = self.held(watch, &mut voice);
        if let Some(ended) = voice.end() {
            let (rest, end) = (ended.bytes, ended.last);
            last.held.extend((!rest.is_empty()).then(|| rest.into()));
            last.done_event = (!end.is_empty()).then(|| end.into());
        }
        last
    }

    /// The same of a stream that has no good end.
    fn held(&self, watch: &mut StreamWatch, voice: &mut Voice) -> Last {
        let last = Last::take(watch);
        if voice.is_same() {
            return last;
        }
        let pieces = last.held.into_iter().chain(last.usage_chunk);
        // What cannot be read at the very end takes nothing from what was told.
        let told = voice.tell(pieces.chain(last.done_event).collect());
        Last {
            held: told.unwrap_or_default(),
            usage_chunk: None,
            done_event: None,
            ends_with_done: matches!(self.request.form(), Form::Chat | Form::Completions),
        }
    }

    /// The same with what it cost.
    fn told(&self, attempt: &Attempt, parts: Last, charge: Option<Nanos>) -> Vec<Bytes> {
        let mut last = parts.held;
        if let Some(chunk) = parts.usage_chunk {
            let provider = &attempt.candidate.provider;
            match charge.filter(|_| self.body_metadata) {
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
        // An array of answers has no place for it.
        let told = charge.filter(|_| self.request.asks_events());
        let comment = told.map(stream::charge_comment);
        if parts.ends_with_done {
            last.extend(comment);
            last.extend(parts.done_event);
        } else {
            last.extend(parts.done_event);
            last.extend(comment);
        }
        last
    }

    /// What was delivered stays delivered and is metered. The stream ends with the provider's own
    /// error event, as it wrote it, or with one of ours where it wrote none.
    async fn finish_broken(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        (mut watch, mut voice): (StreamWatch, Voice),
        failure: Failure,
        said: &str,
    ) -> Outcome {
        let said = redact(said, &[attempt.key.secret()]);
        let provider = &attempt.candidate.provider;
        spans::failed(attempt, failure);
        let mut ending = self.ending(attempt, &watch, AttemptStatus::Cut).await;
        if watch.text().is_empty() {
            // Nothing of an answer was delivered: nobody pays for that.
            ending.status = AttemptStatus::Failed;
            ending.delivered = false;
        }
        ending.reason = format!("{provider} {}: {said}", failure.words());
        let (closed, ()) = tokio::join!(
            self.close(attempt, &ending),
            self.note_failure(attempt, failure, &said)
        );
        tracing::info!(inference.id = %self.inference_id, provider = %provider, "a stream broke off");
        // Who translates knows itself what it told.
        let is_told = voice.is_same() && watch.failure().is_some();
        let is_mid_event = voice.is_same() && watch.is_mid_event();
        let last = self.held(&mut watch, &mut voice);
        let mut last = self.told(attempt, last, closed.charge);
        if !is_told {
            let message = match attempt.is_own() {
                true => format!("{provider} broke off in mid-stream: {said}"),
                false => format!("{provider} broke off in mid-stream"),
            };
            let reason = failure.reason(attempt.is_own());
            last.extend(voice.fail(self.request.form(), message, reason));
        }
        if is_mid_event {
            last.insert(0, Bytes::from_static(b"\n\n"));
        }
        let last = clean(attempt, &watch, last);
        if self.forward(attempt, headers, last).await {
            self.answer.finish(closed.summary).await;
        }
        Outcome::Over
    }

    /// Ends a stream for its length: as its model would, or, where it is translated, with an error.
    async fn finish_exhausted(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        (watch, mut voice): (StreamWatch, Voice),
        passed: &[Bytes],
    ) -> Outcome {
        let mut ending = self.ending(attempt, &watch, AttemptStatus::Cut).await;
        EXHAUSTED.clone_into(&mut ending.reason);
        let (closed, ()) = tokio::join!(self.close(attempt, &ending), self.note_success(attempt));
        let comment = closed.charge.filter(|_| self.request.asks_events());
        let comment = comment.map(stream::charge_comment);
        let last: Vec<Bytes> = if voice.is_same() {
            let usage = ending.usage();
            let usage = self.request.asks_usage().then_some(&usage);
            let cut = stream::cut_short(passed, self.request.choices(), usage);
            let done = Bytes::from_static(b"data: [DONE]\n\n");
            [cut].into_iter().chain(comment).chain([done]).collect()
        } else {
            let (form, reason) = (self.request.form(), Reason::InsufficientCredits);
            let error = voice.fail(form, EXHAUSTED.to_owned(), reason);
            comment.into_iter().chain(error).collect()
        };
        if self.forward(attempt, headers, last).await {
            self.answer.finish(closed.summary).await;
        }
        Outcome::Over
    }

    async fn ending(
        &self,
        attempt: &Attempt,
        watch: &StreamWatch,
        status: AttemptStatus,
    ) -> Ending {
        let (measured, source) = self.used_by_stream(&attempt.candidate, watch).await;
        Ending {
            status,
            measured,
            source,
            service_tier: self.served_tier(&attempt.candidate, watch.service_tier()),
            reason: attempt.candidate.told(),
            delivered: true,
        }
    }
}

/// What is passed on last of a stream for which the credits do not reach any further.
fn exhausted(
    growth: Option<&mut Growth>,
    (watch, voice): (&StreamWatch, &Voice),
    pushed: &Pushed,
) -> Option<Vec<Bytes>> {
    let is_exhausted = growth?.delivered(watch.text().tokens_at_least());
    let can_end = match voice.is_same() {
        true => watch.can_be_cut(),
        false => watch.is_midway(),
    };
    (is_exhausted && can_end).then(|| pushed.forward.clone())
}

/// How a stream ended of which there is no more.
fn end(watch: &StreamWatch, broken: Option<Failure>) -> End {
    match (watch.failure(), broken) {
        (Some(error), _) => reported(error),
        (None, Some(failure)) => End::Broken(failure, BROKE_OFF.to_owned()),
        (None, None) if watch.is_whole() => End::Whole,
        (None, None) => End::Broken(Failure::Broken, BROKE_OFF.to_owned()),
    }
}

fn reported(error: &str) -> End {
    End::Broken(
        Failure::classify_event(error),
        failure::event_message(error),
    )
}

/// Once a provider reports an error, what it writes may repeat the key.
fn clean(attempt: &Attempt, watch: &StreamWatch, pieces: Vec<Bytes>) -> Vec<Bytes> {
    if watch.failure().is_none() {
        return pieces;
    }
    let key = attempt.key.secret();
    pieces
        .into_iter()
        .map(|piece| without_key(piece, key))
        .collect()
}

/// Takes the key out, and nothing else.
fn without_key(piece: Bytes, key: &Secret) -> Bytes {
    if key.is_empty() || memmem::find(&piece, key.expose_bytes()).is_none() {
        return piece;
    }
    let mut clean = BytesMut::with_capacity(piece.len());
    let mut rest = &piece[..];
    while let Some(at) = memmem::find(rest, key.expose_bytes()) {
        clean.extend_from_slice(&rest[..at]);
        clean.extend_from_slice(b"[redacted]");
        rest = &rest[at + key.expose_bytes().len()..];
    }
    clean.extend_from_slice(rest);
    clean.freeze()
}
