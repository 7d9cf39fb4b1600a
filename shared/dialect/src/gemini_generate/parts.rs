//! Parts as they are written.

use serde_json::{Value, json};

use super::signature;
use crate::canonical::{Content, Media, Origin, Part, Signature, Source, ToolCall};
use crate::json::Object;

/// Writes parts, each with the signature that stands before it.
#[derive(Debug, Default)]
pub(super) struct Parts {
    written: Vec<Value>,
    signature: Option<Signature>,
}

impl Parts {
    pub(super) fn push(&mut self, mut part: Object) {
        let signature = self.signature.take();
        part.set_maybe("thoughtSignature", signature.as_ref().map(signature::write));
        self.written.push(part.into());
    }

    /// Thoughts that are shown are a part of their own; a lone signature of Google's is of the part
    /// after it.
    pub(super) fn think(&mut self, text: &str, signed: Option<&Signature>, hidden: bool) {
        self.flush();
        if let Some(signature) = signed
            && signature.origin == Origin::Google
            && text.is_empty()
        {
            self.signature = Some(signature.clone());
            return;
        }
        self.signature = signed.map(|signature| signature.clone().hide(hidden));
        self.push(thought(text));
    }

    /// A signature after which no part came is of an empty text.
    pub(super) fn flush(&mut self) {
        if self.signature.is_some() {
            self.push(Object::default().with("text", ""));
        }
    }

    pub(super) fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    pub(super) fn sign(&mut self, signature: Signature) {
        self.signature = Some(signature);
    }

    pub(super) fn into_values(mut self) -> Vec<Value> {
        self.flush();
        self.written
    }
}

fn thought(text: &str) -> Object {
    Object::default().with("text", text).with("thought", true)
}

/// What the model said, for a caller: a refusal is text.
pub(super) fn of_answer(parts: &[Part]) -> Vec<Value> {
    let mut written = Parts::default();
    for part in parts {
        match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) => {
                written.push(Object::default().with("text", text.as_str()));
            }
            Content::Reasoning {
                text,
                signature,
                redacted,
            } => written.think(text, signature.as_ref(), *redacted),
            Content::ToolCall(call) => written.push(function_call(call)),
            Content::Image(held) | Content::Audio(held) | Content::File(held) => {
                if let Some(part) = media(held, "") {
                    written.push(part);
                }
            }
            Content::ToolResult(_) => {}
        }
    }
    written.into_values()
}

pub(super) fn function_call(call: &ToolCall) -> Object {
    let call = json!({"id": call.id, "name": call.name, "args": call.arguments_object()});
    Object::default().with("functionCall", call)
}

/// An image, a recording or a document; `None` where it is with another provider. An address has a
/// type by how it ends, or else the usual one.
pub(crate) fn media(media: &Media, usual: &str) -> Option<Object> {
    let part = Object::default();
    Some(match &media.source {
        Source::Base64 { media_type, data } => {
            part.with("inlineData", json!({"mimeType": media_type, "data": data}))
        }
        Source::Url(url) => {
            let kind = by_ending(url).unwrap_or(usual);
            part.with("fileData", json!({"mimeType": kind, "fileUri": url}))
        }
        Source::Text(text) => part.with("text", text.as_str()),
        Source::Id(_) => return None,
    })
}

fn by_ending(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        _ => return None,
    })
}
