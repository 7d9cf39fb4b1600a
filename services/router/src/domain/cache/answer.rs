//! What is kept of an answer: enough to give it again, and to say what it saved.

use bytes::Bytes;
use keyward_money::Nanos;
use keyward_proto::metering::v1::{KeySource, Usage};

use super::ANSWER_BYTES_MAX;
use crate::domain::plan::Candidate;
use crate::domain::{metadata, stream};

/// An answer. In another store than this process it lies as this message, sealed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StoredAnswer {
    /// The model by its id in the catalogue.
    #[prost(string, tag = "1")]
    pub model: String,
    /// Who made it.
    #[prost(string, tag = "2")]
    pub provider: String,
    /// The model's name there.
    #[prost(string, tag = "3")]
    pub upstream_model: String,
    /// Whose key it was made with.
    #[prost(enumeration = "KeySource", tag = "4")]
    pub source: i32,
    /// Of which type the body is.
    #[prost(string, tag = "5")]
    pub content_type: String,
    /// What it used when it was made.
    #[prost(message, optional, tag = "6")]
    pub usage: Option<Usage>,
    /// Where that was known from.
    #[prost(int32, tag = "7")]
    pub usage_source: i32,
    /// The service tier that it was made in.
    #[prost(string, tag = "8")]
    pub service_tier: String,
    /// The body; of a stream what comes before its last events.
    #[prost(bytes = "bytes", tag = "9")]
    pub body: Bytes,
    /// The chunk of a stream that tells its usage, where the caller asked for one.
    #[prost(bytes = "bytes", optional, tag = "10")]
    pub usage_chunk: Option<Bytes>,
    /// The event that ends a stream.
    #[prost(bytes = "bytes", optional, tag = "11")]
    pub done_event: Option<Bytes>,
    /// Whether it is a stream.
    #[prost(bool, tag = "12")]
    pub streamed: bool,
    /// The request that it was made for, where it is an answer to that one alone.
    #[prost(string, tag = "13")]
    pub inference_id: String,
    /// The address that its key brought; empty for the provider's own.
    #[prost(string, tag = "14")]
    pub base_url: String,
    /// Settings of its request that were left out.
    #[prost(string, repeated, tag = "15")]
    pub dropped: Vec<String>,
}

impl StoredAnswer {
    /// Whether it is small enough to be stored.
    pub fn fits(&self) -> bool {
        let parts = [
            Some(&self.body),
            self.usage_chunk.as_ref(),
            self.done_event.as_ref(),
        ];
        let bytes: usize = parts.into_iter().flatten().map(Bytes::len).sum();
        bytes <= ANSWER_BYTES_MAX
    }

    /// Whether it was made with an own key.
    pub fn is_own(&self) -> bool {
        self.source() != KeySource::System
    }

    /// Whether this candidate might have made it: the same model from the same place. Whoever runs a
    /// server of its own answers nobody who would not have gone there.
    pub(crate) fn is_from(&self, candidate: &Candidate) -> bool {
        let address = candidate.base_url().unwrap_or_default();
        *candidate.provider == *self.provider
            && *candidate.model == *self.model
            && address == self.base_url
    }

    /// What the caller gets, which costs nothing this time.
    pub fn pieces(&self, body_metadata: bool) -> Vec<Bytes> {
        let free = Nanos::ZERO;
        let with_metadata = |json: Bytes| match body_metadata {
            true => metadata::into_json(json, self.is_own(), &self.provider, free),
            false => vec![json],
        };
        if !self.streamed {
            return with_metadata(self.body.clone());
        }
        let mut pieces = vec![self.body.clone()];
        pieces.extend(self.usage_chunk.clone().into_iter().flat_map(with_metadata));
        pieces.push(stream::charge_comment(free));
        pieces.extend(self.done_event.clone());
        pieces
    }
}
