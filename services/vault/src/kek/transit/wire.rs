//! The JSON of the transit API, as far as it is used.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::domain::envelope::OpenError;

/// A batch, as it is sent.
#[derive(Serialize)]
pub(super) struct Batch<'a> {
    pub(super) batch_input: &'a [&'a Item<'a>],
}

/// One of a batch.
#[derive(Serialize)]
pub(super) struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<Encoded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext: Option<Cow<'a, str>>,
    associated_data: String,
}

/// Base64 of a secret; overwritten when dropped.
struct Encoded(Zeroizing<String>);

impl Serialize for Encoded {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'a> Item<'a> {
    /// Something to wrap.
    pub(super) fn plaintext(bytes: &[u8], aad: &[u8]) -> Self {
        Self {
            plaintext: Some(Encoded(Zeroizing::new(STANDARD.encode(bytes)))),
            ciphertext: None,
            associated_data: STANDARD.encode(aad),
        }
    }

    /// Something that was wrapped.
    pub(super) fn ciphertext(text: &'a str, aad: &[u8]) -> Self {
        Self {
            plaintext: None,
            ciphertext: Some(text.into()),
            associated_data: STANDARD.encode(aad),
        }
    }
}

/// An answer.
#[derive(Deserialize)]
pub(super) struct Answer<T> {
    pub(super) data: T,
}

/// The answers to a batch, in its order.
#[derive(Deserialize)]
pub(super) struct BatchResults {
    pub(super) batch_results: Vec<ResultItem>,
}

/// The answer to one of a batch. What a plain text it has is overwritten when dropped.
#[derive(Deserialize)]
pub(super) struct ResultItem {
    pub(super) ciphertext: Option<String>,
    plaintext: Option<String>,
    error: Option<String>,
}

impl ResultItem {
    /// The plain text, if it opened.
    pub(super) fn opened(&self) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if self.error.as_ref().is_some_and(|error| !error.is_empty()) {
            return Err(OpenError::NotAuthentic);
        }
        let text = self.plaintext.as_ref().ok_or(OpenError::NotAuthentic)?;
        let bytes = STANDARD.decode(text).map_err(|_| OpenError::NotAuthentic);
        bytes.map(Zeroizing::new)
    }
}

impl Drop for ResultItem {
    fn drop(&mut self) {
        self.plaintext.zeroize();
    }
}

/// What the server says of a key.
#[derive(Deserialize)]
pub(super) struct KeyFacts {
    /// Its type.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Whether each use derives a key of its own.
    #[serde(default)]
    pub(super) derived: bool,
}
