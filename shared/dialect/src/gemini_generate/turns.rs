//! The conversation: an instruction of the system, and contents of user and model.

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

use super::calls::{Ids, names, write_response};
use super::part::WirePart;
use super::parts::{Parts, function_call, media};
use crate::canonical::{Content, Message, Origin, Part, Role, Signature, ToolResult};
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;

/// What Google takes in place of a signature where a conversation was had with another model.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// A content as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireContent {
    role: Option<String>,
    #[serde(deserialize_with = "crate::json::or_default")]
    pub(super) parts: Vec<WirePart>,
}

pub(super) fn read(
    system: Option<WireContent>,
    contents: Vec<WireContent>,
    gaps: &Gaps,
) -> Result<Vec<Message>, Refusal> {
    let mut ids = Ids::new("call_".to_owned());
    let mut turns = Vec::with_capacity(contents.len() + 1);
    if let Some(system) = system {
        let parts = known(system.parts, &mut ids);
        push(
            &mut turns,
            Role::System,
            parts.ok_or_else(|| unknown(gaps))?,
        );
    }
    for content in contents {
        let parts = known(content.parts, &mut ids).ok_or_else(|| unknown(gaps))?;
        if content.role.as_deref() == Some("model") {
            push(&mut turns, Role::Assistant, parts);
        } else {
            let is_result = |part: &Part| matches!(part.content, Content::ToolResult(_));
            let (results, said) = parts.into_iter().partition(is_result);
            push(&mut turns, Role::Tool, results);
            push(&mut turns, Role::User, said);
        }
    }
    Ok(turns)
}

fn unknown(gaps: &Gaps) -> Refusal {
    gaps.content("a part of an unknown kind")
}

fn push(turns: &mut Vec<Message>, role: Role, parts: Vec<Part>) {
    if !parts.is_empty() {
        turns.push(Message { role, parts });
    }
}

/// The parts; `None` where one of them is not known.
pub(super) fn known(parts: Vec<WirePart>, ids: &mut Ids) -> Option<Vec<Part>> {
    let mut known = Vec::with_capacity(parts.len());
    for mut part in parts {
        if let Some(call) = part.function_call.take() {
            known.extend(part.take_signature());
            known.push(Part::new(Content::ToolCall(ids.call(call))));
        } else if let Some(response) = part.function_response.take() {
            known.push(Part::new(Content::ToolResult(ids.result(response)?)));
        } else {
            known.extend(part.parts()?);
        }
    }
    Some(known)
}

/// The system's instruction: whatever the application says, wherever in the conversation.
pub(super) fn system(turns: &[Message], gaps: &Gaps) -> Result<Option<Value>, Refusal> {
    let said = turns.iter().filter(|turn| turn.role == Role::System);
    let mut parts = Vec::new();
    for part in said.flat_map(|turn| &turn.parts) {
        let text = part
            .as_text()
            .ok_or_else(|| gaps.content("anything but text as instruction"))?;
        parts.push(json!({"text": text}));
    }
    Ok((!parts.is_empty()).then(|| json!({"parts": parts})))
}

/// Writes the turns but for the system's. `signs` where the model wants each turn's first call signed.
pub(super) fn write(turns: &[Message], signs: bool, gaps: &Gaps) -> Result<Vec<Value>, Refusal> {
    let names = names(turns);
    let mut sides: Vec<(&str, Vec<Value>)> = Vec::with_capacity(turns.len());
    for turn in turns {
        let side = match turn.role {
            Role::System => continue,
            Role::User | Role::Tool => "user",
            Role::Assistant => "model",
        };
        let mut parts = write_parts(&turn.parts, &names, signs, gaps)?;
        match sides.last_mut() {
            _ if parts.is_empty() => {}
            Some((last, said)) if *last == side => said.append(&mut parts),
            _ => sides.push((side, parts)),
        }
    }
    let contents = sides.into_iter();
    Ok(contents
        .map(|(role, parts)| json!({"role": role, "parts": parts}))
        .collect())
}

fn write_parts(
    parts: &[Part],
    names: &HashMap<&str, &str>,
    signs: bool,
    gaps: &Gaps,
) -> Result<Vec<Value>, Refusal> {
    let mut written = Parts::default();
    let mut called = false;
    for part in parts {
        match &part.content {
            Content::Text { text, .. } | Content::Refusal(text) => {
                written.push(Object::default().with("text", text.as_str()));
            }
            // Thoughts themselves are not taken back, and signatures only Google's own.
            Content::Reasoning { signature, .. } => {
                let own = signature
                    .as_ref()
                    .filter(|one| one.origin == Origin::Google);
                if let Some(signature) = own {
                    written.think("", Some(signature), false);
                }
            }
            Content::Image(held) => written.push(carried(media(held, "image/jpeg"), gaps)?),
            Content::File(held) => written.push(carried(media(held, "application/pdf"), gaps)?),
            Content::Audio(held) => written.push(carried(media(held, "audio/mpeg"), gaps)?),
            Content::ToolCall(call) => {
                if signs && !called && !written.is_signed() {
                    written.sign(unsigned());
                }
                called = true;
                written.push(function_call(call));
            }
            Content::ToolResult(result) => {
                for part in function_response(result, names, signs, gaps)? {
                    written.push(part);
                }
            }
        }
    }
    Ok(written.into_values())
}

fn unsigned() -> Signature {
    Signature {
        origin: Origin::Google,
        value: UNSIGNED.to_owned(),
    }
}

fn carried(part: Option<Object>, gaps: &Gaps) -> Result<Object, Refusal> {
    part.ok_or_else(|| gaps.content("a file by its id with another provider"))
}

/// What a tool answered. Its images and documents are within the answer where the model takes them
/// there (`nests`), else parts of their own behind it.
fn function_response(
    result: &ToolResult,
    names: &HashMap<&str, &str>,
    nests: bool,
    gaps: &Gaps,
) -> Result<Vec<Object>, Refusal> {
    let id = result.call_id.as_str();
    let name = result.name.as_deref().or_else(|| names.get(id).copied());
    let mut response = Object::default()
        .with("id", id)
        .with("name", name.unwrap_or(id))
        .with("response", write_response(result));
    let mut held = held(result, gaps)?;
    if nests {
        response.set_some("parts", held.drain(..).map(Value::from).collect());
    }
    held.insert(0, Object::default().with("functionResponse", response));
    Ok(held)
}

/// What a result holds besides its text.
fn held(result: &ToolResult, gaps: &Gaps) -> Result<Vec<Object>, Refusal> {
    let mut held = Vec::new();
    for part in &result.parts {
        match &part.content {
            Content::Text { .. } => {}
            Content::Image(image) => held.push(carried(media(image, "image/jpeg"), gaps)?),
            Content::File(file) => held.push(carried(media(file, "application/pdf"), gaps)?),
            _ => return Err(gaps.content("anything but text, images and documents in a result")),
        }
    }
    Ok(held)
}
