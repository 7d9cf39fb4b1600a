//! Parts as they are read.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::signature;
use crate::canonical::{Content, Media, Part, Signature, Source};

/// A part as it is written: one of its members says what it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WirePart {
    text: Option<String>,
    thought: Option<bool>,
    #[serde(alias = "thought_signature")]
    thought_signature: Option<String>,
    #[serde(alias = "inline_data")]
    inline_data: Option<Blob>,
    #[serde(alias = "file_data")]
    file_data: Option<FileData>,
    #[serde(alias = "function_call")]
    pub(super) function_call: Option<FunctionCall>,
    #[serde(alias = "function_response")]
    pub(super) function_response: Option<FunctionResponse>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    #[serde(alias = "mime_type")]
    mime_type: String,
    data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileData {
    #[serde(alias = "mime_type")]
    mime_type: Option<String>,
    #[serde(alias = "file_uri")]
    file_uri: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct FunctionCall {
    pub(super) id: Option<String>,
    pub(super) name: String,
    #[serde(default, deserialize_with = "crate::json::or_default")]
    pub(super) args: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FunctionResponse {
    pub(super) id: Option<String>,
    pub(super) name: String,
    #[serde(default, deserialize_with = "crate::json::or_default")]
    pub(super) response: Map<String, Value>,
    /// Images and documents that belong to it.
    #[serde(default, deserialize_with = "crate::json::or_default")]
    pub(super) parts: Vec<WirePart>,
}

impl WirePart {
    /// What it is but for calls and their answers, whose ids are not its own matter. A signature of a
    /// part that is no thought stands before it. `None` where it is nothing that is known.
    pub(super) fn parts(self) -> Option<Vec<Part>> {
        let signature = self.thought_signature.map(signature::read);
        if self.thought == Some(true) {
            let (signature, redacted) = signature.map(Signature::reveal).unzip();
            return Some(vec![Part::new(Content::Reasoning {
                text: self.text.unwrap_or_default(),
                signature,
                redacted: redacted.unwrap_or_default(),
            })]);
        }
        let mut parts: Vec<Part> = signature.map(Part::signature).into_iter().collect();
        match (self.text, self.inline_data, self.file_data) {
            (Some(text), ..) if text.is_empty() => {}
            (Some(text), ..) => parts.push(Part::text(text)),
            (None, Some(blob), _) => parts.push(blob.part()),
            (None, None, Some(file)) => parts.push(file.part()),
            (None, None, None) if parts.is_empty() => return None,
            (None, None, None) => {}
        }
        Some(parts)
    }

    pub(super) fn is_thought(&self) -> bool {
        self.thought == Some(true)
    }

    /// The signature of a call, which stands before it.
    pub(super) fn take_signature(&mut self) -> Option<Part> {
        let text = self.thought_signature.take()?;
        Some(Part::signature(signature::read(text)))
    }
}

impl Blob {
    fn part(self) -> Part {
        let kind = self.mime_type.clone();
        let source = Source::Base64 {
            media_type: self.mime_type,
            data: self.data,
        };
        media(&kind, source)
    }
}

impl FileData {
    fn part(self) -> Part {
        media(
            &self.mime_type.unwrap_or_default(),
            Source::Url(self.file_uri),
        )
    }
}

/// An image, a recording or a document, by its MIME type.
fn media(kind: &str, source: Source) -> Part {
    let media = Media {
        source,
        name: None,
        detail: None,
    };
    Part::new(match kind.split('/').next() {
        Some("image") => Content::Image(media),
        Some("audio") => Content::Audio(media),
        _ => Content::File(media),
    })
}
