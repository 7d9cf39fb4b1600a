//! What a request asks for and the target lacks: refused by the member's name, or dropped where the
//! caller allows that. Only settings are ever dropped; the conversation is carried whole or not at all.

use crate::form::{Feature, Form};
use crate::refusal::Refusal;

/// Takes down what cannot be carried over.
#[derive(Debug)]
pub(crate) struct Gaps {
    from: Form,
    to: Form,
    drop: bool,
    dropped: Vec<String>,
}

impl Gaps {
    pub(crate) fn new(from: Form, to: Form, drop: bool) -> Self {
        Self {
            from,
            to,
            drop,
            dropped: Vec::new(),
        }
    }

    /// The target lacks a feature that is asked for.
    pub(crate) fn lacks(&mut self, feature: Feature) -> Result<(), Refusal> {
        self.member(self.from.member(feature))
    }

    /// The same where `asked` for.
    pub(crate) fn lacks_if(&mut self, asked: bool, feature: Feature) -> Result<(), Refusal> {
        if asked { self.lacks(feature) } else { Ok(()) }
    }

    /// A member of the caller's request has nothing that it could become.
    pub(crate) fn member(&mut self, name: &str) -> Result<(), Refusal> {
        if !self.drop {
            return Err(self.unsupported(name, &format!("`{name}`")));
        }
        if !self.dropped.iter().any(|known| known == name) {
            self.dropped.push(name.to_owned());
        }
        Ok(())
    }

    /// Members that the form's own type does not know: harmless ones pass, as do notes on the
    /// conversation.
    pub(crate) fn unknown(
        &mut self,
        paths: &[String],
        harmless: &[&str],
        notes: &[&str],
    ) -> Result<(), Refusal> {
        let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
        let passes = |path: &str| harmless.contains(&path) || notes.contains(&first(path).as_str());
        let mut unknown = paths.iter().filter(|path| !passes(path));
        unknown.try_for_each(|path| self.member(path))
    }

    /// The conversation has something that the target has not.
    pub(crate) fn content(&self, what: &str) -> Refusal {
        self.unsupported(self.from.conversation(), what)
    }

    pub(crate) fn into_dropped(self) -> Vec<String> {
        self.dropped
    }

    fn unsupported(&self, param: &str, what: &str) -> Refusal {
        let model = self.to.name();
        Refusal::Unsupported {
            param: param.to_owned(),
            message: format!("{what} cannot be expressed in {model}, which the model speaks"),
        }
    }
}
