//! Items as they are written.

use serde_json::{Value, json};

use super::content::output_text;
use crate::canonical::{Content, Logprob, Origin, Part, Signature, Source, ToolCall};
use crate::json::Object;

/// Writes an item of an answer: complete, under an id made of the answer's and its place.
pub(super) fn of_answer(
    part: &Part,
    answer: &str,
    index: usize,
    logprobs: &[Logprob],
) -> Option<Value> {
    let id = id(&part.content, answer, index)?;
    Some(match &part.content {
        Content::Text { text, citations } => message(
            &id,
            "completed",
            vec![output_text(text, citations, logprobs)],
        ),
        Content::Refusal(text) => message(
            &id,
            "completed",
            vec![json!({"type": "refusal", "refusal": text})],
        ),
        Content::Reasoning {
            text,
            signature,
            redacted,
        } => {
            let signature = signature.clone().map(|one| one.hide(*redacted));
            let item = reasoning(text, signature.as_ref());
            item.with("id", id).with("status", "completed").into()
        }
        Content::ToolCall(call) => function_call(call)
            .with("id", id)
            .with("status", "completed")
            .into(),
        Content::Image(media) => {
            let Source::Base64 { data, .. } = &media.source else {
                return None;
            };
            json!({
                "type": "image_generation_call", "id": id, "status": "completed", "result": data,
            })
        }
        Content::File(_) | Content::Audio(_) | Content::ToolResult(_) => return None,
    })
}

/// The id of an item; `None` for what no answer has.
pub(super) fn id(content: &Content, answer: &str, index: usize) -> Option<String> {
    let prefix = match content {
        Content::Text { .. } | Content::Refusal(_) => "msg",
        Content::Reasoning { .. } => "rs",
        Content::ToolCall(_) => "fc",
        Content::Image(_) => "ig",
        Content::File(_) | Content::Audio(_) | Content::ToolResult(_) => return None,
    };
    Some(format!("{prefix}_{answer}_{index}"))
}

/// A message of the model's.
pub(super) fn message(id: &str, status: &str, content: Vec<Value>) -> Value {
    Object::typed("message")
        .with("id", id)
        .with("status", status)
        .with("role", "assistant")
        .with("content", content)
        .into()
}

/// Thoughts: a summary, where anything is shown, and what only their maker can read.
pub(super) fn reasoning(text: &str, signature: Option<&Signature>) -> Object {
    let shown = (!text.is_empty()).then(|| json!({"type": "summary_text", "text": text}));
    Object::typed("reasoning")
        .with("summary", shown.into_iter().collect::<Vec<_>>())
        .maybe(
            "encrypted_content",
            signature.map(|one| one.write(Origin::OpenAi)),
        )
}

pub(super) fn function_call(call: &ToolCall) -> Object {
    Object::typed("function_call")
        .with("call_id", call.id.as_str())
        .with("name", call.name.as_str())
        .with("arguments", call.arguments.as_str())
}
