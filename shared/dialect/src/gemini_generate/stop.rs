//! Finish reasons.

use crate::canonical::StopReason;

/// Reads a finish reason. An answer that calls tools waits for them: this form has no word for it.
pub(super) fn read(reason: &str, calls: bool) -> StopReason {
    match reason {
        "MAX_TOKENS" => StopReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => StopReason::Filtered,
        _ if calls => StopReason::ToolCalls,
        _ => StopReason::End,
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
