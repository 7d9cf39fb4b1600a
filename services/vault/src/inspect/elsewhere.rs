//! What the vault has in other processes: a store in Postgres, a master key in a transit engine.

use keyward_storage::postgres::SchemaFacts;
use keyward_storage::{PostgresUrl, StorageError};

use super::{Inspection, probe, probes};
use crate::StartError;
use crate::domain::master_key::MasterKeyRing;
use crate::kek::{KekError, TransitSetting, transit_health};
use crate::store::postgres::inspect;
use crate::vault::{VaultConfig, master_keys};

/// Looks at a store in Postgres. It writes nothing there.
pub async fn inspect_postgres(config: &VaultConfig, url: &PostgresUrl) -> Inspection<SchemaFacts> {
    let mut inspection = Inspection::default();
    let ring = (!config.master_keys.is_empty()).then(|| master_keys(config, false));
    inspection.store = Some(look(url, ring.as_ref(), &mut inspection).await);
    inspection.master_key = ring.map(|ring| ring.and_then(|ring| probe(&ring)));
    inspection
}

/// Whether the transit engine answers, and its key will do; its key's id.
///
/// # Errors
/// [`KekError::Away`] if it does not answer, [`KekError::Unfit`] if it never will do.
pub async fn inspect_transit(setting: &TransitSetting) -> Result<String, KekError> {
    transit_health(setting).await
}

async fn look(
    url: &PostgresUrl,
    ring: Option<&Result<MasterKeyRing, StartError>>,
    inspection: &mut Inspection<SchemaFacts>,
) -> Result<SchemaFacts, StorageError> {
    let (postgres, facts) = inspect::open(url).await?;
    // What an older store does not tell is left out: its version says why.
    if facts.found == facts.known {
        let session = postgres.session().await?;
        inspection.last_write = inspect::last_write(&session).await.ok().flatten();
        inspection.destinations = inspect::destinations(&session).await.unwrap_or_default();
        if let Some(Ok(ring)) = ring {
            let stored = inspect::data_keys(&session).await.unwrap_or_default();
            inspection.data_keys = probes(ring, &stored);
        }
    }
    postgres.close();
    Ok(facts)
}
