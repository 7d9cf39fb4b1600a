//! Sources of images and documents.

use serde::Deserialize;
use serde_json::Value;

use crate::canonical::Source;
use crate::json::Object;

/// A source as it is written.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WireSource {
    Base64 {
        media_type: String,
        data: String,
    },
    Url {
        url: String,
    },
    File {
        file_id: String,
    },
    Text {
        data: String,
    },
    #[serde(other)]
    Unknown,
}

impl WireSource {
    /// The source; `None` where it is not known.
    pub(super) fn source(self) -> Option<Source> {
        Some(match self {
            Self::Base64 { media_type, data } => Source::Base64 { media_type, data },
            Self::Url { url } => Source::Url(url),
            Self::File { file_id } => Source::Id(file_id),
            Self::Text { data } => Source::Text(data),
            Self::Unknown => return None,
        })
    }
}

pub(super) fn write(source: &Source) -> Value {
    let written = match source {
        Source::Base64 { media_type, data } => Object::typed("base64")
            .with("media_type", media_type.as_str())
            .with("data", data.as_str()),
        Source::Url(url) => Object::typed("url").with("url", url.as_str()),
        Source::Id(id) => Object::typed("file").with("file_id", id.as_str()),
        Source::Text(text) => Object::typed("text")
            .with("media_type", "text/plain")
            .with("data", text.as_str()),
    };
    written.into()
}
