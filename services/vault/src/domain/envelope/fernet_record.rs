//! Records that Python's `cryptography` can read: a Fernet token under the owner's data key, which
//! is itself the Fernet key. Fernet authenticates nothing beside its content, so what a record is
//! bound to stands in front of the secret, as a digest.

use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::record::{Binding, aad};
use super::{DataKey, LAYOUT_VERSION, OpenError, SUITE_FERNET, SealError, take};
use crate::domain::fernet::{Decoding, FernetKey, IV_BYTES, Token};

/// Version, suite and generation; the rest is the token.
const HEADER_BYTES: usize = 2 + 4;
/// What a reader passes over.
const DIGEST_BYTES: usize = 32;

/// Seals `plaintext` so that it opens only under the same binding. `iv` must be random; `time` is
/// the present in seconds since 1970, which a token tells everybody.
///
/// # Errors
/// [`SealError`] if the data key is another owner's.
pub fn seal_fernet_record(
    data_key: &DataKey,
    binding: &Binding<'_>,
    plaintext: &[u8],
    iv: [u8; IV_BYTES],
    time: u64,
) -> Result<Vec<u8>, SealError> {
    if data_key.owner != binding.owner {
        return Err(SealError);
    }
    let header = header(data_key.generation);
    // Room for all of it up front: growing would leave a copy of the plaintext behind.
    let mut bound = Zeroizing::new(Vec::with_capacity(DIGEST_BYTES + plaintext.len()));
    bound.extend_from_slice(binding_digest(header, binding).as_ref());
    bound.extend_from_slice(plaintext);
    let token = fernet_key(data_key).seal(&bound, iv, time).encode();
    Ok([header.as_slice(), token.as_bytes()].concat())
}

pub(super) fn open(
    data_key: &DataKey,
    binding: &Binding<'_>,
    record: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (header, token) = take::<HEADER_BYTES>(record)?;
    let opened = Token::decode(token, Decoding::Strict)
        .and_then(|token| fernet_key(data_key).open(&token, None))
        .map_err(|_| OpenError::NotAuthentic)?;
    let (bound, secret) = opened
        .plaintext
        .split_at_checked(DIGEST_BYTES)
        .ok_or(OpenError::NotAuthentic)?;
    // No secret: whoever reads the store can make this digest, so how long it takes tells nothing.
    match bound == binding_digest(header, binding).as_ref() {
        true => Ok(Zeroizing::new(secret.to_vec())),
        false => Err(OpenError::NotAuthentic),
    }
}

fn header(generation: u32) -> [u8; HEADER_BYTES] {
    let mut header = [LAYOUT_VERSION, SUITE_FERNET, 0, 0, 0, 0];
    header[2..].copy_from_slice(&generation.to_be_bytes());
    header
}

fn binding_digest(header: [u8; HEADER_BYTES], binding: &Binding<'_>) -> ring::digest::Digest {
    digest(&SHA256, &aad(&header, binding))
}

fn fernet_key(data_key: &DataKey) -> FernetKey {
    FernetKey::from_bytes(data_key.bytes())
}

#[cfg(test)]
mod tests {
    //! Records as `scripts/fernet-vectors` makes and reads them, with Python's `cryptography`.

    use serde::Deserialize;
    use uuid::Uuid;

    use super::*;
    use crate::domain::envelope::{Purpose, open_record, unwrap_data_key};
    use crate::domain::master_key::{MasterKey, MasterKeyRing};
    use crate::domain::owner::{Owner, OwnerKind};

    #[derive(Deserialize)]
    struct Known {
        master_key_id: String,
        master_key: String,
        owner_kind: i64,
        owner_uid: String,
        generation: u32,
        wrapped: String,
        record_id: String,
        version: u64,
        purpose: UsedFor,
        iv: String,
        time: u64,
        record: String,
        secret: String,
    }

    #[derive(Deserialize)]
    struct UsedFor {
        provider: String,
        base_url: String,
        api_version: String,
        account: String,
        scope: String,
    }

    impl Known {
        fn binding(&self) -> Binding<'_> {
            let purpose = &self.purpose;
            Binding {
                owner: Owner {
                    kind: OwnerKind::from_number(self.owner_kind).unwrap(),
                    uid: Uuid::from_bytes(bytes(&self.owner_uid)),
                },
                record_id: Uuid::from_bytes(bytes(&self.record_id)),
                version: self.version,
                purpose: Purpose {
                    provider: &purpose.provider,
                    base_url: &purpose.base_url,
                    api_version: &purpose.api_version,
                    account: &purpose.account,
                    scope: &purpose.scope,
                },
            }
        }

        fn data_key(&self) -> DataKey {
            let master = MasterKey::new(&self.master_key_id, &bytes::<32>(&self.master_key));
            let ring = MasterKeyRing::new(vec![master.unwrap()]).unwrap();
            let wrapped = hex::decode(&self.wrapped).unwrap();
            unwrap_data_key(&ring, self.binding().owner, self.generation, &wrapped).unwrap()
        }
    }

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn records_are_what_python_makes_and_reads() {
        let json = include_str!("../../../tests/vectors/fernet/records.json");
        let all: Vec<Known> = serde_json::from_str(json).unwrap();
        assert_eq!(all.len(), 3);
        for known in &all {
            let (key, binding, iv) = (known.data_key(), known.binding(), bytes(&known.iv));
            let secret = hex::decode(&known.secret).unwrap();
            let record = seal_fernet_record(&key, &binding, &secret, iv, known.time).unwrap();
            assert_eq!(hex::encode(&record), known.record);
            assert_eq!(*open_record(&key, &binding, &record).unwrap(), secret);
        }
    }
}
