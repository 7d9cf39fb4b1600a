//! Finish reasons.

use crate::canonical::StopReason;

/// Reads a finish reason. An answer that calls tools waits for them: this form has no word for it. All
/// words but two are of answers that Google withheld, for what they say or because it could not read
/// the model's call.
pub(super) fn read(reason: &str, calls: bool) -> StopReason {
    match reason {
        "STOP" | "FINISH_REASON_UNSPECIFIED" if calls => StopReason::ToolCalls,
        "STOP" | "FINISH_REASON_UNSPECIFIED" => StopReason::End,
        "MAX_TOKENS" => StopReason::Length,
        _ => StopReason::Filtered,
    }
}

/// Writes a finish reason.
pub(super) fn write(stop: &StopReason) -> &'static str {
    match stop {
        StopReason::End | StopReason::Sequence(_) | StopReason::ToolCalls | StopReason::Pause => {
            "STOP"
        }
        StopReason::Length => "MAX_TOKENS",
        StopReason::Filtered | StopReason::Refusal => "SAFETY",
    }
}
