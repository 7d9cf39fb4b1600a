//! Data keys: one for each owner and generation, wrapped by a master key.

use zeroize::Zeroizing;

use super::{
    LAYOUT_VERSION, NONCE_BYTES, OpenError, SUITE_AES_256_GCM, SealError, TAG_BYTES,
    open_aes_256_gcm, push_prefixed, seal_aes_256_gcm, take,
};
use crate::domain::master_key::{MasterKey, MasterKeyRing};
use crate::domain::owner::Owner;

/// Bytes of a data key.
pub const DATA_KEY_BYTES: usize = 32;

/// A blob of whoever keeps the master key; nobody else reads it.
const SUITE_EXTERNAL: u8 = 2;

const AAD_LABEL: &[u8] = b"keyward-vault/v1/dek\0";

/// A data key in plain text; overwritten when dropped.
pub struct DataKey {
    /// Whose it is.
    pub owner: Owner,
    /// Which of the owner's data keys, from 1.
    pub generation: u32,
    bytes: Zeroizing<[u8; DATA_KEY_BYTES]>,
}

impl DataKey {
    /// A data key of 32 random bytes.
    pub fn new(owner: Owner, generation: u32, bytes: Zeroizing<[u8; DATA_KEY_BYTES]>) -> Self {
        Self {
            owner,
            generation,
            bytes,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8; DATA_KEY_BYTES] {
        &self.bytes
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKey")
            .field("owner", &self.owner)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Wraps a data key. `nonce` must be random.
///
/// # Errors
/// [`SealError`] if the cipher refuses.
pub fn wrap_data_key(
    master: &MasterKey,
    data_key: &DataKey,
    nonce: [u8; NONCE_BYTES],
) -> Result<Vec<u8>, SealError> {
    let id = master.id().as_bytes();
    let id_length = u8::try_from(id.len()).map_err(|_| SealError)?;
    let aad = aad(data_key.owner, data_key.generation, id);
    let sealed = seal_aes_256_gcm(master.bytes(), nonce, &aad, data_key.bytes())?;
    let mut wrapped = vec![LAYOUT_VERSION, SUITE_AES_256_GCM, id_length];
    wrapped.extend_from_slice(id);
    wrapped.extend_from_slice(&nonce);
    wrapped.extend_from_slice(&sealed);
    Ok(wrapped)
}

/// Opens a wrapped data key with the master key that it names, and no other.
///
/// # Errors
/// [`OpenError`] if it does not belong to this owner and generation, or was changed.
pub fn unwrap_data_key(
    masters: &MasterKeyRing,
    owner: Owner,
    generation: u32,
    wrapped: &[u8],
) -> Result<DataKey, OpenError> {
    let (id, rest) = split(wrapped, SUITE_AES_256_GCM)?;
    let (nonce, sealed) = take::<NONCE_BYTES>(rest)?;
    if sealed.len() != DATA_KEY_BYTES + TAG_BYTES {
        return Err(OpenError::Truncated);
    }
    let master = masters.find(id).ok_or(OpenError::UnknownMasterKey)?;
    let opened = open_aes_256_gcm(master.bytes(), nonce, &aad(owner, generation, id), sealed)?;
    data_key_of(owner, generation, &opened)
}

/// A data key of bytes that were unwrapped elsewhere.
///
/// # Errors
/// [`OpenError::NotAuthentic`] if they are not as many as a data key has.
pub fn data_key_of(owner: Owner, generation: u32, bytes: &[u8]) -> Result<DataKey, OpenError> {
    let mut key = Zeroizing::new([0; DATA_KEY_BYTES]);
    if bytes.len() != DATA_KEY_BYTES {
        return Err(OpenError::NotAuthentic);
    }
    key.copy_from_slice(bytes);
    Ok(DataKey::new(owner, generation, key))
}

/// Keeps what an external provider made of a data key.
///
/// # Errors
/// [`SealError`] if the id is too long.
pub fn keep_external(master_key_id: &str, blob: &[u8]) -> Result<Vec<u8>, SealError> {
    let id_length = u8::try_from(master_key_id.len()).map_err(|_| SealError)?;
    let mut wrapped = vec![LAYOUT_VERSION, SUITE_EXTERNAL, id_length];
    wrapped.extend_from_slice(master_key_id.as_bytes());
    wrapped.extend_from_slice(blob);
    Ok(wrapped)
}

/// What the external provider of that master key made of a data key.
///
/// # Errors
/// [`OpenError`] if it is nothing of an external provider, or of another one.
pub fn external_blob<'a>(master_key_id: &str, wrapped: &'a [u8]) -> Result<&'a [u8], OpenError> {
    let (id, blob) = split(wrapped, SUITE_EXTERNAL)?;
    match id == master_key_id.as_bytes() {
        true => Ok(blob),
        false => Err(OpenError::UnknownMasterKey),
    }
}

/// What a wrapped data key is bound to: its owner, its generation and its master key.
pub fn data_key_aad(owner: Owner, generation: u32, master_key_id: &str) -> Vec<u8> {
    aad(owner, generation, master_key_id.as_bytes())
}

/// The id of the master key that wrapped this.
///
/// # Errors
/// [`OpenError`] if it is no wrapped data key.
pub fn wrapped_by(wrapped: &[u8]) -> Result<&str, OpenError> {
    let external = split(wrapped, SUITE_EXTERNAL);
    let (id, _) = external.or_else(|_| split(wrapped, SUITE_AES_256_GCM))?;
    std::str::from_utf8(id).map_err(|_| OpenError::UnknownMasterKey)
}

/// The id and what follows it, of a data key wrapped in this suite and no other.
fn split(wrapped: &[u8], suite: u8) -> Result<(&[u8], &[u8]), OpenError> {
    let ([version, found, length], rest) = take::<3>(wrapped)?;
    if version != LAYOUT_VERSION || found != suite {
        return Err(OpenError::UnknownSuite);
    }
    rest.split_at_checked(length.into())
        .ok_or(OpenError::Truncated)
}

fn aad(owner: Owner, generation: u32, master_key_id: &[u8]) -> Vec<u8> {
    let mut aad = AAD_LABEL.to_vec();
    aad.push(owner.kind.number());
    aad.extend_from_slice(owner.uid.as_bytes());
    aad.extend_from_slice(&generation.to_be_bytes());
    push_prefixed(&mut aad, master_key_id);
    aad
}
