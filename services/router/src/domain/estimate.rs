//! What a request is expected to use at most, for its hold; and what a broken stream is taken to
//! have used, where the provider did not say.

use std::fmt;

use keyward_money::Usage;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// An answer whose length nobody bounded: until answers of the model have been seen.
const OUTPUT_TOKENS_DEFAULT: u64 = 1024;
/// Bytes of a prompt per token, on the safe side.
const PROMPT_BYTES_PER_TOKEN: u64 = 3;
/// Bytes of text per token, as it is on average: what was delivered is not padded.
const BYTES_PER_TOKEN: u64 = 4;

/// How tokens are counted for a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// By bytes, as nothing better is known.
    Bytes,
    /// By words: the sandbox, whose answers can be foreseen exactly.
    Words,
}

/// What estimates are made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prompt<'a> {
    /// The body's length.
    pub(crate) body_bytes: usize,
    /// The messages, as JSON text.
    pub(crate) messages: &'a str,
    /// The name of the model at the provider.
    pub(crate) upstream_model: &'a str,
    /// The bound on one answer that the caller set.
    pub(crate) max_output_tokens: Option<u64>,
    /// The model's own bound; 0 where unknown.
    pub(crate) model_output_tokens: u64,
    /// The most that the model takes in; 0 where unknown. An image in the body has far more bytes
    /// than tokens.
    pub(crate) model_context_tokens: u64,
    /// How many answers are asked for.
    pub(crate) choices: u64,
}

/// The most that a request is expected to use.
pub(crate) fn most(counting: Counting, prompt: &Prompt<'_>) -> Usage {
    match counting {
        Counting::Words => words(prompt),
        Counting::Bytes => {
            let bound = known_or_max(prompt.model_output_tokens);
            let each = prompt
                .max_output_tokens
                .unwrap_or(OUTPUT_TOKENS_DEFAULT)
                .min(bound);
            let input = input_tokens(prompt, PROMPT_BYTES_PER_TOKEN);
            usage(input, each.saturating_mul(prompt.choices))
        }
    }
}

fn words(prompt: &Prompt<'_>) -> Usage {
    let asked = SandboxPrompt::read(prompt.messages);
    let output = match crate::sandbox::Behaviour::of(prompt.upstream_model) {
        Some(crate::sandbox::Behaviour::Lorem) => prompt
            .max_output_tokens
            .unwrap_or(crate::sandbox::LOREM_WORDS_DEFAULT)
            .min(crate::sandbox::LOREM_WORDS_MAX),
        _ => asked.echo.split_whitespace().count() as u64,
    };
    usage(asked.words, output)
}

/// What was delivered of an answer that broke off, and the prompt it was to.
pub(crate) fn delivered(
    counting: Counting,
    prompt: &Prompt<'_>,
    text_bytes: usize,
    chunks: u64,
) -> Usage {
    match counting {
        // The sandbox sends a word a chunk.
        Counting::Words => Usage {
            output_tokens: signed(chunks),
            ..most(counting, prompt)
        },
        Counting::Bytes => {
            let output = (text_bytes as u64)
                .div_ceil(BYTES_PER_TOKEN)
                .max(chunks.min(1));
            usage(input_tokens(prompt, BYTES_PER_TOKEN), output)
        }
    }
}

fn input_tokens(prompt: &Prompt<'_>, bytes_per_token: u64) -> u64 {
    let by_length = (prompt.body_bytes as u64).div_ceil(bytes_per_token);
    by_length.min(known_or_max(prompt.model_context_tokens))
}

fn known_or_max(tokens: u64) -> u64 {
    if tokens == 0 { u64::MAX } else { tokens }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input_tokens: signed(input),
        output_tokens: signed(output),
        ..Usage::default()
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The messages as the sandbox reads them, without keeping them.
#[derive(Debug, Default)]
pub(crate) struct SandboxPrompt {
    /// How many words there are in all of them: what white space separates.
    pub(crate) words: u64,
    /// The text of the last user message.
    pub(crate) echo: String,
}

impl SandboxPrompt {
    /// Reads messages; nothing where they are no messages.
    fn read(messages: &str) -> Self {
        serde_json::from_str(messages).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for SandboxPrompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PromptVisitor)
    }
}

