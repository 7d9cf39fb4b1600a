//! A streamed answer, event by event.

use serde::{Deserialize, Serialize};

use super::{Citation, Logprob, Media, Signature, StopReason, Usage};
use crate::error::Failure;

/// What happens in a stream. Each part of the answer is opened, added to and closed; tool calls may
/// be open beside each other, anything else is closed before the next is opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The answer begins.
    Start {
        /// The provider's name for it.
        id: Option<String>,
        /// The model that gives it.
        model: Option<String>,
    },
    /// A part begins.
    Open(Place, Opening),
    /// A part goes on.
    Delta(Place, Delta),
    /// A part is at its end.
    Close(Place),
    /// The log-probabilities of tokens that were just told.
    Logprobs(u32, Vec<Logprob>),
    /// A choice is at its end.
    Finish(u32, StopReason),
    /// What was used until now; a later one counts instead.
    Usage(Usage),
    /// The provider failed in the middle. Nothing follows.
    Failed(Failure),
    /// Nothing: the provider keeps the connection alive.
    Ping,
    /// The answer is whole.
    End,
}

/// A part of a choice. Parts are numbered in the order in which they were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The choice's index.
    pub choice: u32,
    /// The part's index within it.
    pub part: u32,
}

/// What begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// Text.
    Text,
    /// A refusal.
    Refusal,
    /// Thoughts.
    Reasoning {
        /// Whether they are hidden.
        redacted: bool,
    },
    /// A call of a tool.
    ToolCall {
        /// What its result refers to.
        id: String,
        /// The tool.
        name: String,
    },
    /// An image, whole.
    Image(Media),
}

/// What is added to a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delta {
    /// More text, of whatever is open.
    Text(String),
    /// More of a call's arguments.
    Arguments(String),
    /// The signature of thoughts.
    Signature(Signature),
    /// Where the text is from.
    Citation(Citation),
}
