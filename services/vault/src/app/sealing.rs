//! Sealing and opening with the data keys in the store, which the master keys' providers unwrap.

use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Core;
use crate::domain::envelope::{
    self, Binding, DATA_KEY_BYTES, DataKey, NONCE_BYTES, OpenError, Purpose, SALT_BYTES,
};
use crate::domain::owner::Owner;
use crate::error::{Result, VaultError};
use crate::kek::MasterKeys;
use crate::store::Store;

/// The first generation of an owner's data key.
const FIRST_GENERATION: u32 = 1;

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new()
        .fill(bytes.as_mut_slice())
        .map_err(|_| VaultError::Internal("the system gives no randomness"))?;
    Ok(bytes)
}

/// Seals with the owner's newest data key, made if there is none yet.
pub(crate) async fn seal(
    store: &dyn Store,
    masters: &MasterKeys,
    binding: &Binding<'_>,
    plaintext: &[u8],
) -> Result<Vec<u8>> {
    let data_key = match store.data_key_get(binding.owner, None).await? {
        Some(stored) => masters.unwrap(&stored).await?,
        None => make_data_key(store, masters, binding.owner).await?,
    };
    let (salt, nonce) = (random::<SALT_BYTES>()?, random::<NONCE_BYTES>()?);
    let record = envelope::seal_record(&data_key, binding, plaintext, *salt, *nonce)?;
    Ok(record)
}

/// Opens with the data key that the record names.
pub(crate) async fn open(
    store: &dyn Store,
    masters: &MasterKeys,
    binding: &Binding<'_>,
    record: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let generation = envelope::record_generation(record).map_err(VaultError::KeyUnavailable)?;
    let data_key = data_key(store, masters, binding.owner, generation).await?;
    envelope::open_record(&data_key, binding, record).map_err(VaultError::KeyUnavailable)
}

async fn data_key(
    store: &dyn Store,
    masters: &MasterKeys,
    owner: Owner,
    generation: u32,
) -> Result<Arc<DataKey>> {
    if let Some(kept) = masters.kept(owner, generation) {
        return Ok(kept);
    }
    let stored = store.data_key_get(owner, Some(generation)).await?;
    let stored = stored.ok_or(VaultError::KeyUnavailable(OpenError::OtherGeneration))?;
    Ok(masters.unwrap(&stored).await?)
}

/// Two that make one at the same time end up with the same: the store keeps the first.
async fn make_data_key(
    store: &dyn Store,
    masters: &MasterKeys,
    owner: Owner,
) -> Result<Arc<DataKey>> {
    let fresh = DataKey::new(owner, FIRST_GENERATION, random::<DATA_KEY_BYTES>()?);
    let wrapped = masters.wrap(&fresh).await?;
    let now = keyward_runtime::time::now();
    let stored = store.data_key_put(wrapped, now).await?;
    Ok(masters.unwrap(&stored).await?)
}

/// One of the vault's own secrets, made of 32 random bytes when first asked for.
///
/// # Errors
/// [`VaultError::KeyUnavailable`] if it does not open: the master key is not the one that the store
/// was made with.
pub(crate) async fn system_secret(
    store: &dyn Store,
    masters: &MasterKeys,
    name: &str,
) -> Result<(Uuid, Zeroizing<Vec<u8>>)> {
    if store.system_secret_get(name).await?.is_none() {
        let uid = keyward_runtime::ids::new();
        let secret = random::<32>()?;
        let binding = system_binding(name, uid, 1);
        let record = seal(store, masters, &binding, secret.as_slice()).await?;
        store.system_secret_put(name, uid, record).await?;
    }
    let stored = store.system_secret_get(name).await?;
    let (uid, version, record) = stored.ok_or(VaultError::Internal("a system secret is gone"))?;
    let secret = open(store, masters, &system_binding(name, uid, version), &record).await?;
    Ok((uid, secret))
}

fn system_binding(name: &str, uid: Uuid, version: u64) -> Binding<'_> {
    Binding {
        owner: Owner::SYSTEM,
        record_id: uid,
        version,
        purpose: Purpose {
            provider: "keyward",
            base_url: "",
            api_version: "",
            account: name,
            scope: "*",
        },
    }
}

impl Core {
    pub(super) async fn seal(&self, binding: &Binding<'_>, plaintext: &[u8]) -> Result<Vec<u8>> {
        seal(self.store.as_ref(), &self.masters, binding, plaintext).await
    }

    pub(super) async fn open(
        &self,
        binding: &Binding<'_>,
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        open(self.store.as_ref(), &self.masters, binding, record).await
    }
}
