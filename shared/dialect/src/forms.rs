//! The table of forms: which module reads and writes what.

use serde_json::Value;

use crate::canonical::{Answer, Request};
use crate::form::Form;
use crate::gaps::Gaps;
use crate::refusal::{Garbled, Refusal};
use crate::stream::{ReadEvents, WriteEvents};
use crate::translate::{AnswerContext, Options};
use crate::{anthropic_messages, openai_chat};

pub(crate) fn read_request(
    form: Form,
    body: &[u8],
    _options: &Options,
    gaps: &mut Gaps,
) -> Result<Request, Refusal> {
    match form {
        Form::OpenAiChat => openai_chat::read_request(body, gaps),
        Form::AnthropicMessages => anthropic_messages::read_request(body, gaps),
        _ => Err(unspoken(form)),
    }
}

pub(crate) fn write_request(
    form: Form,
    request: &Request,
    options: &Options,
    gaps: &mut Gaps,
) -> Result<Value, Refusal> {
    match form {
        Form::OpenAiChat => openai_chat::write_request(request, options, gaps),
        Form::AnthropicMessages => anthropic_messages::write_request(request, options, gaps),
        _ => Err(unspoken(form)),
    }
}

pub(crate) fn read_answer(
    form: Form,
    body: &[u8],
    _context: &AnswerContext,
) -> Result<Answer, Garbled> {
    match form {
        Form::AnthropicMessages => anthropic_messages::read_answer(body),
        _ => openai_chat::read_answer(body),
    }
}

pub(crate) fn write_answer(form: Form, answer: &Answer, context: &AnswerContext) -> Value {
    match form {
        Form::AnthropicMessages => anthropic_messages::write_answer(answer, context),
        _ => openai_chat::write_answer(answer, context),
    }
}

pub(crate) fn reader(form: Form, _context: &AnswerContext) -> Box<dyn ReadEvents + Send> {
    match form {
        Form::AnthropicMessages => Box::<anthropic_messages::EventReader>::default(),
        _ => Box::<openai_chat::EventReader>::default(),
    }
}

pub(crate) fn writer(form: Form, context: AnswerContext) -> Box<dyn WriteEvents + Send> {
    match form {
        Form::AnthropicMessages => Box::new(anthropic_messages::EventWriter::new(context)),
        _ => Box::new(openai_chat::EventWriter::new(context)),
    }
}

fn unspoken(form: Form) -> Refusal {
    Refusal::Invalid {
        param: None,
        message: format!("{} cannot be translated", form.name()),
    }
}
