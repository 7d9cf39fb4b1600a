//! Why an answer ended.

use serde::{Deserialize, Serialize};

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was at its end.
    End,
    /// It was as long as it might be.
    Length,
    /// It came to a text that was to end it; which one, where the form says it.
    Sequence(Option<String>),
    /// It waits for tools.
    ToolCalls,
    /// The provider withheld it: a filter did, or the model's call could not be read.
    Filtered,
    /// The model refused.
    Refusal,
    /// The provider paused; sent again, it goes on.
    Pause,
}
