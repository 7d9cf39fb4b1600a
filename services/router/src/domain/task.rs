//! Tasks: what a request of the model `auto` is for, said by the caller or guessed, and which models
//! are good at it.

mod cheapest;
mod guess;
mod table;

use std::fmt;

pub(crate) use cheapest::weighed;
pub use cheapest::{Cheapest, Fit, Lack};
pub use guess::{Guess, Looks, Signal};
pub(crate) use table::ranked;

/// The name that a caller gives where the model is to be chosen.
pub const AUTO: &str = "auto";

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Writing and reading programs.
    Code,
    /// Thinking something through.
    Reasoning,
    /// Anything else that is said.
    Chat,
    /// Vectors for texts.
    Embeddings,
    /// Looking at pictures.
    Vision,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Code,
        Self::Reasoning,
        Self::Chat,
        Self::Embeddings,
        Self::Vision,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Reasoning => "reasoning",
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Vision => "vision",
        }
    }

    /// The task of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
