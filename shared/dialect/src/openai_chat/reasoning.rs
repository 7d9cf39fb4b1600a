//! Thoughts: `reasoning_content` or `reasoning` as text, and OpenRouter's `reasoning_details` with
//! signatures. In this form they stand beside the answer, not in it.

use serde::Deserialize;
use serde_json::Value;

use crate::canonical::{Content, Origin, Part, Signature};
use crate::json::Object;

/// One of OpenRouter's reasoning details.
#[derive(Debug, Deserialize)]
pub(super) struct Detail {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
    summary: Option<String>,
    data: Option<String>,
    signature: Option<String>,
    format: Option<String>,
    index: Option<u64>,
}

impl Detail {
    /// What it is in the model; `None` where it says nothing.
    pub(super) fn part(self) -> Option<Part> {
        let origin = Origin::of_format(self.format.as_deref().unwrap_or_default());
        let signed = |value: Option<String>| {
            let value = value.filter(|value| !value.is_empty())?;
            Some(Signature { origin, value })
        };
        let encrypted = self.kind.as_deref() == Some("reasoning.encrypted");
        let signature = signed(if encrypted { self.data } else { self.signature });
        let text = self.text.or(self.summary).unwrap_or_default();
        let says = signature.is_some() || !text.is_empty();
        says.then(|| {
            Part::new(Content::Reasoning {
                text,
                signature,
                redacted: encrypted && origin == Origin::Anthropic,
            })
        })
    }
}

/// Reads thoughts: the details where there are any, else the text.
pub(super) fn read(details: Option<Vec<Detail>>, text: Option<String>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut last = None;
    for detail in details.unwrap_or_default() {
        let index = detail.index;
        let joins = index.is_some() && index == last;
        last = index;
        let Some(part) = detail.part() else { continue };
        match parts.last_mut() {
            Some(before) if joins => join(before, part),
            _ => parts.push(part),
        }
    }
    if parts.is_empty() {
        parts.extend(text.filter(|text| !text.is_empty()).map(Part::reasoning));
    }
    parts
}

/// Joins a piece of a detail to what came of it before: whoever gathers a stream may leave them apart.
fn join(before: &mut Part, part: Part) {
    if let (
        Content::Reasoning {
            text, signature, ..
        },
        Content::Reasoning {
            text: more,
            signature: signed,
            ..
        },
    ) = (&mut before.content, part.content)
    {
        text.push_str(&more);
        *signature = signed.or(signature.take());
    }
}

/// Writes thoughts as a detail, by its place among the details.
pub(super) fn detail(
    text: &str,
    signature: Option<&Signature>,
    redacted: bool,
    index: usize,
) -> Value {
    let format = signature.map_or("unknown", |signature| signature.origin.format());
    let value = signature.map(|signature| signature.value.clone());
    let foreign = signature.is_some_and(|signature| signature.origin != Origin::Anthropic);
    let detail = if redacted || (text.is_empty() && foreign) {
        Object::typed("reasoning.encrypted").maybe("data", value)
    } else {
        Object::typed("reasoning.text")
            .with("text", text)
            .maybe("signature", value)
    };
    detail.with("format", format).with("index", index).into()
}
