//! The body as a provider shall see it: the caller's bytes with a few places replaced, in segments
//! that share the caller's buffer, so that nothing but the changes is copied.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http_body::{Frame, SizeHint};

use super::grammar::Grammar;
use super::members::{self, Member};
use super::parts::Parts;
use super::{ModelRequest, RequestError};
use crate::domain::form::Language;

/// What must change for a candidate.
#[derive(Debug, Clone, Copy)]
pub struct Splice<'a> {
    /// The model's name at the provider.
    pub upstream_model: &'a str,
    /// Whether OpenRouter's `models` stays in.
    pub keep_models: bool,
    /// Whether OpenRouter's `provider` stays in.
    pub keep_provider: bool,
    /// Whether usage is to be asked for in streams: some providers refuse the member.
    pub force_usage: bool,
}

struct Edit {
    range: Range<usize>,
    with: Bytes,
}

impl ModelRequest {
    /// Makes the body for a candidate. Unknown members, and the order and spelling of all others,
    /// stay as the caller wrote them.
    pub fn splice(&self, splice: &Splice<'_>) -> Result<UpstreamBody, RequestError> {
        if let Some(parts) = &self.parts {
            return Ok(self.apply(edits_of_parts(parts, splice)));
        }
        let mut edits = Vec::with_capacity(4);
        let mut unwanted = vec![Member::InlineKey, Member::DropParams];
        unwanted.extend((!splice.keep_models).then_some(Member::Models));
        unwanted.extend((!splice.keep_provider).then_some(Member::Provider));
        self.edit_model(splice.upstream_model, &unwanted, &mut edits);
        self.edit_inner_models(splice.upstream_model, &mut edits)?;
        let cut = |range| Edit {
            range,
            with: Bytes::new(),
        };
        edits.extend(self.members.removals(&unwanted).into_iter().map(cut));
        if self.stream && !self.asks_usage() && splice.force_usage {
            self.edit_stream_options(&mut edits)?;
        }
        Ok(self.apply(edits))
    }

    fn edit_model(&self, upstream_model: &str, unwanted: &[Member], edits: &mut Vec<Edit>) {
        let name = || serde_json::Value::from(upstream_model).to_string();
        let edit = match self.members.span(Member::Model) {
            Some(range) if self.form.language() == Language::Google => Edit {
                range: range.clone(),
                with: resource(upstream_model),
            },
            // It stands in the address.
            None if self.form.language() == Language::Google => return,
            Some(_) if upstream_model == self.model => return,
            Some(range) => Edit {
                range: range.clone(),
                with: name().into(),
            },
            // Where `models` alone names it, or nobody does, it comes first.
            None => {
                let follows = self.members.has_others_than(unwanted);
                let comma = if follows { "," } else { "" };
                Edit {
                    range: self.members.start()..self.members.start(),
                    with: format!("\"model\":{}{comma}", name()).into(),
                }
            }
        };
        edits.push(edit);
    }

    /// Gemini's requests may have others within, each of which names the model again.
    fn edit_inner_models(
        &self,
        upstream_model: &str,
        edits: &mut Vec<Edit>,
    ) -> Result<(), RequestError> {
        for (request, param) in self.inner_requests()? {
            if let Some(model) = members::find(self.text(&request), "model", param)? {
                edits.push(Edit {
                    range: request.start + model.start..request.start + model.end,
                    with: resource(upstream_model),
                });
            }
        }
        Ok(())
    }

    fn inner_requests(&self) -> Result<Vec<(Range<usize>, &'static str)>, RequestError> {
        let mut found = Vec::new();
        if let Some(list) = self.members.span(Member::Requests) {
            let param = Member::Requests.name();
            let elements = members::elements(self.text(list), param)?.into_iter();
            let within = |one: Range<usize>| (list.start + one.start..list.start + one.end, param);
            found.extend(elements.map(within));
        }
        let one = self.members.span(Member::GenerateContentRequest);
        found.extend(one.map(|span| (span.clone(), Member::GenerateContentRequest.name())));
        Ok(found)
    }

