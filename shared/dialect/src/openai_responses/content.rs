//! Parts of a message: what is said to the model, and what it says.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::canonical::{Citation, Content, Logprob, Media, Part, Source};
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;

/// Content as it is written: a text, or parts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Wire {
    Text(String),
    Parts(Vec<WirePart>),
}

/// A part as it is written.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WirePart {
    #[serde(alias = "text")]
    InputText { text: String },
    OutputText {
        #[serde(default)]
        text: String,
        #[serde(default, deserialize_with = "crate::json::or_default")]
        annotations: Vec<Annotation>,
        #[serde(default, deserialize_with = "crate::json::or_default")]
        logprobs: Vec<Logprob>,
    },
    Refusal {
        #[serde(default)]
        refusal: String,
    },
    /// Thoughts that nobody summed up, as open models show them.
    ReasoningText { text: String },
    InputImage {
        image_url: Option<String>,
        file_id: Option<String>,
        detail: Option<String>,
    },
    InputFile {
        file_data: Option<String>,
        file_url: Option<String>,
        file_id: Option<String>,
        filename: Option<String>,
    },
    #[serde(other)]
    Unknown,
}

/// An annotation of a text; only citations of pages are known.
#[derive(Debug, Deserialize)]
pub(super) struct Annotation {
    url: Option<String>,
    title: Option<String>,
    start_index: Option<u64>,
    end_index: Option<u64>,
}

impl Annotation {
    pub(super) fn citation(self) -> Option<Citation> {
        Some(Citation {
            url: self.url?,
            title: self.title,
            cited: None,
            start: self.start_index,
            end: self.end_index,
        })
    }
}

impl Wire {
    /// The parts; `None` in place of one that is not known.
    pub(super) fn parts(self) -> Vec<Option<Part>> {
        match self {
            Self::Text(text) if text.is_empty() => Vec::new(),
            Self::Text(text) => vec![Some(Part::text(text))],
            Self::Parts(parts) => parts.into_iter().map(WirePart::part).collect(),
        }
    }

    /// The thoughts that stand here unsummed.
    pub(super) fn thoughts(self) -> Vec<String> {
        let Self::Parts(parts) = self else {
            return Vec::new();
        };
        let texts = parts.into_iter().filter_map(|part| match part {
            WirePart::ReasoningText { text } => Some(text),
            _ => None,
        });
        texts.collect()
    }

    /// How probable its tokens were.
    pub(super) fn take_logprobs(&mut self) -> Vec<Logprob> {
        let Self::Parts(parts) = self else {
            return Vec::new();
        };
        let taken = parts.iter_mut().flat_map(|part| match part {
            WirePart::OutputText { logprobs, .. } => std::mem::take(logprobs),
            _ => Vec::new(),
        });
        taken.collect()
    }
}

impl WirePart {
    fn part(self) -> Option<Part> {
        Some(Part::new(match self {
            Self::InputText { text } => return Some(Part::text(text)),
            Self::OutputText {
                text, annotations, ..
            } => Content::Text {
                text,
                citations: annotations
                    .into_iter()
                    .filter_map(Annotation::citation)
                    .collect(),
            },
            Self::Refusal { refusal } => Content::Refusal(refusal),
            Self::InputImage {
                image_url,
                file_id,
                detail,
            } => Content::Image(Media {
                source: image_url
                    .map(Source::from_url)
                    .or(file_id.map(Source::Id))?,
                name: None,
                detail,
            }),
            Self::InputFile {
                file_data,
                file_url,
                file_id,
                filename,
            } => Content::File(Media {
                source: file_data
                    .or(file_url)
                    .map(Source::from_url)
                    .or(file_id.map(Source::Id))?,
                name: filename,
                detail: None,
            }),
            Self::ReasoningText { .. } | Self::Unknown => return None,
        }))
    }
}

/// Writes what is said to the model: one plain text, or nothing, as a string.
pub(super) fn write(parts: &[Part], gaps: &Gaps) -> Result<Value, Refusal> {
    if parts.is_empty() {
        return Ok("".into());
    }
    if let [part] = parts
        && let Some(text) = part.as_text()
    {
        return Ok(text.into());
    }
    let parts = parts.iter().map(|part| write_part(&part.content, gaps));
    Ok(Value::Array(parts.collect::<Result<_, _>>()?))
}

fn write_part(content: &Content, gaps: &Gaps) -> Result<Value, Refusal> {
    let written = match content {
        Content::Text { text, .. } | Content::Refusal(text) => {
            Object::typed("input_text").with("text", text.as_str())
        }
        Content::Image(media) => image(media).ok_or_else(|| gaps.content("a text as an image"))?,
        Content::File(media) => file(media),
        Content::Audio(_) => return Err(gaps.content("a recording")),
        Content::Reasoning { .. } | Content::ToolCall(_) | Content::ToolResult(_) => {
            return Err(gaps.content("a part of another speaker's message"));
        }
    };
    Ok(written.into())
}

fn image(media: &Media) -> Option<Object> {
    let image = Object::typed("input_image");
    let image = match &media.source {
        Source::Id(id) => image.with("file_id", id.as_str()),
        source => image.with("image_url", source.to_url()?),
    };
    Some(image.maybe("detail", media.detail.clone()))
}

fn file(media: &Media) -> Object {
    let file = Object::typed("input_file").maybe("filename", media.name.clone());
    match &media.source {
        Source::Base64 { .. } => file.maybe("file_data", media.source.to_url()),
        Source::Url(url) => file.with("file_url", url.as_str()),
        Source::Id(id) => file.with("file_id", id.as_str()),
        Source::Text(text) => Object::typed("input_text").with("text", text.as_str()),
    }
}

/// Writes a text of the model's.
pub(super) fn output_text(text: &str, citations: &[Citation], logprobs: &[Logprob]) -> Value {
    let length = text.chars().count() as u64;
    let annotations = citations.iter().map(|one| annotation(one, 0, length));
    json!({
        "type": "output_text",
        "text": text,
        "annotations": annotations.collect::<Vec<_>>(),
        "logprobs": logprobs,
    })
}

/// A citation of the text between two characters, where it does not say itself between which.
pub(super) fn annotation(citation: &Citation, start: u64, end: u64) -> Value {
    json!({
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title.as_deref().unwrap_or_default(),
        "start_index": citation.start.unwrap_or(start),
        "end_index": citation.end.unwrap_or(end),
    })
}