struct PromptVisitor;

impl<'de> Visitor<'de> for PromptVisitor {
    type Value = SandboxPrompt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut messages: A) -> Result<SandboxPrompt, A::Error> {
        let mut prompt = SandboxPrompt::default();
        while let Some(SandboxMessage { role, content }) = messages.next_element()? {
            prompt.words += content.0.split_whitespace().count() as u64;
            if role == "user" {
                prompt.echo = content.0;
            }
        }
        Ok(prompt)
    }
}

#[derive(Deserialize)]
struct SandboxMessage {
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: SandboxText,
}

/// The text of a message: a string, nothing, or parts of which some have a text.
#[derive(Default)]
struct SandboxText(String);

#[derive(Deserialize)]
struct SandboxPart {
    #[serde(default)]
    text: Option<String>,
}

impl<'de> Deserialize<'de> for SandboxText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = SandboxText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, null or a list of parts")
    }

    fn visit_unit<E>(self) -> Result<SandboxText, E> {
        Ok(SandboxText::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<SandboxText, E> {
        Ok(SandboxText(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<SandboxText, A::Error> {
        let mut all = String::new();
        while let Some(SandboxPart { text }) = parts.next_element()? {
            let Some(text) = text else { continue };
            if !all.is_empty() {
                all.push(' ');
            }
            all.push_str(&text);
        }
        Ok(SandboxText(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt<'a>(model: &'a str, messages: &'a str) -> Prompt<'a> {
        Prompt {
            body_bytes: 300,
            messages,
            upstream_model: model,
            max_output_tokens: None,
            model_output_tokens: 0,
            model_context_tokens: 0,
            choices: 1,
        }
    }

    #[test]
    fn bytes_are_counted_on_the_safe_side() {
        let base = prompt("m", "[]");
        assert_eq!(most(Counting::Bytes, &base), usage(100, 1024));
        let asked = Prompt {
            max_output_tokens: Some(5000),
            model_output_tokens: 4096,
            ..base
        };
        assert_eq!(most(Counting::Bytes, &asked), usage(100, 4096));
        let image = Prompt {
            body_bytes: 9_000_000,
            model_context_tokens: 128_000,
            ..base
        };
        assert_eq!(most(Counting::Bytes, &image), usage(128_000, 1024));
        let many = Prompt {
            max_output_tokens: Some(10),
            choices: 3,
            ..base
        };
        assert_eq!(most(Counting::Bytes, &many), usage(100, 30));
    }

    #[test]
    fn the_sandbox_is_foreseen_to_the_word() {
        let messages = r#"[{"role":"system","content":"be brief"},
            {"role":"user","content":[{"type":"text","text":"one  two"},{"type":"image"}]},
            {"role":"assistant","content":null}]"#;
        assert_eq!(
            most(Counting::Words, &prompt("echo", messages)),
            usage(4, 2)
        );
        assert_eq!(
            most(Counting::Words, &prompt("lorem", messages)),
            usage(4, 64)
        );
        let asked = Prompt {
            max_output_tokens: Some(7),
            ..prompt("lorem", messages)
        };
        assert_eq!(most(Counting::Words, &asked), usage(4, 7));
    }

    #[test]
    fn what_was_delivered_is_charged_and_no_more() {
        let base = prompt("m", "[]");
        assert_eq!(delivered(Counting::Bytes, &base, 0, 0), usage(75, 0));
        assert_eq!(delivered(Counting::Bytes, &base, 9, 3), usage(75, 3));
        let echo = prompt("echo", r#"[{"role":"user","content":"a b c"}]"#);
        assert_eq!(delivered(Counting::Words, &echo, 99, 2), usage(3, 2));
    }
}
