//! Looks at the vault's store and master key from outside, beside a running vault or without one:
//! whether one opens what the other keeps. It writes nothing, and nothing that it returns is secret.

mod elsewhere;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use keyward_storage::{Inspector, StorageError, StoreFacts};

use crate::app::sealing::random;
use crate::domain::envelope::{
    self, Binding, DATA_KEY_BYTES, DataKey, NONCE_BYTES, OpenError, Purpose, SALT_BYTES,
};
use crate::domain::master_key::MasterKeyRing;
use crate::domain::owner::Owner;
use crate::error::VaultError;
use crate::store::StoredDataKey;
use crate::store::sqlite::inspect;
use crate::vault::{MASTER_KEY_FILE, STORE_FILE, StartError, VaultConfig, master_keys};

pub use elsewhere::{inspect_postgres, inspect_transit};

/// What was found; `F` is what a store of its kind tells of itself.
#[derive(Debug)]
pub struct Inspection<F = StoreFacts> {
    /// The store; `None` where there is none yet.
    pub store: Option<Result<F, StorageError>>,
    /// The id of the current master key, once it sealed and opened a probe; `None` where there is
    /// neither a key nor a store yet.
    pub master_key: Option<Result<String, StartError>>,
    /// One stored data key of each master key and generation.
    pub data_keys: Vec<DataKeyProbe>,
    /// When the store was last written to, by its own account.
    pub last_write: Option<Timestamp>,
    /// Where enabled keys are sent.
    pub destinations: BTreeSet<Destination>,
}

/// A stored data key, tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKeyProbe {
    /// The id of the master key that wrapped it.
    pub master_key_id: String,
    /// Its generation.
    pub generation: u32,
    /// Whether the master key opens it.
    pub opened: Result<(), OpenError>,
}

/// Where keys of a provider are sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// The provider.
    pub provider: String,
    /// The address that its owner gave; `None` for the provider's own.
    pub base_url: Option<String>,
}

/// Looks. Blocks; the check of the whole file takes at most `limit`.
pub fn inspect(config: &VaultConfig, limit: Duration) -> Inspection {
    let path = config.data_dir.join(STORE_FILE);
    let exists = path.exists();
    let has_ring = config.transit.is_none() || config.data_dir.join(MASTER_KEY_FILE).exists();
    let ring = match (exists && has_ring) || !config.master_keys.is_empty() {
        true => Some(master_keys(config, false)),
        false => None,
    };
    let mut inspection = Inspection::default();
    if exists {
        let store = Inspector::open(&path);
        inspection.store = Some(store.and_then(|store| {
            let facts = store.facts(inspect::migrations(), limit)?;
            if facts.found <= facts.known {
                read(&store, ring.as_ref(), &mut inspection);
            }
            Ok(facts)
        }));
    }
    inspection.master_key = ring.map(|ring| ring.and_then(|ring| probe(&ring)));
    inspection
}

impl<F> Default for Inspection<F> {
    fn default() -> Self {
        Self {
            store: None,
            master_key: None,
            data_keys: Vec::new(),
            last_write: None,
            destinations: BTreeSet::new(),
        }
    }
}

/// What an older or a damaged store does not tell is left out: other facts say why.
fn read(
    store: &Inspector,
    ring: Option<&Result<MasterKeyRing, StartError>>,
    inspection: &mut Inspection,
) {
    let connection = store.connection();
    inspection.last_write = inspect::last_write(connection).ok().flatten();
    inspection.destinations = inspect::destinations(connection).unwrap_or_default();
    if let Some(Ok(ring)) = ring {
        let stored = inspect::data_keys(connection).unwrap_or_default();
        inspection.data_keys = probes(ring, &stored);
    }
}

/// Tries each, but for those of a transit key: its server alone opens them.
fn probes(ring: &MasterKeyRing, stored: &[StoredDataKey]) -> Vec<DataKeyProbe> {
    let is_local = |stored: &&StoredDataKey| {
        ring.find(stored.master_key_id.as_bytes()).is_some() || !stored.master_key_id.contains(':')
    };
    let local = stored.iter().filter(is_local);
    local.map(|stored| open(ring, stored)).collect()
}

fn open(ring: &MasterKeyRing, stored: &StoredDataKey) -> DataKeyProbe {
    let (owner, generation) = (stored.owner, stored.generation);
    let opened = envelope::unwrap_data_key(ring, owner, generation, &stored.wrapped);
    DataKeyProbe {
        master_key_id: stored.master_key_id.clone(),
        generation,
        opened: opened.map(drop),
    }
}

/// Seals something under the current master key and opens it again.
fn probe(ring: &MasterKeyRing) -> Result<String, StartError> {
    let fresh = DataKey::new(Owner::SYSTEM, 1, random::<DATA_KEY_BYTES>()?);
    let wrapped = envelope::wrap_data_key(ring.current(), &fresh, *random::<NONCE_BYTES>()?)
        .map_err(VaultError::from)?;
    let data_key = envelope::unwrap_data_key(ring, Owner::SYSTEM, 1, &wrapped)
        .map_err(VaultError::KeyUnavailable)?;
    let binding = Binding {
        owner: Owner::SYSTEM,
        record_id: keyward_runtime::ids::new(),
        version: 1,
        purpose: Purpose {
            provider: "keyward",
            base_url: "",
            api_version: "",
            account: "probe",
            scope: "*",
        },
    };
    let (salt, nonce) = (random::<SALT_BYTES>()?, random::<NONCE_BYTES>()?);
    let sealed = envelope::seal_record(&fresh, &binding, b"probe", *salt, *nonce)
        .map_err(VaultError::from)?;
    envelope::open_record(&data_key, &binding, &sealed).map_err(VaultError::KeyUnavailable)?;
    Ok(ring.current().id().to_owned())
}
