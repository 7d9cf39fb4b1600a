//! Stored answers outside of this process: sealed under a key that only their very request gives.

use bytes::Bytes;
use prost::Message as _;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::domain::cache::StoredAnswer;

/// A random nonce, then the answer, sealed, bound to its place.
pub(super) fn seal(key: &[u8; 32], place: &[u8; 32], answer: &StoredAnswer) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let mut sealed = answer.encode_to_vec();
    let once = Nonce::assume_unique_for_key(nonce);
    let cipher = cipher(key)?;
    cipher
        .seal_in_place_append_tag(once, Aad::from(place), &mut sealed)
        .ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// What was sealed; `None` where it was for another request, or is broken.
pub(super) fn open(key: &[u8; 32], place: &[u8; 32], mut sealed: Vec<u8>) -> Option<StoredAnswer> {
    let (nonce, rest) = sealed.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let plain = cipher(key)?
        .open_in_place(nonce, Aad::from(place), rest)
        .ok()?;
    StoredAnswer::decode(Bytes::copy_from_slice(plain)).ok()
}

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key)
        .ok()
        .map(LessSafeKey::new)
}
