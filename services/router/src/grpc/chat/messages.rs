//! The conversation, as it is typed.

use keyward_dialect::canonical::{
    Cache, Content, Message, Origin, Part, Role, Signature, ToolCall, ToolResult,
};
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::chat_part::Content as Typed;
use tonic::Status;

use super::{invalid, media};

/// How long a cached prompt is kept, where an hour is asked for.
const HOUR: &str = "1h";

/// Whose signatures have no mark where callers see them; it makes no difference to them.
pub(super) const UNMARKED: Origin = Origin::Anthropic;

pub(super) fn read(messages: Vec<proto::ChatMessage>) -> Result<Vec<Message>, Status> {
    if messages.is_empty() {
        return Err(invalid("messages", "`messages` must not be empty"));
    }
    let numbered = messages.into_iter().enumerate();
    let turns = numbered.map(|(number, message)| {
        let turn = turn(message);
        turn.map_err(|what| invalid("messages", &format!("messages[{number}] {what}")))
    });
    turns.collect()
}

fn turn(message: proto::ChatMessage) -> Result<Message, String> {
    let role = match message.role() {
        proto::ChatRole::Unspecified => return Err("has no role".to_owned()),
        proto::ChatRole::System => Role::System,
        proto::ChatRole::User => Role::User,
        proto::ChatRole::Assistant => Role::Assistant,
        proto::ChatRole::Tool => Role::Tool,
    };
    if message.parts.is_empty() {
        return Err("has no parts".to_owned());
    }
    let parts = message.parts.into_iter().map(|one| part(role, one));
    Ok(Message {
        role,
        parts: parts.collect::<Result<_, _>>()?,
    })
}

fn part(role: Role, part: proto::ChatPart) -> Result<Part, String> {
    let cache = cache(part.cache());
    let content = part.content.ok_or("has a part with nothing in it")?;
    if !speaks(role, &content) {
        return Err("has a part that is another speaker's".to_owned());
    }
    let content = content_of(content)?;
    Ok(Part { content, cache })
}

/// Who can say what.
fn speaks(role: Role, content: &Typed) -> bool {
    match content {
        Typed::Text(_) | Typed::Image(_) => role != Role::Tool,
        Typed::File(_) | Typed::Audio(_) => matches!(role, Role::System | Role::User),
        Typed::Refusal(_) | Typed::Reasoning(_) | Typed::ToolCall(_) => role == Role::Assistant,
        Typed::ToolResult(_) => role == Role::Tool,
    }
}

fn content_of(content: Typed) -> Result<Content, String> {
    Ok(match content {
        Typed::Text(text) => Part::text(text).content,
        Typed::Refusal(text) => Content::Refusal(text),
        Typed::Image(image) => Content::Image(media::read(image)?),
        Typed::File(file) => Content::File(media::read(file)?),
        Typed::Audio(audio) => Content::Audio(media::read(audio)?),
        Typed::Reasoning(thoughts) => Content::Reasoning {
            text: thoughts.text,
            signature: signature(thoughts.signature),
            redacted: thoughts.redacted,
        },
        Typed::ToolCall(call) => Content::ToolCall(ToolCall {
            id: call.call_id,
            name: call.name,
            arguments: call.arguments_json,
        }),
        Typed::ToolResult(result) => Content::ToolResult(tool_result(result)?),
    })
}

/// What a tool answers is like what a user says.
fn tool_result(result: proto::ChatToolResult) -> Result<ToolResult, String> {
    let parts = result.parts.into_iter().map(|one| part(Role::User, one));
    Ok(ToolResult {
        call_id: result.call_id,
        name: None,
        parts: parts.collect::<Result<_, _>>()?,
        is_error: result.is_error,
    })
}

fn signature(text: String) -> Option<Signature> {
    (!text.is_empty()).then(|| Signature::read(UNMARKED, text))
}

pub(super) fn cache(mark: proto::ChatCacheMark) -> Option<Cache> {
    let ttl = match mark {
        proto::ChatCacheMark::Unspecified => return None,
        proto::ChatCacheMark::Usual => None,
        proto::ChatCacheMark::Hour => Some(HOUR.to_owned()),
    };
    Some(Cache { ttl })
}
