//! The model in the middle: what every form of a chat says, in one way. Each form reads into it and
//! writes from it, so that a new form is one module and no pair needs code of its own.

mod answer;
mod collect;
mod event;
mod logprob;
mod part;
mod request;
mod signature;
mod stop;
mod telling;
mod tool;

pub use answer::{Answer, Choice};
pub(crate) use collect::Collector;
pub use event::{Delta, Event, Opening, Place};
pub use logprob::{Logprob, TopLogprob};
pub use part::{Cache, Citation, Content, Media, Part, Source};
pub use request::{Message, Modes, Output, Reasoning, Request, Role, Schema};
pub use signature::{Origin, Signature};
pub use stop::StopReason;
pub(crate) use tool::NO_ARGUMENTS;
pub use tool::{Tool, ToolCall, ToolChoice, ToolResult};

/// What an answer used, in disjoint buckets.
pub use keyward_money::Usage;