    fn edit_stream_options(&self, edits: &mut Vec<Edit>) -> Result<(), RequestError> {
        let Some(span) = self.members.span(Member::StreamOptions) else {
            // Behind a member that is never removed, else in front of all: `stream` is there always.
            let prompt = Grammar::of(self.form).prompt.member();
            let kept = self.members.span(Member::Model);
            let kept = kept.or_else(|| self.members.span(prompt));
            let (at, with): (_, &[u8]) = if let Some(kept) = kept {
                (kept.end, br#","stream_options":{"include_usage":true}"#)
            } else {
                let start = self.members.start();
                (start, br#""stream_options":{"include_usage":true},"#)
            };
            edits.push(Edit {
                range: at..at,
                with: Bytes::from_static(with),
            });
            return Ok(());
        };
        let raw = self.text(span);
        if raw == "null" {
            let with = Bytes::from_static(br#"{"include_usage":true}"#);
            edits.push(Edit {
                range: span.clone(),
                with,
            });
            return Ok(());
        }
        let edit = match members::find(raw, "include_usage", "stream_options")? {
            Some(value) => Edit {
                range: span.start + value.start..span.start + value.end,
                with: Bytes::from_static(b"true"),
            },
            None if raw[1..].trim_start().starts_with('}') => Edit {
                range: span.start + 1..span.start + 1,
                with: Bytes::from_static(br#""include_usage":true"#),
            },
            None => Edit {
                range: span.start + 1..span.start + 1,
                with: Bytes::from_static(br#""include_usage":true,"#),
            },
        };
        edits.push(edit);
        Ok(())
    }

    fn apply(&self, mut edits: Vec<Edit>) -> UpstreamBody {
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut segments = Vec::with_capacity(edits.len() * 2 + 1);
        let mut at = 0;
        for edit in edits {
            // Two members removed from the front overlap in the comma between them.
            if edit.range.start > at {
                segments.push(self.body.slice(at..edit.range.start));
            }
            at = at.max(edit.range.end);
            if !edit.with.is_empty() {
                segments.push(edit.with);
            }
        }
        if at < self.body.len() {
            segments.push(self.body.slice(at..));
        }
        UpstreamBody::new(segments)
    }
}

/// A model as Google's bodies name it, in JSON.
fn resource(upstream_model: &str) -> Bytes {
    let name = upstream_model.strip_prefix("models/");
    let name = format!("models/{}", name.unwrap_or(upstream_model));
    serde_json::Value::from(name).to_string().into()
}

/// The same of a body in parts.
fn edits_of_parts(parts: &Parts, splice: &Splice<'_>) -> Vec<Edit> {
    let mut unwanted = vec![Member::InlineKey, Member::DropParams];
    unwanted.extend((!splice.keep_models).then_some(Member::Models));
    unwanted.extend((!splice.keep_provider).then_some(Member::Provider));
    let cuts = unwanted
        .iter()
        .flat_map(|member| parts.removals(member.name()));
    let mut edits: Vec<Edit> = cuts
        .map(|range| Edit {
            range,
            with: Bytes::new(),
        })
        .collect();
    let name = splice.upstream_model;
    edits.push(match parts.value(Member::Model.name()) {
        Some(range) => Edit {
            range,
            with: Bytes::copy_from_slice(name.as_bytes()),
        },
        None => Edit {
            range: parts.start()..parts.start(),
            with: parts.with(Member::Model.name(), name).into(),
        },
    });
    edits
}

/// A request body of known length in segments. Cloning it copies no bytes.
#[derive(Debug, Clone, Default)]
pub struct UpstreamBody {
    segments: Vec<Bytes>,
    next: usize,
}

impl UpstreamBody {
    /// A body of these segments.
    pub fn new(segments: Vec<Bytes>) -> Self {
        Self { segments, next: 0 }
    }

    /// How many bytes are left to send.
    pub fn remaining(&self) -> usize {
        self.segments[self.next..].iter().map(Bytes::len).sum()
    }

    /// All bytes in one piece; copies only where there is more than one segment.
    pub fn to_bytes(&self) -> Bytes {
        match &self.segments[self.next..] {
            [one] => one.clone(),
            segments => {
                let mut all = bytes::BytesMut::with_capacity(self.remaining());
                for segment in segments {
                    all.extend_from_slice(segment.chunk());
                }
                all.freeze()
            }
        }
    }
}

impl http_body::Body for UpstreamBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let at = self.next;
        let segment = self.segments.get_mut(at).map(std::mem::take);
        self.next += usize::from(segment.is_some());
        Poll::Ready(segment.map(|segment| Ok(Frame::data(segment))))
    }

    fn is_end_stream(&self) -> bool {
        self.next >= self.segments.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining() as u64)
    }
}
