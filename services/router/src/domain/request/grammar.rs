//! Where the bodies of each form have what routing acts upon, as data.

use super::RequestError;
use super::members::{Member, Members};
use crate::domain::form::Form;

/// What the model reads above all, and what is wrong with a body that lacks it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Prompt {
    /// A list with something in it.
    List(Member),
    /// Whatever it is, it has to be there.
    Given(Member),
    /// It may be absent: something else may stand for it, which the provider knows.
    Optional(Member),
}

/// Where a form's body has what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grammar {
    /// What the model reads above all.
    pub(super) prompt: Prompt,
    /// What else it reads.
    pub(super) definitions: &'static [Member],
    /// What bounds the length of an answer; the first that is given counts.
    pub(super) bounds: &'static [Member],
    /// What else routing looks at.
    others: &'static [Member],
}

/// What every form may have.
const COMMON: [Member; 6] = [
    Member::Model,
    Member::Stream,
    Member::InlineKey,
    Member::DropParams,
    Member::Models,
    Member::Provider,
];

const CHAT: Grammar = Grammar {
    prompt: Prompt::List(Member::Messages),
    definitions: &[Member::Tools, Member::Functions, Member::ResponseFormat],
    bounds: &[Member::MaxCompletionTokens, Member::MaxTokens],
    others: &[
        Member::StreamOptions,
        Member::Choices,
        Member::ServiceTier,
        Member::Modalities,
        Member::Reasoning,
        Member::ReasoningEffort,
    ],
};

const COMPLETIONS: Grammar = Grammar {
    prompt: Prompt::Optional(Member::Prompt),
    definitions: &[],
    bounds: &[Member::MaxTokens],
    others: &[Member::StreamOptions, Member::Choices],
};

const RESPONSES: Grammar = Grammar {
    prompt: Prompt::Optional(Member::Input),
    definitions: &[Member::Instructions, Member::Tools, Member::Text],
    bounds: &[Member::MaxOutputTokens],
    others: &[Member::ServiceTier, Member::Reasoning],
};

const MESSAGES: Grammar = Grammar {
    prompt: Prompt::List(Member::Messages),
    definitions: &[Member::System, Member::Tools],
    bounds: &[Member::MaxTokens],
    others: &[Member::Thinking],
};

const CONTENTS: Grammar = Grammar {
    prompt: Prompt::Given(Member::Contents),
    definitions: &[Member::SystemInstruction, Member::Tools],
    bounds: &[],
    others: &[Member::GenerationConfig],
};

const IMAGES: Grammar = Grammar {
    prompt: Prompt::Given(Member::Prompt),
    definitions: &[],
    bounds: &[],
    others: &[Member::Choices, Member::Size, Member::Quality],
};

/// A form that has its prompt in one place and nothing besides.
const fn only(prompt: Prompt) -> Grammar {
    Grammar {
        prompt,
        definitions: &[],
        bounds: &[],
        others: &[],
    }
}

impl Grammar {
    pub(super) const fn of(form: Form) -> Self {
        match form {
            Form::Chat | Form::TypedChat => CHAT,
            Form::Completions => COMPLETIONS,
            Form::Responses => RESPONSES,
            Form::Embeddings | Form::Moderations => only(Prompt::Given(Member::Input)),
            Form::ImageGenerations | Form::ImageEdits | Form::Predict | Form::GenerateImages => {
                IMAGES
            }
            Form::ImageVariations => Grammar {
                prompt: Prompt::Optional(Member::Prompt),
                ..IMAGES
            },
            Form::Speech => Grammar {
                others: &[Member::StreamFormat],
                ..only(Prompt::Given(Member::Input))
            },
            Form::Transcriptions | Form::Translations => only(Prompt::Optional(Member::Prompt)),
            Form::Messages | Form::MessageTokens => MESSAGES,
            Form::GenerateContent | Form::StreamGenerateContent => CONTENTS,
            Form::CountTokens => Grammar {
                prompt: Prompt::Optional(Member::Contents),
                others: &[Member::GenerationConfig, Member::GenerateContentRequest],
                ..CONTENTS
            },
            Form::EmbedContent => only(Prompt::Given(Member::Content)),
            Form::BatchEmbedContents => only(Prompt::List(Member::Requests)),
        }
    }

    /// Whether routing acts upon a member of this form's bodies. Others may be whatever they are.
    pub(super) fn knows(&self, member: Member) -> bool {
        COMMON.contains(&member)
            || self.prompt.member() == member
            || self.definitions.contains(&member)
            || self.bounds.contains(&member)
            || self.others.contains(&member)
    }
}

impl Prompt {
    pub(super) const fn member(self) -> Member {
        match self {
            Self::List(member) | Self::Given(member) | Self::Optional(member) => member,
        }
    }

    /// Whether it is there as it has to be.
    pub(super) fn check(self, members: &Members, text: &str) -> Result<(), RequestError> {
        let name = self.member().name();
        let wrong = |what: &str| Err(RequestError::new(Some(name), format!("`{name}` {what}")));
        let raw = match (self, members.raw(self.member(), text)) {
            (Self::Optional(_), _) => return Ok(()),
            (_, None) => return wrong("is missing"),
            (_, Some(raw)) => raw,
        };
        match self {
            Self::List(_) if !raw.starts_with('[') => wrong("must be an array"),
            Self::List(_) if raw[1..].trim_start().starts_with(']') => wrong("must not be empty"),
            Self::Given(_) if raw == "null" => wrong("must not be null"),
            _ => Ok(()),
        }
    }
}
