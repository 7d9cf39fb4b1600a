//! What a request shows that routing goes by, beside its model: read only where somebody asks.

use keyward_catalog::Capability;
use memchr::memmem;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::members::Member;
use super::{ModelRequest, RequestError};
use crate::domain::estimate::BYTES_PER_TOKEN;
use crate::domain::form::Language;
use crate::domain::preferences::Preferences;
use crate::domain::task::{Guess, Looks};

/// What an answer is taken to have where nobody says how long it may be.
const OUTPUT_TOKENS_DEFAULT: u64 = 1_024;
/// Conversations begin with so many messages at most before the caller's first.
const OPENING_MESSAGES_MAX: usize = 4;

impl ModelRequest {
    /// What `provider` says.
    pub(crate) fn preferences(&self) -> Result<Preferences, RequestError> {
        let raw = self.raw(Member::Provider);
        raw.map_or_else(|| Ok(Preferences::default()), Preferences::parse)
    }

    /// The prompt's length in tokens, by its bytes.
    pub(crate) fn prompt_tokens(&self) -> u64 {
        self.messages().len() as u64 / BYTES_PER_TOKEN
    }

    /// The most tokens that the answer may have.
    pub(crate) fn output_tokens(&self) -> u64 {
        match self.form.makes_text() {
            true => self.max_output_tokens().unwrap_or(OUTPUT_TOKENS_DEFAULT),
            false => 0,
        }
    }

    /// What a model has to be able to do for it.
    pub(crate) fn needs(&self) -> Vec<Capability> {
        let format = self.raw(Member::ResponseFormat).unwrap_or("");
        let has_list = |member| self.raw(member).is_some_and(|raw| raw.len() > 2);
        let needs = [
            (
                Capability::Tools,
                has_list(Member::Tools) || has_list(Member::Functions),
            ),
            (Capability::JsonSchema, format.contains("\"json_schema\"")),
            (Capability::Vision, self.has_image()),
            (Capability::Reasoning, self.asks_reasoning()),
        ];
        let needed = needs.into_iter().filter(|(_, is_needed)| *is_needed);
        needed.map(|(capability, _)| capability).collect()
    }

    /// What it seems to be for.
    pub(crate) fn guess(&self) -> Guess {
        let looks = Looks {
            endpoint: self.form.endpoint(),
            messages: self.messages(),
            tools: self.raw(Member::Tools).unwrap_or(""),
            asks_reasoning: self.asks_reasoning(),
            has_image: self.has_image(),
            prompt_tokens: self.prompt_tokens(),
        };
        looks.guess()
    }

    /// The same for requests of a model that begin with the same system prompt and the same first
    /// message of the caller, however the conversation went on.
    pub(crate) fn affinity(&self) -> u64 {
        let messages = opening(self.messages()).into_iter();
        let parts = std::iter::once(self.model()).chain(messages);
        parts.fold(0, |before, part| xxh3_64_with_seed(part.as_bytes(), before))
    }

    fn has_image(&self) -> bool {
        let marks: &[&[u8]] = match self.form.language() {
            Language::OpenAi | Language::Keyward => &[b"\"image_url\""],
            Language::Anthropic => &[b"\"image\""],
            Language::Google => &[b"\"image/"],
        };
        let messages = self.messages().as_bytes();
        let has = |mark: &&[u8]| memmem::find(messages, mark).is_some();
        marks.iter().any(has)
    }

    fn asks_reasoning(&self) -> bool {
        let is_given = |member| self.raw(member).is_some_and(|raw| raw != "null");
        [Member::ReasoningEffort, Member::Reasoning, Member::Thinking]
            .into_iter()
            .any(is_given)
    }

    pub(super) fn raw(&self, member: Member) -> Option<&str> {
        self.members.span(member).map(|span| self.text(span))
    }
}

/// The first messages of an array, up to the first that is of the user.
fn opening(messages: &str) -> Vec<&str> {
    let mut rest = messages.strip_prefix('[').unwrap_or(messages);
    let mut found = Vec::with_capacity(2);
    while found.len() < OPENING_MESSAGES_MAX {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let Some(Ok(message)) = values.next() else {
            break;
        };
        found.push(message.get());
        rest = rest[values.byte_offset()..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or("");
        if message.get().contains("\"user\"") {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task::{Signal, Task};

    fn request(rest: &str) -> ModelRequest {
        let body = format!(r#"{{"model":"auto",{rest}}}"#);
        let arrived = super::super::Arrived {
            body: body.into(),
            ..super::super::Arrived::default()
        };
        ModelRequest::parse(arrived).unwrap()
    }

    #[test]
    fn what_a_model_has_to_be_able_to_do_is_seen() {
        use Capability::{JsonSchema, Reasoning, Tools, Vision};
        let hello = r#""messages":[{"role":"user","content":"hello"}]"#;
        for (rest, needs) in [
            (hello.to_owned(), vec![]),
            (format!(r#"{hello},"tools":[]"#), vec![]),
            (
                format!(r#"{hello},"tools":[{{"type":"function"}}]"#),
                vec![Tools],
            ),
            (
                format!(r#"{hello},"response_format":{{"type":"json_schema"}}"#),
                vec![JsonSchema],
            ),
            (
                format!(r#"{hello},"reasoning_effort":"high""#),
                vec![Reasoning],
            ),
            (
                r#""messages":[{"role":"user","content":[{"type":"image_url"}]}]"#.to_owned(),
                vec![Vision],
            ),
        ] {
            assert_eq!(request(&rest).needs(), needs, "{rest}");
        }
    }

    #[test]
    fn requests_are_alike_while_their_conversation_goes_on() {
        let begun = r#"{"role":"system","content":"be brief"}, {"role":"user","content":"hi"}"#;
        let first = request(&format!(r#""messages":[{begun}]"#));
        let more = r#"{"role":"assistant","content":"hello"},{"role":"user","content":"more"}"#;
        let second = request(&format!(r#""messages":[{begun},{more}]"#));
        let other = request(&format!(r#""messages":[{more}]"#));
        assert_eq!(first.affinity(), second.affinity());
        assert_ne!(first.affinity(), other.affinity());
    }

    #[test]
    fn a_task_is_guessed_with_its_signal() {
        let code = request(r#""messages":[{"role":"user","content":"fix ```x```"}]"#);
        let expect = Guess {
            task: Task::Code,
            signal: Signal::CodeFence,
        };
        assert_eq!(code.guess(), expect);
    }

    #[test]
    fn a_broken_opening_is_no_reason_to_fail() {
        for messages in ["[", "[]", "[1 2", "[{}", "", "[\"\u{e9}\",]"] {
            let _ = opening(messages);
        }
    }
}
