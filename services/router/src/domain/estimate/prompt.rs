//! How many tokens a prompt is: its messages and definitions, read without keeping them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use keyward_money::Usage;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::counter::Counter;
use super::{media, signed};

/// What a message counts beside its texts: three to frame it, one for its role, as OpenAI counts.
const TOKENS_PER_MESSAGE: u64 = 4;
/// A name beside its text.
const TOKENS_PER_NAME: u64 = 1;
/// What opens every answer.
const TOKENS_OPENING: u64 = 3;
/// What frames the definitions of tools, beside their text.
const TOKENS_PER_DEFINITIONS: u64 = 12;

/// What of a request is read by the model, as JSON text.
#[derive(Debug, Clone, Default)]
pub(crate) struct PromptText {
    /// The messages.
    pub(crate) messages: Bytes,
    /// Tools, functions, the form that the answer is to have.
    pub(crate) definitions: Vec<Bytes>,
}

impl PromptText {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        let definitions = self.definitions.iter().map(Bytes::len);
        self.messages.len() + definitions.sum::<usize>()
    }

    /// The same without reading any of it.
    pub(crate) fn by_bytes(&self, bytes_per_token: u64) -> Usage {
        prompt_usage(Counter::new(None, bytes_per_token).by_bytes(self.len()), 0)
    }
}

/// Counts a prompt to a model. What is no message as OpenAI defines them counts by its bytes.
pub(crate) fn measure(prompt: &PromptText, model: &str, counter: Counter<'_>) -> Usage {
    let mut tally = Tally {
        model,
        counter,
        text: TOKENS_OPENING,
        audio: 0,
    };
    match serde_json::from_slice::<Vec<&RawValue>>(&prompt.messages) {
        Ok(messages) => messages.iter().for_each(|raw| tally.message(raw.get())),
        Err(_) => tally.opaque(prompt.messages.len()),
    }
    for definitions in &prompt.definitions {
        tally.text += TOKENS_PER_DEFINITIONS;
        tally.words(&String::from_utf8_lossy(definitions));
    }
    prompt_usage(tally.text, tally.audio)
}

fn prompt_usage(text: u64, audio: u64) -> Usage {
    Usage {
        input_tokens: signed(text),
        input_audio_tokens: signed(audio),
        ..Usage::default()
    }
}

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_audio: Option<Audio<'a>>,
}

#[derive(Deserialize)]
struct Image<'a> {
    #[serde(borrow, default)]
    detail: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Audio<'a> {
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(borrow, default)]
    format: Option<Text<'a>>,
}

/// What was counted so far.
struct Tally<'a> {
    model: &'a str,
    counter: Counter<'a>,
    text: u64,
    audio: u64,
}

