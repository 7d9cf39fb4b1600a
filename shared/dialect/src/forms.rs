//! The table of forms: which module reads and writes what.

use serde_json::Value;

use crate::canonical::{Answer, Request};
use crate::form::Form;
use crate::gaps::Gaps;
use crate::refusal::{Garbled, Refusal};
use crate::stream::{ReadEvents, WriteEvents};
use crate::translate::{AnswerContext, Options};
use crate::{
    anthropic_messages, gemini_generate, openai_chat, openai_completions, openai_responses, typed,
};

pub(crate) fn read_request(
    form: Form,
    body: &[u8],
    options: &Options,
    gaps: &mut Gaps,
) -> Result<Request, Refusal> {
    match form {
        Form::OpenAiChat | Form::TypedChat => openai_chat::read_request(body, gaps),
        Form::AnthropicMessages => anthropic_messages::read_request(body, gaps),
        Form::GeminiGenerate => gemini_generate::read_request(body, options, gaps),
        Form::OpenAiResponses => openai_responses::read_request(body, gaps),
        Form::OpenAiCompletions => openai_completions::read_request(body, gaps),
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
        Form::GeminiGenerate => gemini_generate::write_request(request, options, gaps),
        Form::OpenAiResponses => openai_responses::write_request(request, options, gaps),
        Form::OpenAiCompletions | Form::TypedChat => Err(unspoken(form)),
    }
}

pub(crate) fn read_answer(
    form: Form,
    body: &[u8],
    context: &AnswerContext,
) -> Result<Answer, Garbled> {
    match form {
        Form::AnthropicMessages => anthropic_messages::read_answer(body),
        Form::GeminiGenerate => gemini_generate::read_answer(body, context),
        Form::OpenAiResponses => openai_responses::read_answer(body),
        Form::OpenAiChat => openai_chat::read_answer(body),
        Form::OpenAiCompletions | Form::TypedChat => {
            Err(Garbled::new("no provider is asked in this form"))
        }
    }
}

pub(crate) fn write_answer(form: Form, answer: &Answer, context: &AnswerContext) -> Value {
    match form {
        Form::AnthropicMessages => anthropic_messages::write_answer(answer, context),
        Form::GeminiGenerate => gemini_generate::write_answer(answer, context),
        Form::OpenAiResponses => openai_responses::write_answer(answer, context),
        Form::OpenAiCompletions => openai_completions::write_answer(answer, context),
        Form::OpenAiChat => openai_chat::write_answer(answer, context),
        Form::TypedChat => typed::write_answer(answer),
    }
}

pub(crate) fn reader(form: Form, context: &AnswerContext) -> Box<dyn ReadEvents + Send> {
    match form {
        Form::AnthropicMessages => Box::<anthropic_messages::EventReader>::default(),
        Form::GeminiGenerate => Box::new(gemini_generate::EventReader::new(context)),
        Form::OpenAiResponses => Box::<openai_responses::EventReader>::default(),
        // No provider is asked in the last two; what is no chunk of a chat says nothing.
        Form::OpenAiChat | Form::OpenAiCompletions | Form::TypedChat => {
            Box::<openai_chat::EventReader>::default()
        }
    }
}

pub(crate) fn writer(form: Form, context: AnswerContext) -> Box<dyn WriteEvents + Send> {
    match form {
        Form::AnthropicMessages => Box::new(anthropic_messages::EventWriter::new(context)),
        Form::GeminiGenerate => Box::new(gemini_generate::EventWriter::new(context)),
        Form::OpenAiResponses => Box::new(openai_responses::EventWriter::new(context)),
        Form::OpenAiCompletions => Box::new(openai_completions::EventWriter::new(context)),
        Form::OpenAiChat => Box::new(openai_chat::EventWriter::new(context)),
        Form::TypedChat => Box::new(typed::EventWriter),
    }
}

fn unspoken(form: Form) -> Refusal {
    Refusal::Invalid {
        param: None,
        message: format!("no request is translated into {}", form.name()),
    }
}
