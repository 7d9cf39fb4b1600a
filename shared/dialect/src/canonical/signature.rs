//! Signatures of thoughts: opaque, and of worth only to the provider that made them.

use serde::{Deserialize, Serialize};

/// Who made a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Anthropic: the signature of a thinking block.
    Anthropic,
    /// Google: a thought signature.
    Google,
    /// OpenAI and those who do as it does: encrypted reasoning.
    OpenAi,
}

/// The mark of a signature whose thoughts are hidden.
const HIDDEN: &str = "hidden#";

/// What proves thoughts to the provider that had them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Who made it.
    pub origin: Origin,
    /// As its maker wrote it.
    pub value: String,
}

impl Origin {
    const ALL: [Self; 3] = [Self::Anthropic, Self::Google, Self::OpenAi];

    /// The mark of a signature that travels in another maker's form. No alphabet of base64 has `#`.
    fn mark(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic#",
            Self::Google => "google#",
            Self::OpenAi => "openai#",
        }
    }

    /// What OpenRouter calls the format of its reasoning details.
    pub(crate) fn format(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic-claude-v1",
            Self::Google => "google-gemini-v1",
            Self::OpenAi => "openai-responses-v1",
        }
    }

    /// The inverse; what is not known is taken for OpenAI's kind.
    pub(crate) fn of_format(format: &str) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|origin| origin.format() == format);
        known.unwrap_or(Self::OpenAi)
    }
}

impl Signature {
    /// Reads a signature out of a form whose own signatures are of `native`: those of others have a
    /// mark there, so that they find back to their maker and never to anybody else.
    pub fn read(native: Origin, text: String) -> Self {
        let foreign = Origin::ALL.into_iter().find_map(|origin| {
            let value = text.strip_prefix(origin.mark())?.to_owned();
            Some(Self { origin, value })
        });
        foreign.unwrap_or(Self {
            origin: native,
            value: text,
        })
    }

    /// The inverse of [`Signature::read`].
    pub fn write(&self, native: Origin) -> String {
        if self.origin == native {
            self.value.clone()
        } else {
            format!("{}{}", self.origin.mark(), self.value)
        }
    }

    /// The same with a mark that its thoughts are hidden, for forms that cannot say so.
    #[must_use]
    pub(crate) fn hide(mut self, hidden: bool) -> Self {
        if hidden {
            self.value.insert_str(0, HIDDEN);
        }
        self
    }

    /// Takes that mark away; says whether it was there.
    pub(crate) fn reveal(mut self) -> (Self, bool) {
        let hidden = self.value.starts_with(HIDDEN);
        if hidden {
            self.value.drain(..HIDDEN.len());
        }
        (self, hidden)
    }

    /// As its maker wrote it, if that is `origin`.
    pub fn for_maker(&self, origin: Origin) -> Option<&str> {
        (self.origin == origin).then_some(self.value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_finds_back_to_its_maker_through_any_form() {
        for maker in Origin::ALL {
            let signature = Signature {
                origin: maker,
                value: "EqkE+/=".to_owned(),
            };
            for form in Origin::ALL {
                assert_eq!(Signature::read(form, signature.write(form)), signature);
            }
        }
    }
}
