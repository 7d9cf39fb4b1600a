//! Between who asks and who answers: where they speak different forms, requests are translated on their
//! way there and answers on their way back. Where they speak the same, everything passes as it is.

use bytes::Bytes;
use keyward_catalog::Thinking;
use keyward_dialect::{AnswerContext, Ended, Failure, Framing, Options, StreamTranslator};
use keyward_money::Usage;
use keyward_proto::metering::v1::KeySource;
use keyward_runtime::error::Reason;

use super::RouteError;
use super::attempt::Attempt;
use super::dispatch::Dispatch;
use crate::domain::form::Form;
use crate::domain::plan::Candidate;
use crate::domain::providers::{OPENROUTER, Provider};
use crate::domain::request::{Splice, UpstreamBody};
use crate::domain::translation::{Asked, Translation};
use crate::domain::{stream, wire};

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

/// A request in the words of a candidate's provider.
#[derive(Debug)]
pub(super) struct Words {
    /// The form in which it is spoken to.
    pub(super) form: Form,
    /// What it is sent.
    pub(super) body: UpstreamBody,
    /// Settings of the caller's that it lacks and that were left out.
    pub(super) dropped: Vec<String>,
    /// Whether vectors are wanted in base64.
    base64: bool,
}

impl Words {
    /// As the caller put it.
    fn same(form: Form, body: UpstreamBody) -> Self {
        Self {
            form,
            body,
            dropped: Vec::new(),
            base64: false,
        }
    }
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

    /// The event that ends a stream for a failure that its provider did not tell; none where the caller
    /// was told of it already, or of the end.
    pub(super) fn fail(&mut self, form: Form, message: String, reason: Reason) -> Option<Bytes> {
        let Self::Other(translator) = self else {
            return Some(stream::error_event(form, &message, reason));
        };
        let event = translator.fail(Failure {
            status: reason.http_status(),
            message,
            kind: None,
            code: Some(reason.openai_code().to_owned()),
            param: None,
        });
        (!event.is_empty()).then(|| event.into())
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
    /// The request as a candidate's provider shall see it, in the form that it is spoken to in.
    pub(super) fn words_for(
        &self,
        candidate: &Candidate,
        provider: &Provider,
    ) -> Result<Words, RouteError> {
        let asked = self.request.form();
        let spoken = self.form_at(candidate, provider);
        let splice = splice_for(candidate, provider);
        if spoken == asked {
            return Ok(Words::same(asked, self.request.splice(&splice)?));
        }
        let fault = || RouteError::new(Reason::Internal, "an internal fault");
        let translation = Translation::between(asked, spoken).ok_or_else(fault)?;
        let options = Options {
            stream: self.request.is_stream(),
            max_tokens: self.answer_tokens(candidate),
            chat: wire::flavour(&candidate.provider),
            adaptive_thinking: self.thinks_adaptively(candidate),
            image_sizes: wire::image_sizes(&candidate.upstream_model),
            drop_params: self.request.drop_params().unwrap_or(self.core.drop_params),
            ..Options::new(&*candidate.upstream_model)
        };
        let body = match self.request.parts_as_json()? {
            Some(json) => json,
            None => self.request.splice(&splice.for_translation())?.to_bytes(),
        };
        let worded = translation.request(&body, &options);
        let worded = worded.map_err(|refusal| RouteError::from(&refusal))?;
        Ok(Words {
            form: spoken,
            body: self.request.carried(worded.body, &splice),
            dropped: worded.dropped,
            base64: worded.base64,
        })
    }

    /// The form in which a provider is spoken to.
    fn form_at(&self, candidate: &Candidate, provider: &Provider) -> Form {
        let asked = self.request.form();
        let catalog = self.core.catalog.current();
        let model = catalog.resolve(&candidate.model);
        let listener = provider.listener(&candidate.upstream_model, model);
        let form = wire::form(listener, asked).unwrap_or(asked);
        wire::streamed(form, self.request.is_stream() && form != asked)
    }

    /// Whether the model judges itself how much it thinks; one that nobody knows is a new one.
    fn thinks_adaptively(&self, candidate: &Candidate) -> bool {
        let catalog = self.core.catalog.current();
        let model = catalog.resolve(&candidate.model);
        model.is_none_or(|model| model.thinking == Thinking::Adaptive)
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
        let translation = self.translation(attempt);
        let stream = translation.and_then(|way| way.stream(self.answer_context(attempt)));
        stream.map_or(Voice::Same, |stream| Voice::Other(Box::new(stream)))
    }

    /// A plain answer in the caller's form; the error says why it cannot be read.
    pub(super) fn in_callers_form(
        &self,
        attempt: &Attempt,
        body: Bytes,
        used: &Usage,
    ) -> Result<Bytes, String> {
        let Some(translation) = self.translation(attempt) else {
            return Ok(body);
        };
        let asked = Asked {
            context: self.answer_context(attempt),
            base64: attempt.words.base64,
            prompt_tokens: u64::try_from(used.prompt_tokens()).unwrap_or(0),
        };
        let answer = translation.answer(&body, &asked);
        answer.map(Bytes::from).map_err(|error| error.to_string())
    }

    /// A provider's own error in the caller's form.
    pub(super) fn error_in_callers_form(&self, attempt: &Attempt, body: String) -> Bytes {
        match self.translation(attempt) {
            Some(way) => way.error(attempt.http_status, body.as_bytes()).into(),
            None => body.into(),
        }
    }

    /// What stands between the caller and an attempt's provider, where they do not speak the same.
    fn translation(&self, attempt: &Attempt) -> Option<Translation> {
        Translation::between(self.request.form(), attempt.form())
    }

    fn answer_context(&self, attempt: &Attempt) -> AnswerContext {
        let created = u64::try_from(attempt.start_time.as_second()).unwrap_or(0);
        let model = &*attempt.candidate.upstream_model;
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

fn splice_for<'a>(candidate: &'a Candidate, provider: &Provider) -> Splice<'a> {
    let is_openrouter = *candidate.provider == *OPENROUTER;
    let is_own = candidate.source != KeySource::System;
    Splice {
        upstream_model: &candidate.upstream_model,
        keep_provider: is_openrouter,
        // With the platform's key only the model that was priced may be served.
        keep_models: is_openrouter && is_own,
        force_usage: provider.takes_stream_options,
    }
}
