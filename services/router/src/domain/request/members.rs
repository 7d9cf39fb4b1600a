//! Where the top-level members of a body are: byte ranges, found in one pass without a tree.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::RequestError;
use super::grammar::Grammar;

/// A member that routing acts upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Model,
    Messages,
    Stream,
    StreamOptions,
    StreamFormat,
    MaxTokens,
    MaxCompletionTokens,
    MaxOutputTokens,
    Choices,
    InlineKey,
    DropParams,
    Models,
    Provider,
    ServiceTier,
    Tools,
    Functions,
    ResponseFormat,
    Modalities,
    Reasoning,
    ReasoningEffort,
    Thinking,
    Prompt,
    Input,
    Instructions,
    Text,
    System,
    Size,
    Quality,
    Contents,
    Content,
    Requests,
    SystemInstruction,
    GenerationConfig,
    GenerateContentRequest,
}

const MEMBERS: [Member; 34] = [
    Member::Model,
    Member::Messages,
    Member::Stream,
    Member::StreamOptions,
    Member::StreamFormat,
    Member::MaxTokens,
    Member::MaxCompletionTokens,
    Member::MaxOutputTokens,
    Member::Choices,
    Member::InlineKey,
    Member::DropParams,
    Member::Models,
    Member::Provider,
    Member::ServiceTier,
    Member::Tools,
    Member::Functions,
    Member::ResponseFormat,
    Member::Modalities,
    Member::Reasoning,
    Member::ReasoningEffort,
    Member::Thinking,
    Member::Prompt,
    Member::Input,
    Member::Instructions,
    Member::Text,
    Member::System,
    Member::Size,
    Member::Quality,
    Member::Contents,
    Member::Content,
    Member::Requests,
    Member::SystemInstruction,
    Member::GenerationConfig,
    Member::GenerateContentRequest,
];

impl Member {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Messages => "messages",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::StreamFormat => "stream_format",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::Choices => "n",
            Self::InlineKey => "byok_api_key",
            Self::DropParams => "drop_params",
            Self::Models => "models",
            Self::Provider => "provider",
            Self::ServiceTier => "service_tier",
            Self::Tools => "tools",
            Self::Functions => "functions",
            Self::ResponseFormat => "response_format",
            Self::Modalities => "modalities",
            Self::Reasoning => "reasoning",
            Self::ReasoningEffort => "reasoning_effort",
            Self::Thinking => "thinking",
            Self::Prompt => "prompt",
            Self::Input => "input",
            Self::Instructions => "instructions",
            Self::Text => "text",
            Self::System => "system",
            Self::Size => "size",
            Self::Quality => "quality",
            Self::Contents => "contents",
            Self::Content => "content",
            Self::Requests => "requests",
            Self::SystemInstruction => "systemInstruction",
            Self::GenerationConfig => "generationConfig",
            Self::GenerateContentRequest => "generateContentRequest",
        }
    }

    /// Google takes its members' names in either of two spellings.
    fn other_name(self) -> Option<&'static str> {
        match self {
            Self::SystemInstruction => Some("system_instruction"),
            Self::GenerationConfig => Some("generation_config"),
            Self::GenerateContentRequest => Some("generate_content_request"),
            _ => None,
        }
    }

    fn named(name: &str) -> Option<Self> {
        let is_it = |member: &Self| member.name() == name || member.other_name() == Some(name);
        MEMBERS.into_iter().find(is_it)
    }
}

/// Where a member is.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    value: Range<usize>,
    /// How many members stand before it.
    ordinal: usize,
    /// Where the member before it ends, or the object opens.
    previous_end: usize,
    /// Behind the comma that follows it, if one does.
    comma_end: usize,
}

/// The places of the members that routing acts upon.
#[derive(Debug)]
pub(super) struct Members {
    /// Where the object opens.
    start: usize,
    /// How many it has, whatever they are.
    count: usize,
    places: [Option<Place>; MEMBERS.len()],
}

impl Default for Members {
    fn default() -> Self {
        Self {
            start: 0,
            count: 0,
            places: [const { None }; MEMBERS.len()],
        }
    }
}

impl Members {
    /// Reads a body; of its members those that its form has for routing.
    pub(super) fn read(text: &str, grammar: &Grammar) -> Result<Self, RequestError> {
        let start = text.find('{').map_or(0, |brace| brace + 1);
        let mut members = Self {
            start,
            ..Self::default()
        };
        let mut previous_end = start;
        let (mut ordinal, mut twice) = (0, None);
        each(text, |name, value| {
            let end = value.end;
            let known = Member::named(name).filter(|member| grammar.knows(*member));
            if let Some(member) = known {
                let place = Place {
                    value,
                    ordinal,
                    previous_end,
                    comma_end: comma_end(text, end),
                };
                twice = twice.take().or(members.put(member, place).err());
            }
            ordinal += 1;
            previous_end = end;
        })
        .map_err(|error| not_an_object(text, &error))?;
        members.count = ordinal;
        twice.map_or(Ok(members), Err)
    }

