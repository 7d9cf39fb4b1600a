//! A message of the assistant: the same in a conversation and in an answer.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::citations::{self, Annotation};
use super::content::{Wire, WirePart, image};
use super::reasoning::{self, Detail, detail};
use super::tools::{ExtraContent, WireCall, write_call};
use crate::canonical::{Content, Origin, Part, Signature};
use crate::json::Object;

/// A message as it is written, whoever speaks.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireMessage {
    pub(super) role: Option<String>,
    pub(super) content: Option<Wire>,
    pub(super) tool_call_id: Option<String>,
    /// Ours: that a tool failed.
    pub(super) is_error: Option<bool>,
    refusal: Option<String>,
    reasoning: Option<String>,
    reasoning_content: Option<String>,
    reasoning_details: Option<Vec<Detail>>,
    tool_calls: Option<Vec<WireCall>>,
    annotations: Option<Vec<Annotation>>,
    /// OpenRouter: images that the model made.
    images: Option<Vec<WirePart>>,
    /// What was said aloud before, by an id of its provider's.
    audio: Option<IgnoredAny>,
    /// The call of a function as it was before there were tools.
    function_call: Option<IgnoredAny>,
}

impl WireMessage {
    /// What the assistant says, in the order thoughts, images, texts, calls; `None` in place of a
    /// part that is not known.
    pub(super) fn assistant(self) -> Vec<Option<Part>> {
        let thoughts = reasoning::read(
            self.reasoning_details,
            self.reasoning_content.or(self.reasoning),
        );
        let mut parts: Vec<_> = thoughts.into_iter().map(Some).collect();
        parts.extend(Wire::Parts(self.images.unwrap_or_default()).parts());
        let mut said = self.content.map(Wire::parts).unwrap_or_default();
        cite(&mut said, self.annotations);
        parts.append(&mut said);
        let refusal = self.refusal.filter(|refusal| !refusal.is_empty());
        parts.extend(refusal.map(|text| Some(Part::new(Content::Refusal(text)))));
        parts.extend(calls(self.tool_calls).into_iter().map(Some));
        parts.extend(self.audio.or(self.function_call).map(|_| None));
        parts
    }
}

/// Annotations are of the message's text, of which there is one where there are any.
fn cite(parts: &mut [Option<Part>], annotations: Option<Vec<Annotation>>) {
    let texts = parts
        .iter_mut()
        .flatten()
        .filter_map(|part| match &mut part.content {
            Content::Text { citations, .. } => Some(citations),
            _ => None,
        });
    if let Some(citations) = texts.last() {
        *citations = citations::read(annotations);
    }
}

fn calls(calls: Option<Vec<WireCall>>) -> Vec<Part> {
    let mut parts = Vec::new();
    for (number, mut call) in calls.unwrap_or_default().into_iter().enumerate() {
        let signature = call.extra_content.take().and_then(ExtraContent::signature);
        parts.extend(signature.map(|value| {
            Part::signature(Signature {
                origin: Origin::Google,
                value,
            })
        }));
        parts.push(Part::new(Content::ToolCall(call.call(number))));
    }
    parts
}

/// What becomes of the assistant's parts. Thoughts are apart: not every server takes them back.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Texts, one after another.
    pub(super) text: String,
    /// Thoughts, one after another.
    pub(super) thoughts: String,
    pub(super) details: Vec<Value>,
    refusal: Option<String>,
    images: Vec<Value>,
    annotations: Vec<Value>,
    calls: Vec<Value>,
    /// Google's signature of the call that comes next.
    signature: Option<Signature>,
}

impl Said {
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Self {
        let mut said = Self::default();
        for part in parts {
            said.take(&part.content);
        }
        said.keep_signature();
        said
    }

    fn take(&mut self, content: &Content) {
        match content {
            Content::Text { text, citations } => {
                let start = self.text.chars().count() as u64;
                self.text.push_str(text);
                let end = self.text.chars().count() as u64;
                let cited = citations
                    .iter()
                    .map(|one| citations::write(one, start, end));
                self.annotations.extend(cited);
            }
            Content::Refusal(text) => self.refusal.get_or_insert_default().push_str(text),
            Content::Image(media) => self.images.extend(image(media).map(Value::from)),
            Content::Reasoning {
                text,
                signature,
                redacted,
            } => self.think(text, signature.as_ref(), *redacted),
            Content::ToolCall(call) => {
                let signature = self.signature.take();
                let value = signature.as_ref().map(|signature| signature.value.as_str());
                self.calls.push(write_call(call, value).into());
            }
            Content::File(_) | Content::Audio(_) | Content::ToolResult(_) => {}
        }
    }

    fn think(&mut self, text: &str, signature: Option<&Signature>, redacted: bool) {
        self.keep_signature();
        if let Some(signature) = signature
            && signature.origin == Origin::Google
            && text.is_empty()
        {
            self.signature = Some(signature.clone());
            return;
        }
        self.thoughts.push_str(text);
        self.details
            .push(detail(text, signature, redacted, self.details.len()));
    }

    /// A signature after which no call came stands among the details.
    fn keep_signature(&mut self) {
        if let Some(signature) = self.signature.take() {
            let index = self.details.len();
            self.details
                .push(detail("", Some(&signature), false, index));
        }
    }

    /// The message but for its thoughts.
    pub(super) fn message(&mut self) -> Object {
        let text = Some(std::mem::take(&mut self.text)).filter(|text| !text.is_empty());
        let mut message = Object::default()
            .with("role", "assistant")
            .with("content", text)
            .maybe("refusal", self.refusal.take());
        message.set_some("images", std::mem::take(&mut self.images));
        message.set_some("annotations", std::mem::take(&mut self.annotations));
        message.set_some("tool_calls", std::mem::take(&mut self.calls));
        message
    }
}