impl Tally<'_> {
    fn message(&mut self, json: &str) {
        let Ok(members) = serde_json::from_str::<BTreeMap<Text<'_>, &RawValue>>(json) else {
            return self.opaque(json.len());
        };
        self.text += TOKENS_PER_MESSAGE;
        for (name, value) in members {
            match &*name.0 {
                "role" => {}
                "name" => {
                    self.text += TOKENS_PER_NAME;
                    self.content(value.get());
                }
                "content" => self.content(value.get()),
                // Calls of tools and what else there is: as it is written.
                _ => self.words(value.get()),
            }
        }
    }

    /// A text, or parts of which some are texts.
    fn content(&mut self, json: &str) {
        if json == "null" {
            return;
        }
        if let Ok(Text(text)) = serde_json::from_str(json) {
            return self.words(&text);
        }
        match serde_json::from_str::<Vec<&RawValue>>(json) {
            Ok(parts) => parts.iter().for_each(|part| self.part(part.get())),
            Err(_) => self.opaque(json.len()),
        }
    }

    fn part(&mut self, json: &str) {
        match serde_json::from_str(json) {
            Ok(Part {
                text: Some(Text(text)),
                ..
            }) => self.words(&text),
            Ok(Part {
                image_url: Some(image),
                ..
            }) => self.image(image.get()),
            Ok(Part {
                input_audio: Some(audio),
                ..
            }) => self.sound(&audio),
            // A file, or a part that is not known here: its bytes say little, and are all there is.
            Ok(_) | Err(_) => self.opaque(json.len()),
        }
    }

    fn image(&mut self, json: &str) {
        let detail = serde_json::from_str(json).map(|Image { detail }| detail);
        let is_low = detail.is_ok_and(|detail| detail.is_some_and(|Text(name)| name == "low"));
        self.text += media::image_tokens(self.model, is_low);
    }

    fn sound(&mut self, audio: &Audio<'_>) {
        let format = audio.format.as_ref().map_or("", |Text(name)| name);
        self.audio += media::audio_tokens(audio.data.0.len(), format);
    }

    fn words(&mut self, text: &str) {
        self.text += self.counter.count(text);
    }

    fn opaque(&mut self, bytes: usize) {
        self.text += self.counter.by_bytes(bytes);
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::counter::CountTokens;
    use super::*;

    /// A token for each word.
    struct Words;

    impl CountTokens for Words {
        fn count_tokens(&self, text: &str) -> Option<u64> {
            Some(text.split_whitespace().count() as u64)
        }
    }

    fn prompt(messages: &str, definitions: &[&str]) -> PromptText {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        PromptText {
            messages: bytes(messages),
            definitions: definitions.iter().map(|text| bytes(text)).collect(),
        }
    }

    #[track_caller]
    fn check(messages: &str, definitions: &[&str], expect: (i64, i64)) {
        let counter = Counter::new(Some(&Words), 3);
        let usage = measure(&prompt(messages, definitions), "openai/gpt-4o", counter);
        let found = (usage.input_tokens, usage.input_audio_tokens);
        assert_eq!(found, expect, "{messages}");
    }

    #[test]
    fn a_prompt_is_its_texts_and_what_frames_them() {
        check("[]", &[], (3, 0));
        check(
            r#"[{"role":"user","content":"one two three"}]"#,
            &[],
            (10, 0),
        );
        check(
            r#"[{"role":"user","content":"one\ntwo \"three\""}]"#,
            &[],
            (10, 0),
        );
        check(
            r#"[{"role":"system","content":"be brief"},
                {"role":"user","name":"bob","content":"hello"}]"#,
            &[],
            (3 + 4 + 2 + 4 + 1 + 1 + 1, 0),
        );
        check(
            r#"[{"role":"assistant","content":null,"tool_calls":[{"id": "a"}]}]"#,
            &[],
            (3 + 4 + 2, 0),
        );
        check("[]", &["[ { } ]", "{ }"], (3 + 12 + 4 + 12 + 2, 0));
    }

    #[test]
    fn parts_count_by_what_they_are() {
        let with = |part: &str| format!(r#"[{{"role":"user","content":[{part}]}}]"#);
        let text = r#"{"type":"text","text":"one two"}"#;
        check(&with(text), &[], (9, 0));
        check(&with(&format!("{text},{text}")), &[], (11, 0));
        let image = |detail: &str| {
            let url = format!("data:image/png;base64,{}", "A".repeat(300_000));
            format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"{detail}}}}}"#)
        };
        check(&with(&image("")), &[], (7 + 1_445, 0));
        check(&with(&image(r#","detail":"high""#)), &[], (7 + 1_445, 0));
        check(&with(&image(r#","detail":"low""#)), &[], (7 + 85, 0));
        let named = r#"{"type":"image_url","image_url":"https://example.com/a.png"}"#;
        check(&with(named), &[], (7 + 1_445, 0));
        let data = "A".repeat(64_000);
        let audio =
            format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}","format":"wav"}}}}"#);
        check(&with(&audio), &[], (7, 30));
        check(&with(r#"{"type":"file"}"#), &[], (7 + 5, 0));
    }

    #[test]
    fn what_is_not_understood_counts_by_its_bytes() {
        for messages in [r#"{"a":1}"#, r#""hello""#, "nonsense"] {
            let bytes = i64::try_from(messages.len()).expect("few");
            check(messages, &[], (3 + (bytes + 2) / 3, 0));
        }
        check("[7, [1,2]]", &[], (3 + 1 + 2, 0));
        check(r#"[{"role":"user","content":12345678}]"#, &[], (7 + 3, 0));
        let by_bytes = prompt("[1234567]", &["{}"]).by_bytes(3);
        assert_eq!(by_bytes.input_tokens, 4);
    }
}
