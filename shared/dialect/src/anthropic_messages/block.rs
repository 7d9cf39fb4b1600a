//! Content blocks as they are read.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::source::WireSource;
use crate::canonical::{
    Cache, Citation, Content, Media, Origin, Part, Signature, ToolCall, ToolResult,
};

/// A content block as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct WireBlock {
    #[serde(flatten)]
    kind: Kind,
    cache_control: Option<CacheControl>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CacheControl {
    ttl: Option<String>,
}

impl From<CacheControl> for Cache {
    fn from(mark: CacheControl) -> Self {
        Self { ttl: mark.ttl }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Kind {
    Text {
        text: String,
        citations: Option<Vec<WireCitation>>,
    },
    Image {
        source: WireSource,
    },
    Document {
        source: WireSource,
        title: Option<String>,
        context: Option<String>,
    },
    Thinking {
        thinking: String,
        signature: Option<String>,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Map<String, Value>,
    },
    ToolResult {
        tool_use_id: String,
        content: Option<WireContent>,
        #[serde(default)]
        is_error: bool,
    },
    #[serde(other)]
    Unknown,
}

/// Content as it is written: a text, or blocks.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum WireContent {
    Text(String),
    Blocks(Vec<WireBlock>),
}

/// A citation; only those of web pages are known elsewhere.
#[derive(Debug, Deserialize)]
pub(super) struct WireCitation {
    url: Option<String>,
    title: Option<String>,
    cited_text: Option<String>,
}

impl WireCitation {
    pub(super) fn citation(self) -> Option<Citation> {
        Some(Citation {
            url: self.url?,
            title: self.title,
            cited: self.cited_text,
            start: None,
            end: None,
        })
    }
}

impl WireContent {
    /// The parts; `None` in place of one that is not known.
    pub(super) fn parts(self) -> Vec<Option<Part>> {
        match self {
            Self::Text(text) if text.is_empty() => Vec::new(),
            Self::Text(text) => vec![Some(Part::text(text))],
            Self::Blocks(blocks) => blocks.into_iter().map(WireBlock::part).collect(),
        }
    }
}

impl WireBlock {
    fn part(self) -> Option<Part> {
        Some(Part {
            content: self.kind.content()?,
            cache: self.cache_control.map(Cache::from),
        })
    }
}

impl Kind {
    fn content(self) -> Option<Content> {
        Some(match self {
            Self::Text { text, citations } => {
                let citations = citations.unwrap_or_default().into_iter();
                Content::Text {
                    text,
                    citations: citations.filter_map(WireCitation::citation).collect(),
                }
            }
            Self::Image { source } => Content::Image(media(source, None)?),
            // What is said about a document is a part of the prompt that no other form has.
            Self::Document {
                context: Some(_), ..
            }
            | Self::Unknown => return None,
            Self::Document { source, title, .. } => Content::File(media(source, title)?),
            Self::Thinking {
                thinking,
                signature,
            } => thoughts(thinking, signature),
            Self::RedactedThinking { data } => Content::Reasoning {
                text: String::new(),
                signature: Some(Signature::read(Origin::Anthropic, data)),
                redacted: true,
            },
            Self::ToolUse { id, name, input } => Content::ToolCall(ToolCall {
                id,
                name,
                arguments: Value::Object(input).to_string(),
            }),
            Self::ToolResult {
                tool_use_id,
                content,
                is_error,
            } => Content::ToolResult(ToolResult {
                call_id: tool_use_id,
                name: None,
                parts: content
                    .map(WireContent::parts)
                    .into_iter()
                    .flatten()
                    .collect::<Option<_>>()?,
                is_error,
            }),
        })
    }
}

fn media(source: WireSource, name: Option<String>) -> Option<Media> {
    Some(Media {
        source: source.source()?,
        name,
        detail: None,
    })
}

fn thoughts(text: String, signature: Option<String>) -> Content {
    let signature = signature.filter(|signature| !signature.is_empty());
    Content::Reasoning {
        text,
        signature: signature.map(|value| Signature::read(Origin::Anthropic, value)),
        redacted: false,
    }
}
