//! What is kept of an answer that is passed on as it comes: its ends, in which it says what was used
//! or how long it is, and its length.

use bytes::BytesMut;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::domain::sound::Sound;

/// How much of the end is kept to find usage in.
const TAIL_BYTES: usize = 64 * 1024;
/// How much of the beginning: sounds say there what they are.
const HEAD_BYTES: usize = 1024;
/// Media types of samples without a header.
const RAW_SOUND: [&str; 2] = ["audio/pcm", "audio/L16"];

/// The ends of an answer, and its length.
#[derive(Debug, Default)]
pub(super) struct Passed {
    head: Vec<u8>,
    tail: BytesMut,
    bytes: u64,
}

impl Passed {
    /// Takes the next bytes that pass.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let left = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(left)]);
        let last = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        self.tail.extend_from_slice(last);
        if self.tail.len() > 2 * TAIL_BYTES {
            self.tail = self.tail.split_off(self.tail.len() - TAIL_BYTES);
        }
    }

    /// All bytes that passed.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The last of them.
    pub(super) fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// The same as sound, which its headers may say more of.
    pub(super) fn sound(&self, headers: &HeaderMap) -> Sound<'_> {
        let said = headers.get(CONTENT_TYPE);
        let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
        Sound {
            head: &self.head,
            tail: &self.tail,
            bytes: self.bytes,
            is_raw: RAW_SOUND.iter().any(|raw| said.starts_with(raw)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_much_passes_its_ends_are_kept() {
        let mut passed = Passed::default();
        for number in 0..100_u8 {
            passed.take(&[number; 10_000]);
        }
        assert_eq!(passed.bytes(), 1_000_000);
        assert_eq!(passed.head, [0; HEAD_BYTES]);
        assert!(passed.tail().ends_with(&[99; 10_000]));
        assert!((TAIL_BYTES..=2 * TAIL_BYTES).contains(&passed.tail().len()));
    }
}
