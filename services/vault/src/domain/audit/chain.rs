//! The chain: `hash_n = SHA-256("keyward-vault/v1/audit\0" | hash_{n-1} | n | length | body)`, with
//! `n` in 8 and the length in 4 bytes, both big-endian. Each instance of the vault has a chain of its
//! own, which begins with a hash of the instance's name.

use std::fmt;

use ring::digest::{Context, SHA256};

use super::AuditEvent;
use super::body::body;

const GENESIS: &[u8] = b"keyward-vault/v1/audit-genesis\0";
const LINK: &[u8] = b"keyward-vault/v1/audit\0";

/// A hash of the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).ok()?.try_into().ok().map(Self)
    }

    fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of a chain, or of its beginning up to some event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many events it has.
    pub sequence: u64,
    /// The last one's hash.
    pub hash: Hash,
}

impl Head {
    /// The head of an instance's chain before its first event.
    pub fn genesis(instance: &str) -> Self {
        Self {
            sequence: 0,
            hash: Hash::of(&[GENESIS, instance.as_bytes()]),
        }
    }

    /// The head after an event with this body.
    #[must_use]
    pub fn next(self, body: &str) -> Self {
        self.at(self.sequence + 1, body)
    }

    /// The head after an event with this body at that place.
    pub(super) fn at(self, sequence: u64, body: &str) -> Self {
        // A body is far smaller: its texts are cut before they get here.
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let hash = Hash::of(&[
            LINK,
            &self.hash.0,
            &sequence.to_be_bytes(),
            &length.to_be_bytes(),
            body.as_bytes(),
        ]);
        Self { sequence, hash }
    }
}

/// An event with its place in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedEvent {
    /// The chain up to it, itself included.
    pub head: Head,
    /// The event.
    pub event: AuditEvent,
}

impl LinkedEvent {
    /// Links an event to what is there.
    pub fn after(head: Head, event: AuditEvent) -> Self {
        Self {
            head: head.next(&body(&event)),
            event,
        }
    }
}
