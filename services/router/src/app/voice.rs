//! Between who asks and who answers: where they speak different forms, requests are translated on their
//! way there and answers on their way back. Where they speak the same, everything passes as it is.

use bytes::Bytes;
use keyward_dialect::{AnswerContext, Ended, Framing, Options, StreamTranslator};
use keyward_runtime::error::Reason;

use super::RouteError;
use super::attempt::Attempt;
use super::dispatch::Dispatch;
use crate::domain::form::Form;
use crate::domain::plan::Candidate;
use crate::domain::providers::{OPENROUTER, Provider};
use crate::domain::request::{Splice, UpstreamBody};
use crate::domain::wire;

/// What an answer may have at most where neither the caller nor the catalogue says so, in a form that
/// has to say it.
const ANSWER_TOKENS_DEFAULT: u64 = 4_096;

/// How the events of a stream go on to the caller.
#[derive(Debug)]
pub(super) enum Voice {
    /// As they came.
    Same,
    /// In another form.
    Other(Box<StreamTranslator>),
}

impl Voice {
    /// What is to be passed on of what came.
    pub(super) fn tell(&mut self, pieces: Vec<Bytes>) -> Result<Vec<Bytes>, String> {
        let Self::Other(translator) = self else {
            return Ok(pieces);
        };
        let mut told = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let bytes = translator.push(&piece).map_err(|error| error.to_string())?;
            told.push(Bytes::from(bytes));
        }
        told.retain(|piece| !piece.is_empty());
        Ok(told)
    }

    /// Whether nothing is translated.
    pub(super) fn is_same(&self) -> bool {
        matches!(self, Self::Same)
    }

    /// How a translated stream ends.
    pub(super) fn end(self) -> Option<Ended> {
        match self {
            Self::Same => None,
            Self::Other(translator) => Some(translator.finish()),
        }
    }
}

impl Dispatch {
    /// The request's body as a candidate's provider shall see it, in the form that it is spoken to in.
    pub(super) fn body_for(
        &self,
        candidate: &Candidate,
        provider: &Provider,
        spoken: Form,
    ) -> Result<UpstreamBody, RouteError> {
        let is_openrouter = candidate.provider == OPENROUTER;
        let is_own = candidate.source != keyward_proto::metering::v1::KeySource::System;
        let asked = self.request.form();
        let is_same = spoken == asked;
        let splice = Splice {
            upstream_model: &candidate.upstream_model,
            keep_provider: is_openrouter && is_same,
            // With the platform's key only the model that was priced may be served.
            keep_models: is_openrouter && is_own && is_same,
            force_usage: provider.takes_stream_options && is_same,
        };
        let body = self.request.splice(&splice)?;
        if is_same {
            return Ok(body);
        }
        let (Some(from), Some(to)) = (wire::translated(asked), wire::translated(spoken)) else {
            return Err(RouteError::new(Reason::Internal, "an internal fault"));
        };
        let options = Options {
            stream: self.request.is_stream(),
            max_tokens: self.answer_tokens(candidate),
            chat: wire::flavour(&candidate.provider),
            ..Options::new(&candidate.upstream_model)
        };
        let translated = keyward_dialect::request(from, to, &body.to_bytes(), &options);
        let body = translated
            .map_err(|refusal| RouteError::from(&refusal))?
            .body;
        Ok(UpstreamBody::new(vec![body.into()]))
    }

    fn answer_tokens(&self, candidate: &Candidate) -> u64 {
        let catalog = self.core.catalog.current();
        let model = catalog.resolve(&candidate.model);
        let known = model.and_then(|model| model.max_output_tokens);
        let known = known.and_then(|tokens| u64::try_from(tokens).ok());
        known
            .filter(|tokens| *tokens > 0)
            .unwrap_or(ANSWER_TOKENS_DEFAULT)
    }

    /// How an attempt's stream goes on to the caller.
    pub(super) fn voice(&self, attempt: &Attempt) -> Voice {
        self.ways(attempt).map_or(Voice::Same, |(from, to)| {
            let context = self.answer_context(attempt);
            Voice::Other(Box::new(StreamTranslator::new(from, to, context)))
        })
    }

    /// A plain answer in the caller's form; the error says why it cannot be read.
    pub(super) fn in_callers_form(&self, attempt: &Attempt, body: Bytes) -> Result<Bytes, String> {
        let Some((from, to)) = self.ways(attempt) else {
            return Ok(body);
        };
        let context = self.answer_context(attempt);
        let answer = keyward_dialect::answer(from, to, &body, &context);
        answer.map(Bytes::from).map_err(|error| error.to_string())
    }

    /// A provider's own error in the caller's form.
    pub(super) fn error_in_callers_form(&self, attempt: &Attempt, body: String) -> Bytes {
        match self.ways(attempt) {
            Some((_, to)) => {
                keyward_dialect::error(attempt.http_status, to, body.as_bytes()).into()
            }
            None => body.into(),
        }
    }

    /// From which form into which answers are translated, where they are.
    fn ways(&self, attempt: &Attempt) -> Option<(keyward_dialect::Form, keyward_dialect::Form)> {
        let asked = self.request.form();
        if attempt.form == asked {
            return None;
        }
        Some((wire::translated(attempt.form)?, wire::translated(asked)?))
    }

    fn answer_context(&self, attempt: &Attempt) -> AnswerContext {
        let created = u64::try_from(attempt.start_time.as_second()).unwrap_or(0);
        let model = &attempt.candidate.upstream_model;
        AnswerContext {
            stream_usage: self.request.asks_usage(),
            framing: match self.request.asks_events() {
                true => Framing::Events,
                false => Framing::Array,
            },
            ..AnswerContext::new(&self.inference_id, model, created)
        }
    }
}
