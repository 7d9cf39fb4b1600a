//! The content of a message: a text, or a list of parts.

use serde::Deserialize;
use serde_json::Value;

use crate::canonical::{Cache, Content, Media, Part, Source};
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;
use crate::translate::ChatFlavour;

/// Content as it is written.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Wire {
    Text(String),
    Parts(Vec<WirePart>),
}

/// A part as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct WirePart {
    #[serde(flatten)]
    kind: Kind,
    cache_control: Option<CacheControl>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Kind {
    #[serde(alias = "input_text", alias = "output_text")]
    Text {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    ImageUrl {
        image_url: ImageUrl,
    },
    InputAudio {
        input_audio: InputAudio,
    },
    File {
        file: File,
    },
    /// Mistral.
    Thinking {
        thinking: Vec<Thought>,
    },
    #[serde(other)]
    Unknown,
}

/// Mistral writes an address alone.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ImageUrl {
    Address(String),
    Object {
        url: String,
        detail: Option<String>,
    },
    /// Ours.
    Stored {
        file_id: String,
        detail: Option<String>,
    },
}

#[derive(Debug, Deserialize)]
struct InputAudio {
    data: String,
    format: String,
}

#[derive(Debug, Deserialize)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct File {
    file_data: Option<String>,
    file_id: Option<String>,
    filename: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Thought {
    #[serde(default)]
    text: String,
}

/// A mark up to which the prompt shall be cached, as Anthropic and OpenRouter write it.
#[derive(Debug, Deserialize)]
pub(crate) struct CacheControl {
    ttl: Option<String>,
}

impl From<CacheControl> for Cache {
    fn from(mark: CacheControl) -> Self {
        Self { ttl: mark.ttl }
    }
}

/// Writes such a mark.
pub(crate) fn cache_control(cache: &Cache) -> Value {
    Object::typed("ephemeral")
        .maybe("ttl", cache.ttl.clone())
        .into()
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
}

impl WirePart {
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
            Self::Text { text } => Part::text(text).content,
            Self::Refusal { refusal } => Content::Refusal(refusal),
            Self::ImageUrl { image_url } => Content::Image(image_url.media()),
            Self::InputAudio { input_audio } => Content::Audio(input_audio.media()),
            Self::File { file } => Content::File(file.media()?),
            Self::Thinking { thinking } => {
                let texts: String = thinking.into_iter().map(|one| one.text).collect();
                Part::reasoning(texts).content
            }
            Self::Unknown => return None,
        })
    }
}

impl ImageUrl {
    fn media(self) -> Media {
        let (source, detail) = match self {
            Self::Address(url) => (Source::from_url(url), None),
            Self::Object { url, detail } => (Source::from_url(url), detail),
            Self::Stored { file_id, detail } => (Source::Id(file_id), detail),
        };
        Media {
            source,
            name: None,
            detail,
        }
    }
}

impl InputAudio {
    fn media(self) -> Media {
        let media_type = match self.format.as_str() {
            "mp3" => "audio/mpeg".to_owned(),
            format => format!("audio/{format}"),
        };
        Media {
            source: Source::Base64 {
                media_type,
                data: self.data,
            },
            name: None,
            detail: None,
        }
    }
}

impl File {
    fn media(self) -> Option<Media> {
        let held = self.file_data.map(Source::from_url);
        Some(Media {
            source: held.or(self.file_id.map(Source::Id))?,
            name: self.filename,
            detail: None,
        })
    }
}

/// Writes parts of a user's or the application's message: one plain text, or nothing, as a string.
pub(super) fn write(parts: &[Part], flavour: ChatFlavour, gaps: &Gaps) -> Result<Value, Refusal> {
    if parts.is_empty() {
        return Ok("".into());
    }
    if let [part] = parts
        && let Some(text) = part.as_text()
        && !(flavour.is_broad() && part.cache.is_some())
    {
        return Ok(text.into());
    }
    let parts = parts.iter().map(|part| write_part(part, flavour, gaps));
    Ok(Value::Array(parts.collect::<Result<_, _>>()?))
}

fn write_part(part: &Part, flavour: ChatFlavour, gaps: &Gaps) -> Result<Value, Refusal> {
    let mut written = match &part.content {
        Content::Text { text, .. } => Object::typed("text").with("text", text.as_str()),
        Content::Refusal(text) => Object::typed("refusal").with("refusal", text.as_str()),
        Content::Image(media) => image(media)
            .or_else(|| stored_image(media, flavour))
            .ok_or_else(|| gaps.content("an image by its id"))?,
        Content::Audio(media) => audio(&media.source)
            .ok_or_else(|| gaps.content("a recording that is not in the request itself"))?,
        Content::File(media) => {
            file(media, flavour).ok_or_else(|| gaps.content("a document at an address"))?
        }
        Content::Reasoning { .. } | Content::ToolCall(_) | Content::ToolResult(_) => {
            return Err(gaps.content("a part of another speaker's message"));
        }
    };
    let mark = part.cache.as_ref().filter(|_| flavour.is_broad());
    written.set_maybe("cache_control", mark.map(cache_control));
    Ok(written.into())
}

/// An image by its address, or as a `data:` URL.
pub(super) fn image(media: &Media) -> Option<Object> {
    let address = Object::default()
        .with("url", media.source.to_url()?)
        .maybe("detail", media.detail.clone());
    Some(Object::typed("image_url").with("image_url", address))
}

fn stored_image(media: &Media, flavour: ChatFlavour) -> Option<Object> {
    let Source::Id(id) = &media.source else {
        return None;
    };
    let stored = Object::default()
        .with("file_id", id.as_str())
        .maybe("detail", media.detail.clone());
    let image = Object::typed("image_url").with("image_url", stored);
    (flavour == ChatFlavour::Whole).then_some(image)
}

fn audio(source: &Source) -> Option<Object> {
    let Source::Base64 { media_type, data } = source else {
        return None;
    };
    let format = match media_type.strip_prefix("audio/")? {
        "mpeg" => "mp3",
        format => format,
    };
    let held = Object::default()
        .with("data", data.as_str())
        .with("format", format);
    Some(Object::typed("input_audio").with("input_audio", held))
}

fn file(media: &Media, flavour: ChatFlavour) -> Option<Object> {
    let mut file = Object::default().maybe("filename", media.name.clone());
    match &media.source {
        Source::Base64 { .. } => file.set_maybe("file_data", media.source.to_url()),
        Source::Id(id) => file.set("file_id", id.as_str()),
        Source::Text(text) => return Some(Object::typed("text").with("text", text.as_str())),
        Source::Url(url) if flavour == ChatFlavour::Whole => file.set("file_data", url.as_str()),
        Source::Url(_) => return None,
    }
    Some(Object::typed("file").with("file", file))
}
