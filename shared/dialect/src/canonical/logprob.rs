//! Log-probabilities of an answer's tokens.

use serde::{Deserialize, Serialize};

/// A token of the answer, and how probable it was. The shape is OpenAI's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// Its bytes, where the form tells them.
    #[serde(default)]
    pub bytes: Option<Vec<u8>>,
    /// What might have been in its place.
    #[serde(default)]
    pub top_logprobs: Vec<TopLogprob>,
}

/// A token that might have been in another's place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopLogprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// Its bytes, where the form tells them.
    #[serde(default)]
    pub bytes: Option<Vec<u8>>,
}
