//! How much thought: a budget of tokens, or the model's own judgement with an effort in words.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::canonical::{Content, Message, Origin, Reasoning, Request, Role, ToolChoice};
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;

/// The smallest budget that Anthropic takes.
const BUDGET_MIN: u64 = 1_024;
/// What a model is given that shall judge itself and cannot: as much as for a medium effort.
const BUDGET_ADAPTIVE: u64 = 8_192;

/// What is written about thought.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireThinking {
    #[serde(rename = "type")]
    kind: Option<String>,
    budget_tokens: Option<u64>,
    display: Option<String>,
}

/// Reads thought and effort.
pub(super) fn read(
    thinking: Option<WireThinking>,
    effort: Option<String>,
    gaps: &mut Gaps,
) -> Result<Reasoning, Refusal> {
    let mut reasoning = Reasoning {
        effort,
        ..Reasoning::default()
    };
    let Some(thinking) = thinking else {
        return Ok(reasoning);
    };
    let shown = Some(thinking.display.as_deref() != Some("omitted"));
    match thinking.kind.as_deref() {
        Some("disabled") => reasoning.effort = Some("none".to_owned()),
        Some("enabled") => (reasoning.budget, reasoning.shown) = (thinking.budget_tokens, shown),
        Some("adaptive") => (reasoning.adaptive, reasoning.shown) = (true, shown),
        Some(_) | None => gaps.member("thinking.type")?,
    }
    Ok(reasoning)
}

/// Writes `thinking`, and `effort` where the model decides itself. `most` is how many tokens the
/// answer may have, thoughts included.
pub(super) fn write(
    request: &Request,
    adaptive: bool,
    most: u64,
) -> (Option<Value>, Option<Value>) {
    let asked = &request.reasoning;
    if asked.is_off() {
        return (Some(json!({"type": "disabled"})), None);
    }
    if adaptive {
        return (own_judgement(asked), effort(asked));
    }
    if asked.is_unsaid() {
        return (None, None);
    }
    let budget = asked
        .budget()
        .unwrap_or(BUDGET_ADAPTIVE)
        .min(most.saturating_sub(1));
    let thinks = budget >= BUDGET_MIN && !is_forced(request) && may_think(&request.messages);
    (
        thinks.then(|| json!({"type": "enabled", "budget_tokens": budget})),
        None,
    )
}

/// Thought by the model's own judgement, if any is asked for.
fn own_judgement(asked: &Reasoning) -> Option<Value> {
    let display = asked.shown.map(|shown| match shown {
        true => "summarized",
        false => "omitted",
    });
    let thinks = !asked.is_unsaid() || asked.shown == Some(true);
    thinks.then(|| Object::typed("adaptive").maybe("display", display).into())
}

fn effort(asked: &Reasoning) -> Option<Value> {
    let word = match asked.effort()? {
        "minimal" => "low",
        word => word,
    };
    Some(word.into())
}

/// Whether a tool must be called, which Anthropic takes only without thought.
fn is_forced(request: &Request) -> bool {
    let forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Any | ToolChoice::Named(_))
    );
    forced && !request.tools.is_empty()
}

/// In the middle of calls of tools Anthropic wants the thoughts back that led to them; where the
/// caller's form lost them, it must go on without.
fn may_think(messages: &[Message]) -> bool {
    let Some((last, before)) = messages.split_last() else {
        return true;
    };
    if last.role != Role::Tool {
        return true;
    }
    let called = before.iter().rfind(|turn| turn.role == Role::Assistant);
    called.is_none_or(|turn| turn.parts.iter().any(|part| is_own_thought(&part.content)))
}

fn is_own_thought(content: &Content) -> bool {
    let Content::Reasoning {
        signature: Some(signature),
        ..
    } = content
    else {
        return false;
    };
    signature.for_maker(Origin::Anthropic).is_some()
}
