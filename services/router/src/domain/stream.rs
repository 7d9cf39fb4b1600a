//! Watching a provider's event stream as it passes: where events end, when the answer is committed,
//! what was used, how it ended. Bytes are passed on as they came but for what is held back on
//! purpose: the usage chunk nobody asked for, and the end, which the charge comment goes before.

mod cut;
mod event;
mod split;
mod text;
mod watch;

pub(crate) use cut::cut_short;
pub(crate) use event::delivered_texts;
pub(crate) use text::DeliveredText;
pub(crate) use watch::{Pushed, StreamWatch};

/// The event with which a stream ends that could not be finished. No `[DONE]` follows it.
pub(crate) fn error_event(message: &str, kind: &str, code: &str) -> bytes::Bytes {
    let error = serde_json::json!({
        "error": {"message": message, "type": kind, "param": null, "code": code}
    });
    format!("data: {error}\n\n").into()
}

/// The comment that tells what a stream was charged.
pub(crate) fn charge_comment(charge: keyward_money::Nanos) -> bytes::Bytes {
    format!(": x-credits-charged {charge}\n\n").into()
}