    fn put(&mut self, member: Member, place: Place) -> Result<(), RequestError> {
        let slot = &mut self.places[member as usize];
        if slot.replace(place).is_some() {
            // Readers disagree on which of two counts: what we route by must be what is served.
            let name = member.name();
            return Err(RequestError::new(
                Some(name),
                format!("`{name}` is given twice"),
            ));
        }
        Ok(())
    }

    /// Behind the brace that opens the object.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    pub(super) fn span(&self, member: Member) -> Option<&Range<usize>> {
        self.places[member as usize]
            .as_ref()
            .map(|place| &place.value)
    }

    /// Whether there are others than these.
    pub(super) fn has_others_than(&self, unwanted: &[Member]) -> bool {
        let is_there = |member: &&Member| self.places[**member as usize].is_some();
        self.count > unwanted.iter().filter(is_there).count()
    }

    /// What to cut so that these members are gone and the commas still fit: each with the comma
    /// before it, but those at the very front with the comma behind.
    pub(super) fn removals(&self, unwanted: &[Member]) -> Vec<Range<usize>> {
        let mut places: Vec<&Place> = unwanted
            .iter()
            .filter_map(|member| self.places[*member as usize].as_ref())
            .collect();
        places.sort_by_key(|place| place.ordinal);
        let at_front = |index: usize, place: &Place| place.ordinal == index;
        places
            .iter()
            .enumerate()
            .map(|(index, place)| {
                let end = if at_front(index, place) {
                    place.comma_end
                } else {
                    place.value.end
                };
                place.previous_end..end
            })
            .collect()
    }

    pub(super) fn raw<'a>(&self, member: Member, text: &'a str) -> Option<&'a str> {
        self.span(member).map(|span| &text[span.clone()])
    }
}

/// The range of one member's value in an object; two of that name are an error.
pub(super) fn find(
    object: &str,
    name: &str,
    param: &'static str,
) -> Result<Option<Range<usize>>, RequestError> {
    let (mut found, mut is_twice) = (None, false);
    each(object, |key, value| {
        is_twice |= key == name && found.replace(value).is_some();
    })
    .map_err(|_| RequestError::new(Some(param), format!("`{param}` must be an object")))?;
    if is_twice {
        let message = format!("`{param}.{name}` is given twice");
        return Err(RequestError::new(Some(param), message));
    }
    Ok(found)
}

/// The ranges of a list's elements.
pub(super) fn elements(list: &str, param: &'static str) -> Result<Vec<Range<usize>>, RequestError> {
    let elements: Vec<&RawValue> = serde_json::from_str(list)
        .map_err(|_| RequestError::new(Some(param), format!("`{param}` must be an array")))?;
    let base = list.as_ptr() as usize;
    let range = |element: &RawValue| {
        let start = element.get().as_ptr() as usize - base;
        start..start + element.get().len()
    };
    Ok(elements.into_iter().map(range).collect())
}

fn comma_end(text: &str, value_end: usize) -> usize {
    let rest = &text[value_end..];
    let gap = rest.len() - rest.trim_start().len();
    if rest[gap..].starts_with(',') {
        value_end + gap + 1
    } else {
        value_end
    }
}

fn not_an_object(text: &str, error: &serde_json::Error) -> RequestError {
    let message = if text.trim().is_empty() {
        "the body is empty: a JSON object is expected".to_owned()
    } else if error.is_data() {
        "the body must be a JSON object".to_owned()
    } else {
        format!("the body is not valid JSON: {error}")
    };
    RequestError::new(None, message)
}

/// Calls `found` with the name and the value's range of each of an object's members, in order.
/// Nested values are skipped over, not read into memory; neither depth nor number costs any.
fn each(text: &str, found: impl FnMut(&str, Range<usize>)) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(MembersVisitor {
        base: text.as_ptr() as usize,
        found,
    })?;
    deserializer.end()
}

struct MembersVisitor<F> {
    base: usize,
    found: F,
}

/// A member's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, F: FnMut(&str, Range<usize>)> Visitor<'de> for MembersVisitor<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            let start = value.get().as_ptr() as usize - self.base;
            (self.found)(&name, start..start + value.get().len());
        }
        Ok(())
    }
}
