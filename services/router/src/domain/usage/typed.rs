//! Usage as OpenAI's newer endpoints report it: responses, images, transcriptions. Searches and images
//! are counted by what the answer holds; sound by its seconds.

use keyward_money::{MeasuredUsage, OverlappingUsage, Usage};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Number;

use super::{believable, openai, whole};
use crate::domain::form::Form;

/// An answer, or an event that ends a stream, as far as usage goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    usage: Option<Reported>,
    output: Vec<Item>,
    /// Events have what a plain answer is in here.
    response: Option<Inner>,
    /// Images that were made.
    data: Option<Vec<IgnoredAny>>,
    /// How long a transcribed sound is, in seconds.
    duration: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inner {
    usage: Option<Reported>,
    output: Vec<Item>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    r#type: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reported {
    input_tokens: Option<Number>,
    #[serde(alias = "input_token_details")]
    input_tokens_details: Option<Details>,
    output_tokens: Option<Number>,
    #[serde(alias = "output_token_details")]
    output_tokens_details: Option<Details>,
    /// Transcriptions that are paid for by time.
    seconds: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct Details {
    cached_tokens: Option<Number>,
    cache_write_tokens: Option<Number>,
    audio_tokens: Option<Number>,
    image_tokens: Option<Number>,
    reasoning_tokens: Option<Number>,
}

pub(super) fn read(form: Form, json: &[u8]) -> Option<MeasuredUsage> {
    let envelope: Envelope = serde_json::from_slice(json).ok()?;
    let is_image = matches!(
        form,
        Form::ImageGenerations | Form::ImageEdits | Form::ImageVariations
    );
    let (inner, outer) = (envelope.response.unwrap_or_default(), envelope.usage);
    let reported = inner.usage.or(outer);
    let is_search = |item: &&Item| item.r#type == "web_search_call";
    let searches = inner
        .output
        .iter()
        .chain(&envelope.output)
        .filter(is_search);
    let searches = count(searches.count());
    let images = match envelope.data {
        Some(data) if is_image => count(data.len()),
        // An event brings one.
        None if is_image && reported.is_some() => 1,
        _ => 0,
    };
    let audio_ms = milliseconds(reported.as_ref(), envelope.duration.as_ref());
    let mut measured = match &reported {
        Some(reported) if reported.says_tokens() => disjoint(reported, is_image),
        // Nothing that could be charged is told.
        _ if images == 0 && audio_ms == 0 => return None,
        // Tokens may be told as chats tell them, beside what was made.
        _ => openai::read(json).unwrap_or_default(),
    };
    measured.usage = measured.usage.saturating_add(Usage {
        searches,
        images,
        audio_ms,
        ..Usage::default()
    });
    believable(measured)
}

/// Reads the usage out of the end of a large answer, whose beginning is gone already.
pub(super) fn read_tail(tail: &[u8]) -> Option<MeasuredUsage> {
    let at = memchr::memmem::rfind(tail, b"\"usage\"")? + b"\"usage\"".len();
    let value = tail[at..].trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<Reported>();
    let reported = values.next()?.ok()?;
    believable(reported.says_tokens().then(|| disjoint(&reported, false))?)
}

impl Reported {
    fn says_tokens(&self) -> bool {
        self.input_tokens.is_some() || self.output_tokens.is_some()
    }
}

/// The tokens; those of an image's answer are the image's, where nobody says otherwise.
fn disjoint(reported: &Reported, is_image: bool) -> MeasuredUsage {
    let none = Details::default();
    let input = reported.input_tokens_details.as_ref().unwrap_or(&none);
    let output = reported.output_tokens_details.as_ref();
    let completion_tokens = whole(reported.output_tokens.as_ref());
    let unsaid = if is_image { completion_tokens } else { 0 };
    let of_images = output.map_or(unsaid, |output| whole(output.image_tokens.as_ref()));
    let output = output.unwrap_or(&none);
    Usage::from_overlapping(OverlappingUsage {
        prompt_tokens: whole(reported.input_tokens.as_ref()),
        cached_tokens: whole(input.cached_tokens.as_ref()),
        cache_write_tokens: whole(input.cache_write_tokens.as_ref()),
        prompt_audio_tokens: whole(input.audio_tokens.as_ref()),
        prompt_image_tokens: whole(input.image_tokens.as_ref()),
        completion_tokens,
        reasoning_tokens: whole(output.reasoning_tokens.as_ref()),
        completion_audio_tokens: whole(output.audio_tokens.as_ref()),
        completion_image_tokens: of_images,
        searches: 0,
    })
}

/// How long a sound is: as it is charged, else as it was measured.
#[allow(clippy::cast_possible_truncation)]
fn milliseconds(reported: Option<&Reported>, duration: Option<&Number>) -> i64 {
    let charged = reported.and_then(|reported| reported.seconds.as_ref());
    let seconds = charged.or(duration).and_then(Number::as_f64);
    seconds.map_or(0, |seconds| (seconds.max(0.0) * 1_000.0).ceil() as i64)
}

fn count(found: usize) -> i64 {
    i64::try_from(found).unwrap_or(i64::MAX)
}
