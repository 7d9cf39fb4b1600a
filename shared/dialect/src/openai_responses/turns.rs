//! The conversation: instructions, and items, of which the assistant's follow one another as one turn.

use serde_json::{Value, json};

use super::content::{self, Wire};
use super::item::WireItem;
use super::items::{function_call, reasoning};
use crate::canonical::{Content, Message, Origin, Part, Role};
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;

pub(super) fn read(
    instructions: Option<String>,
    items: Vec<WireItem>,
    gaps: &Gaps,
) -> Result<Vec<Message>, Refusal> {
    let mut turns: Vec<Message> = Vec::with_capacity(items.len() + 1);
    if let Some(text) = instructions.filter(|text| !text.is_empty()) {
        turns.push(Message {
            role: Role::System,
            parts: vec![Part::text(text)],
        });
    }
    for item in items {
        let what = format!("an item of type `{}`, or something in it,", item.kind());
        let (role, parts) = item.said().ok_or_else(|| gaps.content(&what))?;
        match turns.last_mut() {
            Some(last) if last.role == role && joins(role) => last.parts.extend(parts),
            _ => turns.push(Message { role, parts }),
        }
    }
    Ok(turns)
}

fn joins(role: Role) -> bool {
    matches!(role, Role::Assistant | Role::Tool)
}

/// A conversation that is one text.
pub(super) fn lone(text: String) -> Vec<WireItem> {
    vec![WireItem::user(Wire::Text(text))]
}

/// Instructions: what the application says first, if that is one text.
pub(super) fn instructions(turns: &[Message]) -> Option<&str> {
    match turns.first()? {
        Message {
            role: Role::System,
            parts,
        } => match parts.as_slice() {
            [part] => part.as_text(),
            _ => None,
        },
        _ => None,
    }
}

/// Writes the turns but for the instructions.
pub(super) fn write(turns: &[Message], gaps: &Gaps) -> Result<Vec<Value>, Refusal> {
    let said = usize::from(instructions(turns).is_some());
    let mut items = Vec::with_capacity(turns.len());
    for turn in &turns[said..] {
        match turn.role {
            Role::System => items.push(message("system", content::write(&turn.parts, gaps)?)),
            Role::User => items.push(message("user", content::write(&turn.parts, gaps)?)),
            Role::Assistant => items.extend(turn.parts.iter().filter_map(assistant)),
            Role::Tool => {
                for part in &turn.parts {
                    items.extend(output(&part.content, gaps)?);
                }
            }
        }
    }
    Ok(items)
}

fn message(role: &str, content: Value) -> Value {
    Object::typed("message")
        .with("role", role)
        .with("content", content)
        .into()
}

/// What the assistant said. Thoughts are only taken back by whoever signed them.
fn assistant(part: &Part) -> Option<Value> {
    let written = match &part.content {
        Content::Text { text, .. } => {
            message("assistant", json!([{"type": "output_text", "text": text}]))
        }
        Content::Refusal(text) => {
            message("assistant", json!([{"type": "refusal", "refusal": text}]))
        }
        Content::Reasoning {
            text, signature, ..
        } => {
            let signature = signature
                .as_ref()
                .filter(|one| one.origin == Origin::OpenAi)?;
            reasoning(text, Some(signature)).into()
        }
        Content::ToolCall(call) => function_call(call).into(),
        _ => return None,
    };
    Some(written)
}

fn output(content: &Content, gaps: &Gaps) -> Result<Option<Value>, Refusal> {
    let Content::ToolResult(result) = content else {
        return Ok(None);
    };
    let output = if result.is_text() {
        result.text().into()
    } else {
        content::write(&result.parts, gaps)?
    };
    let item = Object::typed("function_call_output")
        .with("call_id", result.call_id.as_str())
        .with("output", output);
    Ok(Some(item.into()))
}
