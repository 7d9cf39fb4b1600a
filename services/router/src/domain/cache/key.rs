//! What an answer is found by: everything that it depends on, and whose it is.

use zeroize::Zeroizing;

use super::canonical;
use crate::domain::derived::Root;
use crate::domain::form::Form as CallForm;
use crate::domain::request::ModelRequest;

/// Longer requests are documents, which seldom come twice, and cost more to read than they save.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// In which form an answer comes. Each is stored by itself, so that it comes again byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON body.
    Plain,
    /// Events, with or without the chunk that tells the usage.
    Stream {
        /// Whether the usage is told.
        with_usage: bool,
    },
    /// A typed conversation's, in one piece or as events.
    Typed {
        /// Whether it comes as events.
        streamed: bool,
    },
}

impl Form {
    /// The form of the answer to a request; `None` where such answers are not stored.
    pub(crate) fn of(request: &ModelRequest) -> Option<Self> {
        let streamed = request.is_stream();
        Some(match (request.form(), streamed) {
            (CallForm::Chat, false) => Self::Plain,
            (CallForm::Chat, true) => Self::Stream {
                with_usage: request.asks_usage(),
            },
            (CallForm::TypedChat, _) => Self::Typed { streamed },
            _ => return None,
        })
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Stream { with_usage: false } => 1,
            Self::Stream { with_usage: true } => 2,
            Self::Typed { streamed: false } => 3,
            Self::Typed { streamed: true } => 4,
        }
    }
}

/// By what an answer lies in a store.
pub type Name = [u8; 32];

/// What is derived from a request. Whoever has the name has not the request, and cannot open what is
/// sealed for it.
pub struct Key {
    /// Whose request it is.
    pub tenant: String,
    /// By what the answer lies in a store.
    pub name: Name,
    /// What it is sealed under outside of this process.
    pub seal: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl Key {
    /// The key of a tenant's request for a model by its id. `None` where the request is too large, or
    /// has no canonical form.
    pub fn of(tenant: &str, model: &str, form: Form, body: &str) -> Option<Self> {
        if body.len() > REQUEST_BYTES_MAX {
            return None;
        }
        let request = canonical::request(body)?;
        let root = Root::of(&[
            b"keyward answer 2",
            &[form.byte()],
            tenant.as_bytes(),
            model.as_bytes(),
            request.as_bytes(),
        ]);
        Some(Self {
            tenant: tenant.to_owned(),
            name: *root.derive("name"),
            seal: root.derive("seal"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"messages":["a"]}"#;

    fn key(tenant: &str, model: &str, form: Form, body: &str) -> Key {
        Key::of(tenant, model, form, body).unwrap()
    }

    #[test]
    fn everything_that_an_answer_depends_on_changes_the_key() {
        let plain = key("users/a", "m", Form::Plain, BODY);
        let again = key("users/a", "m", Form::Plain, "{ \"messages\": [\"a\"] }");
        assert_eq!(plain.name, again.name);
        assert_eq!(plain.seal, again.seal);
        assert_ne!(plain.name, *plain.seal);
        let stream = |with_usage| Form::Stream { with_usage };
        for other in [
            key("users/b", "m", Form::Plain, BODY),
            // Where one part ends matters.
            key("users/am", "", Form::Plain, BODY),
            key("users/a", "n", Form::Plain, BODY),
            key("users/a", "m", stream(false), BODY),
            key("users/a", "m", stream(true), BODY),
            key("users/a", "m", Form::Typed { streamed: false }, BODY),
            key("users/a", "m", Form::Typed { streamed: true }, BODY),
            key("users/a", "m", Form::Plain, r#"{"messages":["b"]}"#),
        ] {
            assert_ne!(plain.name, other.name);
            assert_ne!(plain.seal, other.seal);
        }
    }

    #[test]
    fn what_is_too_large_has_no_key() {
        let body = format!("{{\"messages\":[\"{}\"]}}", "a".repeat(REQUEST_BYTES_MAX));
        assert!(Key::of("users/a", "m", Form::Plain, &body).is_none());
    }
}
