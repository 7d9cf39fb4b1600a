//! A token in its parts. That it has them says nothing about whether it is genuine.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use super::{Decoding, IV_BYTES, InvalidToken};

const VERSION: u8 = 0x80;
const TIME_BYTES: usize = 8;
const HEADER_BYTES: usize = 1 + TIME_BYTES + IV_BYTES;
const BLOCK_BYTES: usize = 16;
const MAC_BYTES: usize = 32;

/// The parts of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    bytes: Vec<u8>,
}

impl Token {
    /// Reads a token's text.
    ///
    /// # Errors
    /// [`InvalidToken`] if it is none.
    pub fn decode(text: &[u8], decoding: Decoding) -> Result<Self, InvalidToken> {
        let bytes = decoding.decode(text)?;
        let ciphertext_length = bytes.len().checked_sub(HEADER_BYTES + MAC_BYTES);
        match (bytes.first(), ciphertext_length) {
            (Some(&VERSION), Some(1..)) if bytes.len() % BLOCK_BYTES == SPARE_BYTES => {
                Ok(Self { bytes })
            }
            _ => Err(InvalidToken),
        }
    }

    /// As it is written.
    pub fn encode(&self) -> String {
        URL_SAFE.encode(&self.bytes)
    }

    /// Puts a token together; `sign` makes the HMAC of what is in front of it.
    pub(super) fn signed(
        time: u64,
        iv: [u8; IV_BYTES],
        ciphertext: &[u8],
        sign: impl FnOnce(&[u8]) -> ring::hmac::Tag,
    ) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + ciphertext.len() + MAC_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&time.to_be_bytes());
        bytes.extend_from_slice(&iv);
        bytes.extend_from_slice(ciphertext);
        let mac = sign(&bytes);
        bytes.extend_from_slice(mac.as_ref());
        Self { bytes }
    }

    /// When it was made, as it says itself, in seconds since 1970.
    pub(super) fn time(&self) -> u64 {
        u64::from_be_bytes(self.part(1))
    }

    pub(super) fn iv(&self) -> [u8; IV_BYTES] {
        self.part(1 + TIME_BYTES)
    }

    pub(super) fn ciphertext(&self) -> &[u8] {
        self.signed_part().get(HEADER_BYTES..).unwrap_or_default()
    }

    /// All that the HMAC is over.
    pub(super) fn signed_part(&self) -> &[u8] {
        self.split().0
    }

    pub(super) fn mac(&self) -> &[u8] {
        self.split().1
    }

    fn split(&self) -> (&[u8], &[u8]) {
        let end = self.bytes.len().saturating_sub(MAC_BYTES);
        self.bytes.split_at(end)
    }

    fn part<const N: usize>(&self, start: usize) -> [u8; N] {
        let part = self.bytes.get(start..).and_then(<[u8]>::first_chunk);
        // A token is never shorter than that.
        part.copied().unwrap_or([0; N])
    }
}

/// What is over where whole blocks of ciphertext have header and HMAC around them.
const SPARE_BYTES: usize = (HEADER_BYTES + MAC_BYTES) % BLOCK_BYTES;
