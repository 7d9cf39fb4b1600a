//! The conversation: a system prompt, and turns of user and assistant. Results of tools begin a
//! user's turn.

use serde::Deserialize;
use serde_json::Value;

use super::block::WireContent;
use super::blocks;
use crate::canonical::{Content, Message, Origin, Part, Role, ToolCall, ToolResult};
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;

/// A message as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct WireMessage {
    role: String,
    content: WireContent,
}

pub(super) fn read(
    system: Option<WireContent>,
    messages: Vec<WireMessage>,
    gaps: &Gaps,
) -> Result<Vec<Message>, Refusal> {
    let mut turns = Vec::with_capacity(messages.len() + 1);
    if let Some(system) = system {
        push(&mut turns, Role::System, known(system, gaps)?);
    }
    for message in messages {
        let parts = known(message.content, gaps)?;
        match message.role.as_str() {
            "assistant" => push(&mut turns, Role::Assistant, parts),
            "user" => push_user(&mut turns, parts),
            "system" => push(&mut turns, Role::System, parts),
            role => {
                let message = format!("there is no role `{role}`");
                return Err(Refusal::invalid("messages", message));
            }
        }
    }
    Ok(turns)
}

fn known(content: WireContent, gaps: &Gaps) -> Result<Vec<Part>, Refusal> {
    let parts: Option<Vec<Part>> = content.parts().into_iter().collect();
    parts.ok_or_else(|| gaps.content("a content block of an unknown type"))
}

fn push(turns: &mut Vec<Message>, role: Role, parts: Vec<Part>) {
    if !parts.is_empty() {
        turns.push(Message { role, parts });
    }
}

/// Results of tools are a turn of their own in the model.
fn push_user(turns: &mut Vec<Message>, parts: Vec<Part>) {
    let is_result = |part: &Part| matches!(part.content, Content::ToolResult(_));
    let (results, said) = parts.into_iter().partition(is_result);
    push(turns, Role::Tool, results);
    push(turns, Role::User, said);
}

/// The system prompt: whatever the application says, wherever in the conversation.
pub(super) fn system(turns: &[Message], gaps: &Gaps) -> Result<Option<Value>, Refusal> {
    let said = turns.iter().filter(|turn| turn.role == Role::System);
    let parts: Vec<&Part> = said.flat_map(|turn| &turn.parts).collect();
    if let [
        Part {
            cache: None,
            content: Content::Text { text, .. },
        },
    ] = parts.as_slice()
    {
        return Ok(Some(text.as_str().into()));
    }
    let blocks = write_parts(&parts, gaps)?;
    Ok((!blocks.is_empty()).then_some(Value::Array(blocks)))
}

/// The turns but for the system prompt; neighbours of one side are one turn.
pub(super) fn write(turns: &[Message], gaps: &Gaps) -> Result<Vec<Value>, Refusal> {
    let mut sides: Vec<(&str, Vec<Value>)> = Vec::with_capacity(turns.len());
    for turn in turns {
        let side = match turn.role {
            Role::System => continue,
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let parts: Vec<&Part> = turn.parts.iter().collect();
        let mut blocks = write_parts(&parts, gaps)?;
        match sides.last_mut() {
            _ if blocks.is_empty() => {}
            Some((last, said)) if *last == side => said.append(&mut blocks),
            _ => sides.push((side, blocks)),
        }
    }
    Ok(sides.into_iter().map(message).collect())
}

fn message((side, mut blocks): (&str, Vec<Value>)) -> Value {
    let message = Object::default().with("role", side);
    if let [block] = blocks.as_mut_slice()
        && let Some(text) = lone_text(block)
    {
        return message.with("content", text).into();
    }
    message.with("content", blocks).into()
}

/// The text of a block that is nothing else.
fn lone_text(block: &mut Value) -> Option<Value> {
    let block = block.as_object_mut()?;
    let plain = block.len() == 2 && block.get("type")? == "text";
    plain
        .then(|| block.get_mut("text").map(Value::take))
        .flatten()
}

fn write_parts(parts: &[&Part], gaps: &Gaps) -> Result<Vec<Value>, Refusal> {
    let mut blocks = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(mut block) = block(&part.content, gaps)? else {
            continue;
        };
        block.set_maybe(
            "cache_control",
            part.cache.as_ref().map(blocks::cache_control),
        );
        blocks.push(block.into());
    }
    Ok(blocks)
}

/// A block of the conversation. Empty texts are refused by Anthropic and say nothing; thoughts are
/// only taken back by whoever signed them.
fn block(content: &Content, gaps: &Gaps) -> Result<Option<Object>, Refusal> {
    Ok(Some(match content {
        Content::Text { text, .. } | Content::Refusal(text) if text.is_empty() => return Ok(None),
        Content::Text { text, .. } | Content::Refusal(text) => blocks::text(text, &[]),
        Content::Image(media) => blocks::image(media),
        Content::File(media) => blocks::document(media),
        Content::Audio(_) => return Err(gaps.content("a recording")),
        Content::Reasoning {
            text,
            signature,
            redacted,
        } => {
            let signature = signature.as_ref();
            let Some(own) = signature.and_then(|one| one.for_maker(Origin::Anthropic)) else {
                return Ok(None);
            };
            if *redacted {
                blocks::redacted(own)
            } else {
                blocks::thinking(text, Some(own))
            }
        }
        Content::ToolCall(call) => blocks::tool_use(&ToolCall {
            id: id(&call.id),
            ..call.clone()
        }),
        Content::ToolResult(result) => tool_result(result, gaps)?,
    }))
}

fn tool_result(result: &ToolResult, gaps: &Gaps) -> Result<Object, Refusal> {
    let block = Object::typed("tool_result").with("tool_use_id", id(&result.call_id));
    let block = match result.parts.as_slice() {
        [] => block,
        [
            Part {
                cache: None,
                content: Content::Text { text, .. },
            },
        ] => block.with("content", text.as_str()),
        parts => block.with(
            "content",
            write_parts(&parts.iter().collect::<Vec<_>>(), gaps)?,
        ),
    };
    Ok(block.maybe("is_error", result.is_error.then_some(true)))
}

/// An id of a call as Anthropic takes it: other providers' may have other characters.
fn id(id: &str) -> String {
    let allowed = |one: char| one.is_ascii_alphanumeric() || one == '_' || one == '-';
    id.chars()
        .map(|one| if allowed(one) { one } else { '_' })
        .collect()
}
