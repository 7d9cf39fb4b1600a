//! A request to the sandbox, whose answer can be foreseen to the word.

use std::fmt;

use keyward_money::Usage;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{signed, usage};
use crate::sandbox::{Behaviour, LOREM_WORDS_DEFAULT, LOREM_WORDS_MAX};

/// What the sandbox will use, by the messages as JSON text.
pub(crate) fn foreseen(messages: &str, behaviour: &str, asked: Option<u64>) -> Usage {
    let prompt = SandboxPrompt::read(messages);
    let output = match Behaviour::of(behaviour) {
        Some(Behaviour::Lorem) => asked.unwrap_or(LOREM_WORDS_DEFAULT).min(LOREM_WORDS_MAX),
        _ => prompt.echo.split_whitespace().count() as u64,
    };
    usage(prompt.words, output)
}

/// What the sandbox has used of it after so many chunks: it sends a word a chunk.
pub(crate) fn delivered(messages: &str, chunks: u64) -> Usage {
    Usage {
        output_tokens: signed(chunks),
        ..usage(SandboxPrompt::read(messages).words, 0)
    }
}

/// What embeddings of an input, as JSON text, will use.
pub(crate) fn foreseen_embeddings(input: &str) -> Usage {
    let texts: Texts = serde_json::from_str(input).unwrap_or_default();
    usage(texts.words(), 0)
}

/// One text, or several.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "OneOrMore")]
pub(crate) struct Texts(pub(crate) Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl From<OneOrMore> for Texts {
    fn from(found: OneOrMore) -> Self {
        match found {
            OneOrMore::One(text) => Self(vec![text]),
            OneOrMore::More(texts) => Self(texts),
        }
    }
}

impl Texts {
    /// How many words there are in all of them.
    pub(crate) fn words(&self) -> u64 {
        let words = self.0.iter().map(|text| text.split_whitespace().count());
        words.sum::<usize>() as u64
    }
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

    #[test]
    fn the_sandbox_is_foreseen_to_the_word() {
        let messages = r#"[{"role":"system","content":"be brief"},
            {"role":"user","content":[{"type":"text","text":"one  two"},{"type":"image"}]},
            {"role":"assistant","content":null}]"#;
        assert_eq!(foreseen(messages, "echo", None), usage(4, 2));
        assert_eq!(foreseen(messages, "lorem", None), usage(4, 64));
        assert_eq!(foreseen(messages, "lorem", Some(7)), usage(4, 7));
        assert_eq!(delivered(messages, 2), usage(4, 2));
    }
}
