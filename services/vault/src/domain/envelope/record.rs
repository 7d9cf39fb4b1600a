//! Records: one sealed secret, bound to its owner, its id, its version and its use.

use ring::{digest, hkdf};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Cipher, DataKey, LAYOUT_VERSION, NONCE_BYTES, OpenError, SALT_BYTES, SUITE_AES_256_GCM,
    SealError, TAG_BYTES, fernet_record, open_aes_256_gcm, push_prefixed, seal_aes_256_gcm, take,
    take_cipher,
};
use crate::domain::owner::Owner;

const RECORD_KEY_LABEL: &[u8] = b"keyward-vault/v1/record-key\0";
const AAD_LABEL: &[u8] = b"keyward-vault/v1/secret\0";
const META_LABEL: &[u8] = b"keyward-vault/v1/meta\0";

/// Version, suite, generation and salt: what the record key and the AAD both cover.
const HEADER_BYTES: usize = 2 + 4 + SALT_BYTES;

/// What a secret may be used for. Changing any of it asks for the secret again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose<'a> {
    /// The provider it opens.
    pub provider: &'a str,
    /// Where requests go instead of the provider's own address; empty for that.
    pub base_url: &'a str,
    /// The provider's API version, where there is one.
    pub api_version: &'a str,
    /// The account or resource at the provider, where there is one.
    pub account: &'a str,
    /// What within it; `*` for all.
    pub scope: &'a str,
}

/// Where a record belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// Whose it is.
    pub owner: Owner,
    /// The record's id.
    pub record_id: Uuid,
    /// Which secret of that id, from 1.
    pub version: u64,
    /// What it may be used for.
    pub purpose: Purpose<'a>,
}

/// Seals `plaintext` so that it opens only under the same binding. `salt` and `nonce` must be
/// random.
///
/// # Errors
/// [`SealError`] if the cipher refuses, or the data key is another owner's.
pub fn seal_record(
    data_key: &DataKey,
    binding: &Binding<'_>,
    plaintext: &[u8],
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
) -> Result<Vec<u8>, SealError> {
    if data_key.owner != binding.owner {
        return Err(SealError);
    }
    let header = header(data_key.generation, salt);
    let key = record_key(data_key, &header, salt).ok_or(SealError)?;
    let sealed = seal_aes_256_gcm(key.as_slice(), nonce, &aad(&header, binding), plaintext)?;
    let mut record = header.to_vec();
    record.extend_from_slice(&nonce);
    record.extend_from_slice(&sealed);
    Ok(record)
}

/// Opens a record under the binding that its row states, with the cipher that it names.
///
/// # Errors
/// [`OpenError`] if it was sealed under another binding or data key, or was changed.
pub fn open_record(
    data_key: &DataKey,
    binding: &Binding<'_>,
    record: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    if record_generation(record)? != data_key.generation {
        return Err(OpenError::OtherGeneration);
    }
    if data_key.owner != binding.owner {
        return Err(OpenError::NotAuthentic);
    }
    match take_cipher(record)? {
        (Cipher::Aes256Gcm, _) => open_aes_256_gcm_record(data_key, binding, record),
        (Cipher::Fernet, _) => fernet_record::open(data_key, binding, record),
    }
}

fn open_aes_256_gcm_record(
    data_key: &DataKey,
    binding: &Binding<'_>,
    record: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (header, rest) = take::<HEADER_BYTES>(record)?;
    let (nonce, sealed) = take::<NONCE_BYTES>(rest)?;
    if sealed.len() < TAG_BYTES {
        return Err(OpenError::Truncated);
    }
    let (salt, _) = take::<SALT_BYTES>(&header[HEADER_BYTES - SALT_BYTES..])?;
    let key = record_key(data_key, &header, salt).ok_or(OpenError::NotAuthentic)?;
    open_aes_256_gcm(key.as_slice(), nonce, &aad(&header, binding), sealed)
}

/// Which generation of its owner's data key a record needs.
///
/// # Errors
/// [`OpenError`] if it is no record that this version knows.
pub fn record_generation(record: &[u8]) -> Result<u32, OpenError> {
    let (_, rest) = take_cipher(record)?;
    let (generation, _) = take::<4>(rest)?;
    Ok(u32::from_be_bytes(generation))
}

fn header(generation: u32, salt: [u8; SALT_BYTES]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = LAYOUT_VERSION;
    header[1] = SUITE_AES_256_GCM;
    header[2..6].copy_from_slice(&generation.to_be_bytes());
    header[6..].copy_from_slice(&salt);
    header
}

/// HKDF-SHA256 of the data key, with the header in its info: no header can be exchanged for
/// another without changing the key.
fn record_key(
    data_key: &DataKey,
    header: &[u8; HEADER_BYTES],
    salt: [u8; SALT_BYTES],
) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, &salt)
        .extract(data_key.bytes())
        .expand(&[RECORD_KEY_LABEL, header], hkdf::HKDF_SHA256)
        .and_then(|output| output.fill(key.as_mut_slice()))
        .ok()?;
    Some(key)
}

/// What a record is bound to, behind the header that says how it is sealed.
pub(super) fn aad(header: &[u8], binding: &Binding<'_>) -> Vec<u8> {
    let mut aad = AAD_LABEL.to_vec();
    aad.extend_from_slice(header);
    aad.push(binding.owner.kind.number());
    aad.extend_from_slice(binding.owner.uid.as_bytes());
    aad.extend_from_slice(binding.record_id.as_bytes());
    aad.extend_from_slice(&binding.version.to_be_bytes());
    aad.extend_from_slice(purpose_digest(&binding.purpose).as_ref());
    aad
}

fn purpose_digest(purpose: &Purpose<'_>) -> digest::Digest {
    let mut message = META_LABEL.to_vec();
    for field in [
        purpose.provider,
        purpose.base_url,
        purpose.api_version,
        purpose.account,
        purpose.scope,
    ] {
        push_prefixed(&mut message, field.as_bytes());
    }
    digest::digest(&digest::SHA256, &message)
}
