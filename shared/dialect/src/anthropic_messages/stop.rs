//! Stop reasons.

use crate::canonical::StopReason;

/// Reads a stop reason, with the text that ended the answer if one did.
pub(super) fn read(reason: &str, sequence: Option<String>) -> StopReason {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "stop_sequence" => StopReason::Sequence(sequence),
        "tool_use" => StopReason::ToolCalls,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::Pause,
        _ => StopReason::End,
    }
}

/// Writes a stop reason, and the text that ended the answer if that is known.
pub(super) fn write(stop: &StopReason) -> (&'static str, Option<&str>) {
    match stop {
        StopReason::End => ("end_turn", None),
        StopReason::Length => ("max_tokens", None),
        StopReason::Sequence(text) => ("stop_sequence", text.as_deref()),
        StopReason::ToolCalls => ("tool_use", None),
        StopReason::Filtered | StopReason::Refusal => ("refusal", None),
        StopReason::Pause => ("pause_turn", None),
    }
}
