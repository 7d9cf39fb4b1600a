//! What of a request goes along although its body is translated: OpenRouter's own members, which stand
//! beside the conversation in every form, and which no translator knows.

use bytes::Bytes;

use super::members::Member;
use super::{ModelRequest, Splice, UpstreamBody};

impl Splice<'_> {
    /// What must change for a translator, which asks for usage by itself.
    #[must_use]
    pub(crate) fn for_translation(self) -> Self {
        Self {
            keep_models: false,
            keep_provider: false,
            force_usage: false,
            ..self
        }
    }
}

impl ModelRequest {
    /// A translated body, an object with something in it, and what is to stay in of the request's own.
    pub(crate) fn carried(&self, body: Vec<u8>, splice: &Splice<'_>) -> UpstreamBody {
        let body = Bytes::from(body);
        if !body.starts_with(b"{\"") {
            return UpstreamBody::new(vec![body]);
        }
        let kept = [
            (Member::Models, splice.keep_models),
            (Member::Provider, splice.keep_provider),
        ];
        let kept = kept.into_iter().filter(|(_, is_kept)| *is_kept);
        let members = kept.filter_map(|(member, _)| {
            let value = self.raw(member)?;
            Some(Bytes::from(format!("\"{}\":{value},", member.name())))
        });
        let opening = std::iter::once(body.slice(..1)).chain(members);
        UpstreamBody::new(opening.chain([body.slice(1..)]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Arrived;
    use super::*;
    use crate::domain::form::Form;

    #[test]
    fn what_is_for_openrouter_goes_along_as_it_was_written() {
        let given = r#"{"model":"m","max_tokens":9,"messages":[{}], "provider": {"zdr" : true}, "models":["m","n"]}"#;
        let arrived = Arrived {
            form: Form::Messages,
            body: given.into(),
            ..Arrived::default()
        };
        let request = ModelRequest::parse(arrived).unwrap();
        let splice = |keep_models, keep_provider| Splice {
            upstream_model: "m",
            keep_models,
            keep_provider,
            force_usage: true,
        };
        let to_translate = request
            .splice(&splice(true, true).for_translation())
            .unwrap();
        let expect = r#"{"model":"m","max_tokens":9,"messages":[{}]}"#;
        assert_eq!(to_translate.to_bytes(), expect);
        for (keep_models, keep_provider, expect) in [
            (false, false, r#"{"model":"m"}"#),
            (false, true, r#"{"provider":{"zdr" : true},"model":"m"}"#),
            (
                true,
                true,
                r#"{"models":["m","n"],"provider":{"zdr" : true},"model":"m"}"#,
            ),
        ] {
            let translated = br#"{"model":"m"}"#.to_vec();
            let sent = request.carried(translated, &splice(keep_models, keep_provider));
            assert_eq!(sent.to_bytes(), expect);
        }
    }
}
