//! The conversation: who says what, in which order.

use serde_json::Value;

use super::content;
use super::message::{Said, WireMessage};
use crate::canonical::{Content, Message, Part, Role, ToolResult};
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;
use crate::translate::ChatFlavour;

/// Reads messages; results of tools that follow one another are one turn.
pub(super) fn read(messages: Vec<WireMessage>, gaps: &Gaps) -> Result<Vec<Message>, Refusal> {
    let mut turns: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages {
        let turn = turn(message, gaps)?;
        match turns.last_mut() {
            Some(last) if last.role == Role::Tool && turn.role == Role::Tool => {
                last.parts.extend(turn.parts);
            }
            _ => turns.push(turn),
        }
    }
    Ok(turns)
}

fn turn(mut message: WireMessage, gaps: &Gaps) -> Result<Message, Refusal> {
    let call_id = message.tool_call_id.take();
    let is_error = message.is_error.unwrap_or_default();
    let role = role(message.role.as_deref().unwrap_or_default())?;
    let parts = match role {
        Role::Assistant => message.assistant(),
        _ => message
            .content
            .take()
            .map(content::Wire::parts)
            .unwrap_or_default(),
    };
    let parts: Option<Vec<Part>> = parts.into_iter().collect();
    let parts = parts.ok_or_else(|| gaps.content("a part of a message of an unknown type"))?;
    let parts = match role {
        Role::Tool => vec![result(call_id, parts, is_error)?],
        _ => parts,
    };
    Ok(Message { role, parts })
}

fn role(role: &str) -> Result<Role, Refusal> {
    match role {
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" => Ok(Role::Tool),
        role => Err(Refusal::invalid(
            "messages",
            format!("there is no role `{role}`"),
        )),
    }
}

fn result(call_id: Option<String>, parts: Vec<Part>, is_error: bool) -> Result<Part, Refusal> {
    let missing = || Refusal::invalid("messages", "a tool's message has no `tool_call_id`");
    Ok(Part::new(Content::ToolResult(ToolResult {
        call_id: call_id.ok_or_else(missing)?,
        name: None,
        parts,
        is_error,
    })))
}

/// Writes turns; each result of a tool is a message of its own, with what such a message cannot hold in
/// one of the user's behind them.
pub(super) fn write(
    turns: &[Message],
    flavour: ChatFlavour,
    gaps: &Gaps,
) -> Result<Vec<Value>, Refusal> {
    let mut messages = Vec::with_capacity(turns.len());
    for turn in turns {
        match turn.role {
            Role::System => messages.push(spoken("system", &turn.parts, flavour, gaps)?),
            Role::User => messages.push(spoken("user", &turn.parts, flavour, gaps)?),
            Role::Assistant => messages.push(assistant(&turn.parts, flavour)),
            Role::Tool => messages.extend(results(&turn.parts, flavour, gaps)?),
        }
    }
    Ok(messages)
}

fn spoken(role: &str, parts: &[Part], flavour: ChatFlavour, gaps: &Gaps) -> Result<Value, Refusal> {
    let content = content::write(parts, flavour, gaps)?;
    Ok(Object::default()
        .with("role", role)
        .with("content", content)
        .into())
}

fn assistant(parts: &[Part], flavour: ChatFlavour) -> Value {
    let thoughts = flavour != ChatFlavour::OpenAi;
    let taken = |part: &&Part| thoughts || !matches!(part.content, Content::Reasoning { .. });
    let mut said = Said::of(parts.iter().filter(taken));
    let mut message = said.message();
    let calls = |part: &Part| matches!(part.content, Content::ToolCall(_));
    if message.is_null("content") && !parts.iter().any(calls) {
        // Nothing at all is taken beside calls only.
        message.set("content", "");
    }
    match flavour {
        ChatFlavour::OpenAi | ChatFlavour::Compatible => {}
        ChatFlavour::DeepSeek => message.set("reasoning_content", said.thoughts),
        ChatFlavour::OpenRouter | ChatFlavour::Whole => {
            message.set_some("reasoning_details", said.details);
        }
    }
    message.into()
}

fn results(parts: &[Part], flavour: ChatFlavour, gaps: &Gaps) -> Result<Vec<Value>, Refusal> {
    let (mut messages, mut others) = (Vec::with_capacity(parts.len()), Vec::new());
    for part in parts {
        if let Content::ToolResult(result) = &part.content {
            messages.push(tool(result, flavour, gaps)?);
            others.extend(beside_text(result));
        }
    }
    if flavour != ChatFlavour::Whole && !others.is_empty() {
        messages.push(spoken("user", &others, flavour, gaps)?);
    }
    Ok(messages)
}

fn tool(result: &ToolResult, flavour: ChatFlavour, gaps: &Gaps) -> Result<Value, Refusal> {
    let is_whole = flavour == ChatFlavour::Whole;
    let content = match is_whole && !result.is_text() {
        true => content::write(&result.parts, flavour, gaps)?,
        false => result.text().into(),
    };
    let message = Object::default()
        .with("role", "tool")
        .with("tool_call_id", result.call_id.as_str())
        .with("content", content)
        .maybe("is_error", (is_whole && result.is_error).then_some(true));
    Ok(message.into())
}

/// What of a result is no text, and whose it is.
fn beside_text(result: &ToolResult) -> Vec<Part> {
    let others = result.parts.iter().filter(|part| part.as_text().is_none());
    let others: Vec<Part> = others.cloned().collect();
    if others.is_empty() {
        return others;
    }
    let whose = format!("Returned by the tool call {}:", result.call_id);
    std::iter::once(Part::text(whose)).chain(others).collect()
}
