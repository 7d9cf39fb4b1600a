//! Usage as providers report it, made disjoint: one reader for each way of reporting. A form says which
//! way its answers go, and where in them the report is.

mod anthropic;
mod gemini;
mod openai;
mod typed;

use keyward_money::MeasuredUsage;
use serde_json::Number;

use super::form::{Form, Language};
use super::{gemini_images, imagen};

/// The most tokens, or of anything else, that are believed of one request: many times any model's
/// context.
const TOKENS_MAX: i64 = 100_000_000;

/// Reads the usage out of a plain answer; `None` where there is none to be read.
pub(crate) fn read(form: Form, json: &[u8]) -> Option<MeasuredUsage> {
    Meter::new(form).take(json)
}

/// Reads the usage out of the end of a large answer, whose beginning is gone already.
pub(crate) fn read_tail(form: Form, tail: &[u8]) -> Option<MeasuredUsage> {
    match form.language() {
        Language::Anthropic | Language::Keyward => None,
        Language::Google => gemini::read_tail(tail),
        Language::OpenAi => openai::read_tail(tail).or_else(|| typed::read_tail(tail)),
    }
}

/// Reads what the answer or the events of one request report. Some forms report in several events,
/// each of which adds to those before it.
#[derive(Debug)]
pub(crate) struct Meter {
    form: Form,
    anthropic: anthropic::Reported,
}

impl Meter {
    pub(crate) fn new(form: Form) -> Self {
        Self {
            form,
            anthropic: anthropic::Reported::default(),
        }
    }

    /// All that is known after this answer or event; `None` where it reports nothing that can be read.
    pub(crate) fn take(&mut self, json: &[u8]) -> Option<MeasuredUsage> {
        match self.form {
            form if form.only_counts() => Some(MeasuredUsage::default()),
            // What judges texts is free.
            Form::Moderations => Some(MeasuredUsage::default()),
            Form::Predict => imagen::usage(json),
            Form::GenerateImages => {
                gemini::read(json).map(|tokens| gemini_images::counted(tokens, json))
            }
            Form::Messages => self.anthropic.take(json),
            Form::Chat | Form::Completions => openai::read(json),
            Form::Embeddings => openai::read(json).or_else(|| openai::read_total(json)),
            _ if self.form.language() == Language::Google => gemini::read(json),
            // Those who came later report like OpenAI's chat completions all the same.
            form => typed::read(form, json).or_else(|| openai::read(json)),
        }
    }
}

/// `None` where a figure is beyond belief: nobody shall pay for a fault in a provider's counter.
fn believable(measured: MeasuredUsage) -> Option<MeasuredUsage> {
    let usage = &measured.usage;
    let tokens = usage.prompt_tokens().max(usage.completion_tokens());
    let most = tokens.max(usage.audio_ms).max(usage.searches);
    (most <= TOKENS_MAX).then_some(measured)
}

/// Some servers write counts as `12.0`.
#[allow(clippy::cast_possible_truncation)]
fn whole(number: Option<&Number>) -> i64 {
    let Some(number) = number else { return 0 };
    number
        .as_i64()
        .or_else(|| number.as_f64().map(|count| count.round() as i64))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
