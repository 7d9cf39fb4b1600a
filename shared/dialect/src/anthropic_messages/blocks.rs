//! Content blocks as they are written.

use serde_json::{Value, json};

use super::source;
use crate::canonical::{Cache, Citation, Content, Media, Origin, Part, Signature, ToolCall};
use crate::json::Object;

/// Writes a mark up to which the prompt is to be cached.
pub(super) fn cache_control(cache: &Cache) -> Value {
    Object::typed("ephemeral")
        .maybe("ttl", cache.ttl.clone())
        .into()
}

/// Text; citations of pages without what only Anthropic can know of them.
pub(super) fn text(text: &str, citations: &[Citation]) -> Object {
    let mut block = Object::typed("text").with("text", text);
    block.set_some("citations", citations.iter().map(citation).collect());
    block
}

pub(super) fn citation(citation: &Citation) -> Value {
    json!({
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.cited.as_deref().unwrap_or_default(),
        "encrypted_index": "",
    })
}

pub(super) fn image(media: &Media) -> Object {
    Object::typed("image").with("source", source::write(&media.source))
}

pub(super) fn document(media: &Media) -> Object {
    Object::typed("document")
        .with("source", source::write(&media.source))
        .maybe("title", media.name.clone())
}

/// Thoughts, with a signature as this form carries it.
pub(super) fn thinking(text: &str, signature: Option<&str>) -> Object {
    Object::typed("thinking")
        .with("thinking", text)
        .with("signature", signature.unwrap_or_default())
}

pub(super) fn redacted(data: &str) -> Object {
    Object::typed("redacted_thinking").with("data", data)
}

pub(super) fn tool_use(call: &ToolCall) -> Object {
    Object::typed("tool_use")
        .with("id", call.id.as_str())
        .with("name", call.name.as_str())
        .with("input", call.arguments_object())
}

/// What the model said, for a caller: a refusal is text, and thoughts keep whoever's signature.
pub(super) fn of_answer(part: &Part) -> Option<Value> {
    let block = match &part.content {
        Content::Text {
            text: said,
            citations,
        } => text(said, citations),
        Content::Refusal(said) => text(said, &[]),
        Content::Reasoning {
            text,
            signature,
            redacted: hidden,
        } => of_thoughts(text, signature.as_ref(), *hidden),
        Content::ToolCall(call) => tool_use(call),
        Content::Image(media) => image(media),
        Content::File(_) | Content::Audio(_) | Content::ToolResult(_) => return None,
    };
    Some(block.into())
}

fn of_thoughts(text: &str, signature: Option<&Signature>, hidden: bool) -> Object {
    let signature = signature.map(|signature| signature.write(Origin::Anthropic));
    if hidden {
        redacted(&signature.unwrap_or_default())
    } else {
        thinking(text, signature.as_deref())
    }
}
