//! OpenAI's older completions, which have no tools.

use serde_json::{Value, json};

use super::super::said::{Asked, QUESTION, Said, text};
use super::chat::{finish_reason, stop, used};
use super::{Caller, openai_error};

pub(in super::super) struct Completions;

impl Caller for Completions {
    fn path(&self, _: &str, _: bool) -> String {
        "/v1/completions".to_owned()
    }

    fn body(&self, model: &str, _: Asked, stream: bool) -> Value {
        let mut body = json!({"model": model, "prompt": QUESTION, "max_tokens": 64});
        if stream {
            body["stream"] = json!(true);
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    fn plain(&self, answer: &Value) -> Said {
        Said {
            text: text(&answer["choices"][0]["text"]),
            calls: Vec::new(),
            stop: stop(finish_reason(answer)),
            used: used(&answer["usage"]),
        }
    }

    fn streamed(&self, events: &[Value]) -> Said {
        let reason = events
            .iter()
            .map(finish_reason)
            .find(|reason| !reason.is_null());
        let usage = events
            .iter()
            .map(|event| &event["usage"])
            .rfind(|usage| !usage.is_null());
        Said {
            text: events
                .iter()
                .map(|event| text(&event["choices"][0]["text"]))
                .collect(),
            calls: Vec::new(),
            stop: stop(reason.unwrap()),
            used: used(usage.unwrap()),
        }
    }

    fn ends(&self, event: &Value) -> bool {
        !finish_reason(event).is_null()
    }

    fn error(&self, answer: &Value) -> Option<String> {
        openai_error(answer)
    }

    fn ends_with_done(&self) -> bool {
        true
    }

    fn has_tools(&self) -> bool {
        false
    }
}
