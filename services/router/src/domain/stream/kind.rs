//! What the events of a form's streams say, as far as serving them needs to know. Most are only
//! scanned: what is not in them needs no parsing.

mod gemini;
mod messages;
mod typed;

use memchr::memmem;

use super::event::{self, Chunk};
use crate::domain::form::{Form, Language};

/// How the events of a stream are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// OpenAI's chunks of choices, up to a `[DONE]`.
    Chunks,
    /// OpenAI's newer events, each of which names its type.
    Typed,
    /// Anthropic's, up to a `message_stop`.
    Messages,
    /// Gemini's, each like a whole answer.
    Gemini,
}

/// What may be in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glance {
    /// A report of usage.
    pub(super) usage: bool,
    /// An error.
    pub(super) error: bool,
    /// The finish of an answer.
    pub(super) finish: bool,
}

/// What an event says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The error that it reports, as JSON.
    pub(super) error: Option<String>,
    /// Whether it has anything of an answer in it, so that nobody else may give one.
    pub(super) commits: bool,
    /// Whether the answer is whole with it.
    pub(super) finishes: bool,
    /// Whether it is there for the usage alone.
    pub(super) is_extra: bool,
}

impl Kind {
    pub(super) fn of(form: Form) -> Self {
        match (form, form.language()) {
            (Form::Chat | Form::Completions, _) | (_, Language::Keyward) => Self::Chunks,
            (_, Language::OpenAi) => Self::Typed,
            (_, Language::Anthropic) => Self::Messages,
            (_, Language::Google) => Self::Gemini,
        }
    }

    /// Whether an event is the last there is.
    pub(super) fn ends(self, data: &[u8]) -> bool {
        match self {
            Self::Messages => messages::ends(data),
            _ => event::is_done(data),
        }
    }

    /// Whether the event that finishes an answer is held until the charge is known, because it is
    /// mostly the last, and nothing says so.
    pub(super) fn holds_the_finish(self) -> bool {
        matches!(self, Self::Typed | Self::Gemini)
    }

    /// Whether who reports usage has begun to answer. Anthropic's first report comes before all that.
    pub(super) fn commits_by_usage(self) -> bool {
        self != Self::Messages
    }

    pub(super) fn glance(self, data: &[u8]) -> Glance {
        let has = |text: &[u8]| memmem::find(data, text).is_some();
        match self {
            Self::Chunks => Glance {
                usage: event::names_usage(data),
                error: has(b"\"error\""),
                finish: has(b"\"finish_reason\""),
            },
            Self::Typed => Glance {
                usage: event::names_usage(data),
                error: has(b"\"error\"") || has(b"response.failed"),
                finish: typed::ENDINGS.iter().any(|name| has(name.as_bytes())),
            },
            Self::Messages => Glance {
                usage: event::names_usage(data),
                error: has(b"\"error\""),
                finish: false,
            },
            Self::Gemini => Glance {
                usage: has(b"\"usageMetadata\""),
                error: has(b"\"error\""),
                finish: has(b"\"finishReason\"") || has(b"\"blockReason\""),
            },
        }
    }

    /// What an event says; `None` where it cannot be read.
    pub(super) fn read(self, data: &[u8]) -> Option<Told> {
        match self {
            Self::Chunks => Chunk::read(data).map(|chunk| Told {
                error: chunk.error().map(str::to_owned),
                commits: chunk.commits(),
                finishes: chunk.finishes(),
                is_extra: chunk.has_no_choices(),
            }),
            Self::Typed => typed::read(data),
            Self::Messages => messages::read(data),
            Self::Gemini => gemini::read(data),
        }
    }
}

/// The members of events whose texts are what is delivered.
pub(super) fn texts(form: Form) -> &'static [&'static [u8]] {
    match (form, Kind::of(form)) {
        (Form::Completions, _) | (_, Kind::Gemini) => &[b"\"text\":"],
        (_, Kind::Chunks) => &[
            b"\"content\":",
            b"\"reasoning_content\":",
            b"\"reasoning\":",
            b"\"arguments\":",
        ],
        (_, Kind::Typed) => &[b"\"delta\":"],
        (_, Kind::Messages) => &[b"\"text\":", b"\"thinking\":", b"\"partial_json\":"],
    }
}

/// The same of whole answers, which may have other names for them.
pub(super) fn answer_texts(form: Form) -> &'static [&'static [u8]] {
    match Kind::of(form) {
        Kind::Typed => &[b"\"text\":", b"\"arguments\":"],
        _ => texts(form),
    }
}

#[cfg(test)]
mod tests;
