//! Keys that need care, as the vault tells of them over its generated client.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_auth::Connection;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_proto::vault::v1::{self as vault, ListKeyConcernsRequest, ProviderKey};
use keyward_runtime::time;
use tonic::Request;

use super::directory::{answer, bounded, unavailable};
use crate::MeteringError;
use crate::app::key_concerns::{KeyConcerns, KeyWatch};
use crate::domain::notice::{Concern, KeyConcern};

/// The most that is asked for at once, and the most that the vault gives.
const PAGE_SIZE: u32 = 200;

/// The vault as who knows of keys. Asked in metering's own name.
#[derive(Debug, Clone)]
pub(crate) struct VaultKeys {
    vault: VaultServiceClient<Connection>,
}

impl VaultKeys {
    pub(crate) fn new(vault: Connection) -> Self {
        Self {
            vault: VaultServiceClient::new(vault),
        }
    }
}

#[async_trait]
impl KeyWatch for VaultKeys {
    async fn concerns(&self, place: &str) -> Result<KeyConcerns, MeteringError> {
        let request = bounded(Request::new(ListKeyConcernsRequest {
            page_size: PAGE_SIZE,
            page_token: place.to_owned(),
        }));
        let mut vault = self.vault.clone();
        let page = answer(vault.list_key_concerns(request)).await?;
        let concerns = page.key_concerns.into_iter().filter_map(concern);
        Ok(KeyConcerns {
            concerns: concerns.collect::<Result<_, _>>()?,
            next: page.next_page_token,
            caught_up: page.caught_up,
        })
    }
}

/// None where it names no key.
fn concern(told: vault::KeyConcern) -> Option<Result<KeyConcern, MeteringError>> {
    let key = told.provider_key?;
    let accounts = told.accounts.iter().map(|account| account.parse());
    let accounts: Result<_, _> = accounts.collect();
    Some(accounts.map_err(unavailable).map(|accounts| KeyConcern {
        accounts,
        concerns: concerns(&key).collect(),
        provider_key_id: key.provider_key_id,
        version: key.version,
        provider: key.provider,
        label: key.label,
    }))
}

fn concerns(key: &ProviderKey) -> impl Iterator<Item = Concern> + use<> {
    let hygiene = key.hygiene.unwrap_or_default();
    let failing = read(hygiene.failing_since_time).map(|since| Concern::Failing {
        since,
        reason: key.status_reason.clone(),
    });
    let due = read(hygiene.rotation_due_time)
        .filter(|_| hygiene.rotation_due)
        .map(|since| Concern::RotationDue { since });
    let expiring = read(key.expire_time)
        .filter(|_| hygiene.expiring)
        .map(|at| Concern::Expiring { at });
    [failing, due, expiring].into_iter().flatten()
}

fn read(time: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    time.as_ref().and_then(time::from_proto)
}
