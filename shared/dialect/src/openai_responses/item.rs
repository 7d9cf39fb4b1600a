//! Items as they are read: messages, thoughts, calls, and what came of them.

use serde::Deserialize;
use serde_json::Value;

use super::content::Wire;
use crate::canonical::{Content, Logprob, Origin, Part, Role, Signature, ToolCall, ToolResult};

/// An item as it is written. A message needs no type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireItem {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    content: Option<Wire>,
    call_id: Option<String>,
    name: Option<String>,
    /// Calls of tools of the provider's own may have an object.
    #[serde(deserialize_with = "text")]
    arguments: Option<String>,
    output: Option<Wire>,
    summary: Option<Vec<Summary>>,
    encrypted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Summary {
    #[serde(default)]
    text: String,
}

/// Reads a text, and anything else as none.
fn text<'a, D: serde::Deserializer<'a>>(json: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(json)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

impl WireItem {
    /// A message of the user's.
    pub(super) fn user(content: Wire) -> Self {
        Self {
            role: Some("user".to_owned()),
            content: Some(content),
            ..Self::default()
        }
    }

    /// What kind of item it is.
    pub(super) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("message")
    }

    /// Who speaks, and what; `None` where the item, or something in it, is not known.
    pub(super) fn said(self) -> Option<(Role, Vec<Part>)> {
        match self.kind() {
            "message" => {
                let role = match self.role.as_deref() {
                    Some("system" | "developer") => Role::System,
                    Some("user") => Role::User,
                    Some("assistant") => Role::Assistant,
                    _ => return None,
                };
                let parts = self.content.map(Wire::parts).unwrap_or_default();
                Some((role, parts.into_iter().collect::<Option<_>>()?))
            }
            "reasoning" => Some((Role::Assistant, vec![self.thoughts()])),
            "function_call" => Some((Role::Assistant, vec![self.call()])),
            "function_call_output" => Some((Role::Tool, vec![self.result()?])),
            _ => None,
        }
    }

    /// What is known of an item of an answer.
    pub(super) fn answered(mut self, logprobs: &mut Vec<Logprob>) -> Vec<Part> {
        match self.kind() {
            "message" => {
                logprobs.extend(
                    self.content
                        .as_mut()
                        .map(Wire::take_logprobs)
                        .unwrap_or_default(),
                );
                let parts = self.content.map(Wire::parts).unwrap_or_default();
                parts.into_iter().flatten().collect()
            }
            "reasoning" => vec![self.thoughts()],
            "function_call" => vec![self.call()],
            _ => Vec::new(),
        }
    }

    /// The signature of thoughts, and whether they are hidden.
    pub(super) fn signature(&mut self) -> Option<(Signature, bool)> {
        let text = self
            .encrypted_content
            .take()
            .filter(|text| !text.is_empty())?;
        Some(Signature::read(Origin::OpenAi, text).reveal())
    }

    fn thoughts(mut self) -> Part {
        let (signature, redacted) = self.signature().unzip();
        Part::new(Content::Reasoning {
            text: self.shown().join("\n"),
            signature,
            redacted: redacted.unwrap_or_default(),
        })
    }

    /// Thoughts as far as they are shown: summed up, or else as they are.
    fn shown(self) -> Vec<String> {
        match self.summary {
            Some(summaries) if !summaries.is_empty() => {
                summaries.into_iter().map(|summary| summary.text).collect()
            }
            _ => self.content.map(Wire::thoughts).unwrap_or_default(),
        }
    }

    /// A call, with as much of its arguments as has come.
    pub(super) fn call(self) -> Part {
        Part::new(Content::ToolCall(ToolCall {
            id: self.call_id.unwrap_or_default(),
            name: self.name.unwrap_or_default(),
            arguments: self.arguments.unwrap_or_default(),
        }))
    }

    fn result(self) -> Option<Part> {
        let parts = self.output.map(Wire::parts).unwrap_or_default();
        Some(Part::new(Content::ToolResult(ToolResult {
            call_id: self.call_id?,
            name: None,
            parts: parts.into_iter().collect::<Option<_>>()?,
            is_error: false,
        })))
    }
}
