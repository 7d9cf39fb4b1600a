//! A request: a conversation, what the answer shall be like, and which tools it may call.

use serde_json::{Map, Number, Value};

use super::{Part, Tool, ToolChoice};

/// Everything that a request can say in more than one form.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// The conversation, instructions included, in order.
    pub messages: Vec<Message>,
    /// The tools that may be called.
    pub tools: Vec<Tool>,
    /// Which of them may or must be.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several may be called at once.
    pub parallel_tools: Option<bool>,
    /// The shape of the answer.
    pub output: Output,
    /// What it may be made of.
    pub modes: Modes,
    /// How much thought it shall be given.
    pub reasoning: Reasoning,
    /// The most tokens that the answer may have, reasoning included.
    pub max_tokens: Option<u64>,
    /// How many answers are asked for.
    pub candidates: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// The sampling temperature.
    pub temperature: Option<Number>,
    /// Nucleus sampling.
    pub top_p: Option<Number>,
    /// Sampling from so many tokens.
    pub top_k: Option<Number>,
    /// A penalty for frequent tokens.
    pub frequency_penalty: Option<Number>,
    /// A penalty for tokens that were there.
    pub presence_penalty: Option<Number>,
    /// What makes sampling repeatable.
    pub seed: Option<Number>,
    /// Whether log-probabilities of the answer's tokens are wanted.
    pub logprobs: bool,
    /// How many alternatives of each token are wanted with them.
    pub top_logprobs: Option<u64>,
    /// How wordy the answer shall be.
    pub verbosity: Option<String>,
    /// Who asks, as the caller's own service knows them.
    pub user: Option<String>,
    /// Notes of the caller, which change nothing.
    pub metadata: Option<Map<String, Value>>,
    /// A name under which requests with the same beginning are cached together.
    pub cache_key: Option<String>,
    /// The service tier that is asked for, by the caller's word.
    pub service_tier: Option<String>,
    /// Whether the answer shall come as a stream.
    pub stream: bool,
    /// Whether the stream shall tell its usage, where the form leaves that open.
    pub stream_usage: bool,
}

impl Request {
    /// Whether another service tier is asked for than the usual one, which every form has.
    pub fn asks_another_tier(&self) -> bool {
        !matches!(
            self.service_tier.as_deref(),
            None | Some("auto" | "default")
        )
    }
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Whoever built the application: instructions.
    System,
    /// Whoever uses it.
    User,
    /// The model.
    Assistant,
    /// Tools, with their results.
    Tool,
}

/// What an answer may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Modes {
    /// Whatever is usual for the model.
    #[default]
    Usual,
    /// Text, and images that the model makes.
    TextAndImages,
}

impl Modes {
    /// By whether images are asked for.
    pub fn with_images(wanted: bool) -> Self {
        match wanted {
            true => Self::TextAndImages,
            false => Self::Usual,
        }
    }

    /// Whether images are asked for.
    pub fn has_images(self) -> bool {
        self == Self::TextAndImages
    }
}

/// The shape of the answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Output {
    /// Whatever the model writes.
    #[default]
    Text,
    /// Any JSON.
    Json,
    /// JSON of a schema.
    Schema(Schema),
}

/// The schema of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Its name, where the form has one.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON schema.
    pub schema: Value,
    /// Whether the answer must follow it to the letter.
    pub strict: Option<bool>,
}

/// How much thought an answer shall be given. Forms say it in words or in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reasoning {
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`.
    pub effort: Option<String>,
    /// The most tokens of thought.
    pub budget: Option<u64>,
    /// Whether the thoughts, or a summary of them, shall be shown.
    pub shown: Option<bool>,
    /// Whether the model shall judge itself how much it needs.
    pub adaptive: bool,
}

impl Reasoning {
    /// Whether none is wanted.
    pub fn is_off(&self) -> bool {
        self.effort.as_deref() == Some("none") || self.budget == Some(0)
    }

    /// Whether nothing is said of it.
    pub fn is_unsaid(&self) -> bool {
        self.effort.is_none() && self.budget.is_none() && !self.adaptive
    }

    /// In words: as asked for, or by the tokens.
    pub fn effort(&self) -> Option<&str> {
        let by_budget = self.budget.map(|budget| match budget {
            0 => "none",
            1..5_000 => "low",
            5_000..10_000 => "medium",
            _ => "high",
        });
        self.effort.as_deref().or(by_budget)
    }

    /// In tokens: as asked for, or by the word. What a word means is Google's own table.
    pub fn budget(&self) -> Option<u64> {
        let by_effort = self.effort.as_deref().map(|effort| match effort {
            "none" => 0,
            "minimal" | "low" => 1_024,
            "medium" => 8_192,
            _ => 24_576,
        });
        self.budget.or(by_effort)
    }
}
