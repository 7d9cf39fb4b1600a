//! Keeping answers: for the same request by whomever, and for the very one that may come again.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use keyward_proto::metering::v1::KeySource;

use super::{Caching, Lookup};
use crate::app::attempt::{Attempt, Ending};
use crate::app::dispatch::Dispatch;
use crate::domain::cache::{ANSWER_BYTES_MAX, StoredAnswer};

/// What of a stream has passed, as long as it is small enough to be stored.
#[derive(Debug)]
pub(in crate::app) struct Tape(Option<BytesMut>);

impl Tape {
    pub(in crate::app) fn record(&mut self, pieces: &[Bytes]) {
        for piece in pieces {
            let room = |tape: &BytesMut| tape.len() + piece.len() <= ANSWER_BYTES_MAX;
            match self.0.as_mut().filter(|tape| room(tape)) {
                Some(tape) => tape.extend_from_slice(piece),
                None => self.0 = None,
            }
        }
    }
}

impl Dispatch {
    /// What to record a stream on; nothing is recorded that is not to be stored.
    pub(in crate::app) fn tape(&self) -> Tape {
        let is_wanted = matches!(*self.caching, Caching::Miss(_));
        Tape(is_wanted.then(BytesMut::new))
    }

    /// Stores a plain answer, for the same request by whomever and for this very one.
    pub(in crate::app) async fn keep_plain(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        ending: &Ending,
        body: &Bytes,
    ) {
        let answer = || StoredAnswer {
            // A copy: what it is a part of may be larger.
            body: Bytes::copy_from_slice(body),
            ..kept(attempt, headers, ending)
        };
        if attempt.http_status == 200 {
            self.remember(answer).await;
        }
        if let Some(lookup) = self.to_keep(attempt) {
            self.keep(lookup, answer()).await;
        }
    }

    /// Stores a stream: what was recorded of it, and what it ends with.
    pub(in crate::app) async fn keep_stream(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        ending: &Ending,
        tape: Tape,
        last: [Option<&Bytes>; 2],
    ) {
        if let (Some(lookup), Some(body)) = (self.to_keep(attempt), tape.0) {
            let [usage_chunk, done_event] = last.map(|part| part.map(|part| part.to_vec().into()));
            let answer = StoredAnswer {
                body: body.freeze(),
                usage_chunk,
                done_event,
                streamed: true,
                ..kept(attempt, headers, ending)
            };
            self.keep(lookup, answer).await;
        }
    }

    /// Only successes are stored, and only of the model that was asked for first.
    fn to_keep(&self, attempt: &Attempt) -> Option<&Lookup> {
        match &*self.caching {
            Caching::Miss(lookup) => {
                let fits = attempt.http_status == 200 && attempt.candidate.model == lookup.model;
                fits.then_some(lookup)
            }
            Caching::Bypass => None,
        }
    }

    async fn keep(&self, lookup: &Lookup, answer: StoredAnswer) {
        if answer.fits() {
            let tags = self
                .tags
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            self.core
                .cache
                .put(&lookup.key, answer, tags.collect(), lookup.lifetime)
                .await;
        }
    }
}

/// What is kept of an answer beside its body.
fn kept(attempt: &Attempt, headers: &HeaderMap, ending: &Ending) -> StoredAnswer {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let source: KeySource = attempt.candidate.source;
    StoredAnswer {
        model: attempt.candidate.model.to_string(),
        provider: attempt.candidate.provider.to_string(),
        upstream_model: attempt.candidate.upstream_model.to_string(),
        base_url: attempt.candidate.base_url().unwrap_or_default().to_owned(),
        source: source.into(),
        content_type: content_type.unwrap_or_default().to_owned(),
        usage: Some(ending.usage().into()),
        usage_source: ending.source.into(),
        service_tier: ending.service_tier.clone(),
        dropped: attempt.words.dropped.clone(),
        ..StoredAnswer::default()
    }
}
