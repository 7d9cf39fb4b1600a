//! Checkpoints: a chain's head as a signed note in the form of C2SP (origin, size, hash in base64, an
//! empty line, `— origin base64(key id | Ed25519 signature)`), kept outside the store. Whoever edits
//! the store cannot make them again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::chain::{Hash, Head};

/// What the first line of a note begins with; the instance follows.
const ORIGIN: &str = "keyward-vault/audit/";

/// What a line with a signature begins with.
const SIGNATURE: &str = "\u{2014} ";

/// The number of Ed25519 in a signed note's key id.
const ED25519_KIND: u8 = 1;

/// Why a checkpoint proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It has not the form of one.
    #[error("the checkpoint is malformed")]
    Malformed,
    /// It was not signed with this key, or was edited.
    #[error("the checkpoint's signature does not fit")]
    Signature,
}

/// The head of a chain at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose chain.
    pub instance: String,
    /// Its head.
    pub head: Head,
}

impl Checkpoint {
    fn origin(&self) -> String {
        format!("{ORIGIN}{}", self.instance)
    }

    fn text(&self) -> String {
        let hash = STANDARD.encode(self.head.hash.0);
        format!("{}\n{}\n{hash}\n", self.origin(), self.head.sequence)
    }

    /// The signed note.
    pub fn sign(&self, key: &Ed25519KeyPair) -> String {
        let (text, origin) = (self.text(), self.origin());
        let mut signed = key_id(&origin, key.public_key().as_ref()).to_vec();
        signed.extend_from_slice(key.sign(text.as_bytes()).as_ref());
        format!("{text}\n{SIGNATURE}{origin} {}\n", STANDARD.encode(signed))
    }
}

/// A note as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// What it says, whether it is true or not.
    pub checkpoint: Checkpoint,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

impl SignedNote {
    /// Reads one note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        Self::read(note).ok_or(NoteError::Malformed)
    }

    fn read(note: &str) -> Option<Self> {
        let mut lines = note.strip_suffix('\n')?.split('\n');
        let origin = lines.next()?;
        let instance = origin.strip_prefix(ORIGIN)?.to_owned();
        let size = lines.next()?;
        let sequence: u64 = size.parse().ok()?;
        let hash = Hash(STANDARD.decode(lines.next()?).ok()?.try_into().ok()?);
        let ("", signature, None) = (lines.next()?, lines.next()?, lines.next()) else {
            return None;
        };
        let (name, signed) = signature.strip_prefix(SIGNATURE)?.split_once(' ')?;
        let signed = STANDARD.decode(signed).ok()?;
        let (key_id, signature) = signed.split_at_checked(4)?;
        let canonical = name == origin && size == sequence.to_string();
        canonical.then_some(Self {
            checkpoint: Checkpoint {
                instance,
                head: Head { sequence, hash },
            },
            key_id: key_id.try_into().ok()?,
            signature: signature.to_vec(),
        })
    }

    /// What it says, if this key signed it.
    ///
    /// # Errors
    /// [`NoteError::Signature`] if it did not.
    pub fn verify(&self, public_key: &[u8; 32]) -> Result<&Checkpoint, NoteError> {
        let text = self.checkpoint.text();
        let known = self.key_id == key_id(&self.checkpoint.origin(), public_key);
        let key = UnparsedPublicKey::new(&ED25519, public_key);
        match known && key.verify(text.as_bytes(), &self.signature).is_ok() {
            true => Ok(&self.checkpoint),
            false => Err(NoteError::Signature),
        }
    }
}

/// Reads notes that were written one after the other. What follows the last whole one is left out:
/// a process may have died in the middle of writing it.
///
/// # Errors
/// [`NoteError::Malformed`] if one of the whole ones is none.
pub fn parse_all(text: &str) -> Result<Vec<SignedNote>, NoteError> {
    let (mut notes, mut note) = (Vec::new(), String::new());
    for line in text.split_inclusive('\n') {
        note.push_str(line);
        if line.starts_with(SIGNATURE) && line.ends_with('\n') {
            notes.push(SignedNote::parse(&note)?);
            note.clear();
        }
    }
    Ok(notes)
}

/// Where the last whole note ends, in bytes.
pub fn end_of_last_note(text: &str) -> usize {
    let (mut end, mut whole) = (0, 0);
    for line in text.split_inclusive('\n') {
        end += line.len();
        if line.starts_with(SIGNATURE) && line.ends_with('\n') {
            whole = end;
        }
    }
    whole
}

fn key_id(origin: &str, public_key: &[u8]) -> [u8; 4] {
    let name = [origin.as_bytes(), b"\n", &[ED25519_KIND], public_key].concat();
    let mut id = [0; 4];
    id.copy_from_slice(&digest(&SHA256, &name).as_ref()[..4]);
    id
}
