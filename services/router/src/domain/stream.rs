//! Watching a provider's event stream as it passes: where events end, when the answer is committed,
//! what was used, how it ended. Bytes are passed on as they came but for what is held back on
//! purpose: the usage chunk nobody asked for, and the end, which the charge comment goes before.

use bytes::Bytes;
use keyward_runtime::error::Reason;
use serde_json::json;

use super::form::{Form, Language};

mod cut;
mod event;
mod kind;
mod split;
mod text;
mod watch;

pub(crate) use cut::cut_short;
pub(crate) use text::DeliveredText;
pub use watch::{BrokenStream, Pushed, StreamWatch};

/// The texts that an answer of a form delivers.
pub(crate) fn delivered_texts(form: Form, answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    event::texts(answer, kind::answer_texts(form))
}

/// The event with which a stream ends that could not be finished, in the caller's form. Nothing that
/// looks like a good end follows it. Typed callers are always translated for, and told by who translates.
pub(crate) fn error_event(form: Form, message: &str, reason: Reason) -> Bytes {
    let (kind, code) = (reason.openai_type(), reason.openai_code());
    let (name, error) = match form.language() {
        Language::OpenAi if form == Form::Responses => (
            "event: error\n",
            json!({"type": "error", "code": code, "message": message, "param": null}),
        ),
        Language::OpenAi | Language::Keyward => (
            "",
            json!({"error": {"message": message, "type": kind, "param": null, "code": code}}),
        ),
        Language::Anthropic => (
            "event: error\n",
            json!({
                "type": "error",
                "error": {"type": reason.anthropic_type(), "message": message},
            }),
        ),
        Language::Google => (
            "",
            json!({"error": {
                "code": reason.http_status(),
                "message": message,
                "status": reason.google_status(),
            }}),
        ),
    };
    format!("{name}data: {error}\n\n").into()
}

/// The comment that tells what a stream was charged.
pub(crate) fn charge_comment(charge: keyward_money::Nanos) -> Bytes {
    format!(": x-credits-charged {charge}\n\n").into()
}
