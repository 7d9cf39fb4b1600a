//! How secrets are sealed at rest. A master key wraps one data key per owner; from that a record
//! key is derived for each record, which seals with AES-256-GCM. What a record may be used for is
//! part of what is authenticated, so a record opens only where it belongs.
//!
//! Byte layouts (numbers big-endian, `lp` = u32 length prefix):
//! ```text
//! wrapped data key: 01 | suite 01 | len(master key id) u8 | master key id | nonce 12 | ct 32 | tag 16
//!              or : 01 | suite 02 | len(master key id) u8 | master key id | blob of an external provider
//! record          : 01 | suite 01 | generation u32 | salt 16 | nonce 12 | ct | tag 16
//! record, Fernet  : 01 | suite 10 | generation u32 | token of SHA-256(AAD) 32 | secret
//! ```
//! An unknown version or suite is an error, never a reason to try another.

mod data_key;
mod fernet_record;
mod record;
#[cfg(test)]
mod tests;

pub use data_key::{
    DATA_KEY_BYTES, DataKey, data_key_aad, data_key_of, external_blob, keep_external,
    unwrap_data_key, wrap_data_key, wrapped_by,
};
pub use fernet_record::seal_fernet_record;
pub use record::{Binding, Purpose, open_record, record_generation, seal_record};

/// Bytes of a GCM nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes of a record's HKDF salt.
pub const SALT_BYTES: usize = 16;

const TAG_BYTES: usize = 16;
const LAYOUT_VERSION: u8 = 1;
const SUITE_AES_256_GCM: u8 = 1;
const SUITE_FERNET: u8 = 0x10;

/// What new records are sealed with. Which it was stands in each record, and nothing else is tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cipher {
    /// AES-256-GCM under a key of the record's own.
    #[default]
    Aes256Gcm,
    /// Fernet, for those whose other software must be able to read records.
    Fernet,
}

impl Cipher {
    fn of_suite(suite: u8) -> Result<Self, OpenError> {
        match suite {
            SUITE_AES_256_GCM => Ok(Self::Aes256Gcm),
            SUITE_FERNET => Ok(Self::Fernet),
            _ => Err(OpenError::UnknownSuite),
        }
    }
}

/// Why something sealed did not open. None of these holds anything of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Shorter than its layout.
    #[error("the sealed record is cut off")]
    Truncated,
    /// Made by a later version, or not by this program at all.
    #[error("the sealed record is of an unknown layout or suite")]
    UnknownSuite,
    /// Sealed under a master key that is not in the ring.
    #[error("the sealed record needs a master key that is not configured")]
    UnknownMasterKey,
    /// The record names another generation of the owner's data key.
    #[error("the sealed record belongs to another generation of its data key")]
    OtherGeneration,
    /// The record is of a data key that was replaced and destroyed.
    #[error("the sealed record is of a data key that is no longer used (too old)")]
    TooOld,
    /// The row around it was changed by somebody else than the vault.
    #[error("the row of the sealed record was changed")]
    RowChanged,
    /// The row is one of before: it was put back.
    #[error("the row of the sealed record is an earlier one (rolled back)")]
    RolledBack,
    /// It was changed, or moved from where it belongs.
    #[error("the sealed record does not belong here or was changed")]
    NotAuthentic,
}

impl OpenError {
    /// Whether somebody changed what is stored, as far as can be told. A master key that is not
    /// there changes nothing.
    pub const fn is_integrity_failure(self) -> bool {
        !matches!(self, Self::UnknownMasterKey)
    }
}

/// Sealing failed; only an exhausted or misused cipher does that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record cannot be sealed")]
pub struct SealError;

/// Appends `bytes` with their length before them, so that no two lists of fields look alike.
fn push_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

fn seal_aes_256_gcm(
    key: &[u8],
    nonce: [u8; NONCE_BYTES],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError)?);
    // Room for the tag up front: growing would leave a copy of the plaintext behind.
    let mut sealed = Vec::with_capacity(plaintext.len() + TAG_BYTES);
    sealed.extend_from_slice(plaintext);
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed)
        .map_err(|_| SealError)?;
    Ok(sealed)
}

fn open_aes_256_gcm(
    key: &[u8],
    nonce: [u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Result<zeroize::Zeroizing<Vec<u8>>, OpenError> {
    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| OpenError::NotAuthentic)?;
    let mut buffer = zeroize::Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let length = LessSafeKey::new(key)
        .open_in_place(nonce, Aad::from(aad), &mut buffer)
        .map_err(|_| OpenError::NotAuthentic)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

/// Splits the first `N` bytes off.
fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), OpenError> {
    match bytes.split_first_chunk::<N>() {
        Some((first, rest)) => Ok((*first, rest)),
        None => Err(OpenError::Truncated),
    }
}

/// Reads the two bytes that every record starts with, and returns the rest.
fn take_cipher(record: &[u8]) -> Result<(Cipher, &[u8]), OpenError> {
    let ([version, suite], rest) = take::<2>(record)?;
    match version {
        LAYOUT_VERSION => Ok((Cipher::of_suite(suite)?, rest)),
        _ => Err(OpenError::UnknownSuite),
    }
}
