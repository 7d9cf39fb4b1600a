//! Finish reasons.

use crate::canonical::StopReason;

/// Whether an answer failed in the middle: OpenRouter's and Mistral's word for it, and DeepSeek's.
pub(super) fn is_failure(reason: &str) -> bool {
    matches!(reason, "error" | "insufficient_system_resource")
}

/// Reads a finish reason. An answer that calls tools waits for them, whatever the provider says.
pub(crate) fn read(reason: &str, calls: bool) -> StopReason {
    match reason {
        "length" | "model_length" => StopReason::Length,
        "content_filter" => StopReason::Filtered,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        _ if calls => StopReason::ToolCalls,
        _ => StopReason::End,
    }
}

/// Writes a finish reason.
pub(crate) fn write(stop: &StopReason) -> &'static str {
    match stop {
        StopReason::End | StopReason::Sequence(_) | StopReason::Pause => "stop",
        StopReason::Length => "length",
        StopReason::ToolCalls => "tool_calls",
        StopReason::Filtered | StopReason::Refusal => "content_filter",
    }
}
