//! Sealing and opening with the data keys in the store, which the master keys' providers unwrap. Which of an owner's data keys seals is
//! decided in `generations`, what was sealed by older ones is sealed anew by `sweep`.

mod generations;
mod marks;
mod row_state;
mod sweep;

use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Clock, Core};
use crate::domain::envelope::{
    self, Binding, Cipher, DataKey, NONCE_BYTES, OpenError, Purpose, SALT_BYTES,
};
use crate::domain::fernet::IV_BYTES;
use crate::domain::owner::Owner;
use crate::domain::row_state::StateKey;
use crate::error::{Result, VaultError};
use crate::kek::MasterKeys;
use crate::store::Store;

use marks::Marks;

pub(crate) use sweep::sweep;

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new()
        .fill(bytes.as_mut_slice())
        .map_err(|_| VaultError::Internal("the system gives no randomness"))?;
    Ok(bytes)
}

/// What the vault's own secrets are sealed with, whatever the settings say of others: nobody but the
/// vault reads them.
const SYSTEM_CIPHER: Cipher = Cipher::Aes256Gcm;

/// What seals and opens.
pub(crate) struct Seals {
    store: Arc<dyn Store>,
    masters: Arc<MasterKeys>,
    states: StateKey,
    marks: Marks,
    /// The most records that one data key seals.
    limit: u64,
    clock: Clock,
}

impl Seals {
    /// Those of a store; what makes its rows tamper-evident is made where there is none yet.
    ///
    /// # Errors
    /// [`VaultError::KeyUnavailable`] if the store was made with another master key.
    pub(crate) async fn begin(
        store: Arc<dyn Store>,
        masters: Arc<MasterKeys>,
        limit: u64,
        clock: Clock,
    ) -> Result<Self> {
        let states = row_state::state_key(store.as_ref(), &masters, &clock).await?;
        let marks = Marks::new();
        Ok(Self {
            store,
            masters,
            states,
            marks,
            limit,
            clock,
        })
    }

    /// Seals with the owner's newest data key, made if there is none yet.
    pub(crate) async fn seal(
        &self,
        cipher: Cipher,
        binding: &Binding<'_>,
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        let data_key = self.sealing_key(binding.owner).await?;
        seal_record(&data_key, cipher, binding, plaintext)
    }

    /// Opens with the data key that the record names.
    pub(crate) async fn open(
        &self,
        binding: &Binding<'_>,
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let generation = envelope::record_generation(record).map_err(VaultError::KeyUnavailable)?;
        self.check_generation(binding.owner, generation).await?;
        open_record(self.store.as_ref(), &self.masters, binding, record).await
    }

    /// One of the vault's own secrets, made of 32 random bytes when first asked for.
    ///
    /// # Errors
    /// [`VaultError::KeyUnavailable`] if it does not open.
    pub(crate) async fn system_secret(&self, name: &str) -> Result<(Uuid, Zeroizing<Vec<u8>>)> {
        if self.store.system_secret_get(name).await?.is_none() {
            let uid = keyward_runtime::ids::new();
            let secret = random::<32>()?;
            let binding = system_binding(name, uid, 1);
            let record = self
                .seal(SYSTEM_CIPHER, &binding, secret.as_slice())
                .await?;
            self.store.system_secret_put(name, uid, record).await?;
        }
        let stored = self.store.system_secret_get(name).await?;
        let (uid, version, record) =
            stored.ok_or(VaultError::Internal("a system secret is gone"))?;
        let secret = self
            .open(&system_binding(name, uid, version), &record)
            .await?;
        Ok((uid, secret))
    }
}

fn seal_record(
    data_key: &DataKey,
    cipher: Cipher,
    binding: &Binding<'_>,
    plaintext: &[u8],
) -> Result<Vec<u8>> {
    let record = match cipher {
        Cipher::Aes256Gcm => {
            let (salt, nonce) = (random::<SALT_BYTES>()?, random::<NONCE_BYTES>()?);
            envelope::seal_record(data_key, binding, plaintext, *salt, *nonce)?
        }
        Cipher::Fernet => {
            let (iv, now) = (random::<IV_BYTES>()?, keyward_runtime::time::now());
            let now = u64::try_from(now.as_second()).unwrap_or(0);
            envelope::seal_fernet_record(data_key, binding, plaintext, *iv, now)?
        }
    };
    Ok(record)
}

/// Opens with the data key that the record names, whether or not it may still be used.
async fn open_record(
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
        self.seals.seal(self.cipher, binding, plaintext).await
    }

    pub(super) async fn open(
        &self,
        binding: &Binding<'_>,
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        self.seals.open(binding, record).await
    }
}
