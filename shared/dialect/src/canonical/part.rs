//! What a message is made of.

use serde::{Deserialize, Serialize};

use super::{Signature, ToolCall, ToolResult};

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// Whether the prompt shall be cached up to here.
    pub cache: Option<Cache>,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text, with the places that it rests on.
    Text {
        /// The text.
        text: String,
        /// Where it is from.
        citations: Vec<Citation>,
    },
    /// What the model says instead of an answer that it refuses.
    Refusal(String),
    /// An image.
    Image(Media),
    /// A document.
    File(Media),
    /// A recording.
    Audio(Media),
    /// Thoughts, or a summary of them.
    Reasoning {
        /// As far as they are shown.
        text: String,
        /// What proves them to their provider, or is them, in a form that only it can read.
        signature: Option<Signature>,
        /// Whether they are hidden for safety, and only the signature is there.
        redacted: bool,
    },
    /// A call of a tool.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
}

/// An image, document or recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Where it is.
    pub source: Source,
    /// What it is called.
    pub name: Option<String>,
    /// How closely an image is to be looked at.
    pub detail: Option<String>,
}

/// Where an image, document or recording is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Here.
    Base64 {
        /// Its MIME type.
        media_type: String,
        /// Its bytes.
        data: String,
    },
    /// At an address.
    Url(String),
    /// With the provider, under an id.
    Id(String),
    /// Here, as plain text.
    Text(String),
}

/// A mark up to which a prompt shall be cached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cache {
    /// For how long, in the form's words: `5m`, `1h`.
    pub ttl: Option<String>,
}

/// A place on the web that a text rests on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Citation {
    /// The page.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// What is cited of it.
    pub cited: Option<String>,
    /// From which character of the text on it is cited.
    pub start: Option<u64>,
    /// Up to which one.
    pub end: Option<u64>,
}

impl Part {
    /// A part without a mark.
    pub fn new(content: Content) -> Self {
        Self {
            content,
            cache: None,
        }
    }

    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Text {
            text: text.into(),
            citations: Vec::new(),
        })
    }

    /// Thoughts without a signature.
    pub fn reasoning(text: impl Into<String>) -> Self {
        Self::new(Content::Reasoning {
            text: text.into(),
            signature: None,
            redacted: false,
        })
    }

    /// A signature on its own: Google's belongs to the part after it.
    pub fn signature(signature: Signature) -> Self {
        Self::new(Content::Reasoning {
            text: String::new(),
            signature: Some(signature),
            redacted: false,
        })
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

impl Source {
    /// Reads a `data:` URL as what it holds, and any other as an address.
    pub fn from_url(url: String) -> Self {
        // A media type's parameters may have commas of their own (RFC 2397).
        let held = url.strip_prefix("data:");
        match held.and_then(|held| held.split_once(";base64,")) {
            Some((media_type, data)) => Self::Base64 {
                media_type: media_type.to_owned(),
                data: data.to_owned(),
            },
            None => Self::Url(url),
        }
    }

    /// As a URL: the address, or a `data:` URL; `None` where it is neither.
    pub fn to_url(&self) -> Option<String> {
        match self {
            Self::Base64 { media_type, data } => Some(format!("data:{media_type};base64,{data}")),
            Self::Url(url) => Some(url.clone()),
            Self::Id(_) | Self::Text(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn what_a_data_url_holds_makes_the_same_url() {
        for (url, is_here) in [
            ("data:image/png;base64,iVBORw0=", true),
            ("data:text/plain;charset=\"a,b\";base64,YQ==", true),
            ("data:text/plain,hello", false),
            ("https://files.example/;base64,a.png", false),
        ] {
            let source = Source::from_url(url.to_owned());
            assert_eq!(matches!(source, Source::Base64 { .. }), is_here, "{url}");
            assert_eq!(source.to_url().as_deref(), Some(url));
        }
    }
}
