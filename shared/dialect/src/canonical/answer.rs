//! A whole answer.

use serde::{Deserialize, Serialize};

use super::{Logprob, Part, StopReason, Usage};

/// An answer: one choice, or as many as were asked for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The provider's name for it.
    pub id: Option<String>,
    /// The model that gave it, by the provider's name.
    pub model: Option<String>,
    /// The choices, by their index.
    pub choices: Vec<Choice>,
    /// What it used, where the provider tells.
    pub usage: Option<Usage>,
}

/// One choice of an answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Choice {
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// Why it ended; `None` where the provider does not say.
    pub stop: Option<StopReason>,
    /// How probable its tokens were, if that was asked for.
    pub logprobs: Vec<Logprob>,
}
