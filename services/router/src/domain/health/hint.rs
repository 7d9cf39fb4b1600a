//! What one router tells the others of keys and providers. A hint only: nobody depends on it, and
//! none of it is believed for longer than what is learnt here.

use serde::{Deserialize, Serialize};

/// The longest that a hint is believed.
const FOR_MS_MAX: u64 = 60 * 60 * 1000;
/// The longest names that are taken in.
const NAME_BYTES_MAX: usize = 512;

/// What was learnt of a key, or of a provider for all keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hint {
    /// Whom it is about.
    pub(crate) about: About,
    /// What.
    pub(crate) learnt: Learnt,
    /// For how long, in milliseconds from when it is heard. Clocks need not agree.
    #[serde(skip)]
    pub(crate) for_ms: u64,
}

/// Whom a hint is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum About {
    /// A version of a key with a model.
    Key {
        /// The key's id.
        id: String,
        /// Its version.
        version: u64,
        /// The model's name at the provider.
        model: String,
    },
    /// A model at a provider's own address, whosever key.
    Provider {
        /// The provider.
        provider: String,
        /// The model's name there.
        model: String,
    },
}

/// What was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Learnt {
    /// The provider limits it.
    Limited,
    /// It lacks the model.
    Absent,
    /// It fails: its breaker is open.
    Failing,
    /// It has no credit left; of the whole key.
    NoCredit,
    /// It was refused; of the whole key.
    Refused,
    /// A test found it well: nothing that was learnt of the key before holds.
    Well,
}

impl Hint {
    /// The name under which it lies for those who start later; a later one takes its place.
    pub(crate) fn name(&self) -> String {
        match &self.about {
            About::Key { id, version, model } => match self.learnt {
                Learnt::NoCredit | Learnt::Refused => format!("{id}/{version}"),
                Learnt::Well if model.is_empty() => format!("{id}/{version}"),
                Learnt::Limited | Learnt::Absent | Learnt::Failing | Learnt::Well => {
                    format!("{id}/{version}/{model}")
                }
            },
            About::Provider { provider, model } => format!("at/{provider}/{model}"),
        }
    }

    /// As it is told.
    pub(crate) fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads one that has so long to live still; none where it is none of ours.
    pub(crate) fn read(text: &str, for_ms: u64) -> Option<Self> {
        let mut hint: Self = serde_json::from_str(text).ok()?;
        hint.for_ms = for_ms.min(FOR_MS_MAX);
        let (name, model) = match &hint.about {
            About::Key { id, model, .. } => (id, model),
            About::Provider { provider, model } => (provider, model),
        };
        let fits = |text: &String| text.len() <= NAME_BYTES_MAX;
        (fits(name) && fits(model)).then_some(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_read_as_it_was_written_and_bounded() {
        for about in [
            About::Key {
                id: "k".into(),
                version: 3,
                model: "m".into(),
            },
            About::Provider {
                provider: "p".into(),
                model: "m".into(),
            },
        ] {
            for learnt in [
                Learnt::Limited,
                Learnt::Absent,
                Learnt::Failing,
                Learnt::NoCredit,
                Learnt::Refused,
                Learnt::Well,
            ] {
                let about = about.clone();
                let hint = Hint {
                    about,
                    learnt,
                    for_ms: 500,
                };
                assert_eq!(Hint::read(&hint.written(), 500), Some(hint.clone()));
                let long = Hint::read(&hint.written(), u64::MAX).unwrap();
                assert_eq!(long.for_ms, FOR_MS_MAX);
            }
        }
    }

    #[test]
    fn what_is_no_hint_is_not_read() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let too_long = format!(
            r#"{{"about":{{"provider":{{"provider":"{long}","model":"m"}}}},"learnt":"failing"}}"#
        );
        for text in ["", "{}", "null", r#"{"learnt":"limited"}"#, &too_long] {
            assert_eq!(Hint::read(text, 1), None, "{text}");
        }
    }
}
