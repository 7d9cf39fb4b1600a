//! `Debug` of typed conversations: what kind of thing is said, never what.

use std::fmt;

use crate::router::v1 as router;
use crate::router::v1::chat_part::Content;
use crate::router::v1::chat_response::Event;

impl fmt::Debug for router::ChatRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatRequest")
            .field("model", &self.model)
            .field("messages", &self.messages.len())
            .field("tools", &self.tools.len())
            .field("whole", &self.whole)
            .field("models", &self.models)
            .field("providers", &self.providers)
            .field("options", &self.options)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for router::ChatMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatMessage")
            .field("role", &self.role())
            .field("parts", &self.parts)
            .finish()
    }
}

impl fmt::Debug for router::ChatPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatPart")
            .field("content", &self.content)
            .field("cache", &self.cache())
            .finish()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Refusal(_) => "Refusal",
            Self::Image(_) => "Image",
            Self::File(_) => "File",
            Self::Audio(_) => "Audio",
            Self::Reasoning(_) => "Reasoning",
            Self::ToolCall(_) => "ToolCall",
            Self::ToolResult(_) => "ToolResult",
        })
    }
}

impl fmt::Debug for router::ChatResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatResponse")
            .field("event", &self.event)
            .finish()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => f.debug_tuple("Head").field(head).finish(),
            Self::Text(_) => f.write_str("Text"),
            Self::Refusal(_) => f.write_str("Refusal"),
            Self::Reasoning(_) => f.write_str("Reasoning"),
            Self::ToolCall(_) => f.write_str("ToolCall"),
            Self::Arguments(_) => f.write_str("Arguments"),
            Self::Image(_) => f.write_str("Image"),
            Self::Citation(_) => f.write_str("Citation"),
            Self::Logprobs(_) => f.write_str("Logprobs"),
            Self::Stop(stop) => f.debug_tuple("Stop").field(stop).finish(),
            Self::Summary(summary) => f.debug_tuple("Summary").field(summary).finish(),
        }
    }
}
