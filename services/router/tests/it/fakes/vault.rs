//! A vault.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use keyward_proto::vault::v1 as vault;
use keyward_proto::vault::v1::vault_service_server::VaultService;
use keyward_runtime::error::{Reason, status};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tonic::{Request, Response, Status, Streaming};

use super::Answers;

#[derive(Clone)]
pub(crate) struct FakeVault(pub(crate) Arc<VaultState>);

pub(crate) struct VaultState {
    pub(crate) keys: Mutex<Vec<vault::UsableKey>>,
    pub(crate) secrets: Mutex<HashMap<String, String>>,
    pub(crate) broken: Mutex<Option<Reason>>,
    pub(crate) outcomes: Mutex<Vec<vault::ReportKeyOutcomeRequest>>,
    /// Changes of policies that it wrote down.
    pub(crate) policy_changes: Mutex<Vec<vault::RecordPolicyChangeRequest>>,
    /// The ids of keys to hand out for a test, once.
    pub(crate) due_tests: Mutex<Vec<String>>,
    pub(crate) listings: AtomicUsize,
    pub(crate) unseals: AtomicUsize,
    /// How many leases it was asked for, call by call.
    pub(crate) checks: Mutex<Vec<usize>>,
    /// Does not say which leases hold.
    pub(crate) checks_fail: AtomicBool,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) silent: AtomicBool,
    /// Takes its time to list and open keys.
    pub(crate) slow: AtomicBool,
    /// Panics when it is told of a key's outcome.
    pub(crate) panics: AtomicBool,
    sequence: AtomicU64,
    changes: broadcast::Sender<vault::WatchChangesResponse>,
}

impl FakeVault {
    pub(crate) fn new() -> Self {
        Self(Arc::new(VaultState {
            keys: Mutex::default(),
            secrets: Mutex::default(),
            broken: Mutex::default(),
            outcomes: Mutex::default(),
            policy_changes: Mutex::default(),
            due_tests: Mutex::default(),
            listings: AtomicUsize::new(0),
            unseals: AtomicUsize::new(0),
            checks: Mutex::default(),
            checks_fail: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            silent: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            sequence: AtomicU64::new(0),
            changes: broadcast::channel(64).0,
        }))
    }

    /// Stores a key; its id is `owner:provider:n`.
    pub(crate) fn add(&self, owner: vault::OwnerKind, provider: &str, secret: &str) -> String {
        let id = format!(
            "{}:{provider}:{}",
            owner.as_str_name(),
            self.0.keys.lock().len()
        );
        let key = vault::ProviderKey {
            provider_key_id: id.clone(),
            owner: Some(vault::Owner {
                kind: owner as i32,
                id: String::new(),
            }),
            provider: provider.to_owned(),
            status: vault::KeyStatus::Untested as i32,
            enabled: true,
            version: 1,
            ..Default::default()
        };
        self.0.keys.lock().push(vault::UsableKey {
            provider_key: Some(key),
            quota_exhausted: false,
        });
        self.0.secrets.lock().insert(id.clone(), secret.to_owned());
        id
    }

    /// Changes a key without telling anybody.
    pub(crate) fn change_unheard(&self, id: &str, change: impl FnOnce(&mut vault::ProviderKey)) {
        for usable in self.0.keys.lock().iter_mut() {
            let key = usable.provider_key.as_mut().unwrap();
            if key.provider_key_id == id {
                change(key);
                break;
            }
        }
    }

    fn holds(&self, lease: &vault::HeldLease) -> bool {
        let keys = self.0.keys.lock();
        let mut keys = keys.iter().filter_map(|key| key.provider_key.as_ref());
        keys.any(|key| {
            key.provider_key_id == lease.provider_key_id
                && key.version == lease.version
                && key.enabled
        })
    }

    /// Changes a key, and waits until the router has taken that in.
    pub(crate) async fn change(&self, id: &str, change: impl FnOnce(&mut vault::ProviderKey)) {
        self.change_unheard(id, change);
        let sequence = self.0.sequence.fetch_add(1, Ordering::SeqCst) + 1;
        let change = vault::Change {
            kind: vault::ChangeKind::ProviderKey as i32,
            resource_id: id.to_owned(),
            owner_uid: "uid-bob".to_owned(),
            owner_kind: vault::OwnerKind::User as i32,
        };
        let _ = self.0.changes.send(vault::WatchChangesResponse {
            sequence,
            change: Some(change),
            send_time: None,
        });
        while self.0.acknowledged.load(Ordering::SeqCst) < sequence {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tonic::async_trait]
impl VaultService for FakeVault {
    type RewrapKeysStream =
        futures::stream::Empty<Result<keyward_proto::vault::v1::RewrapKeysResponse, Status>>;

    async fn rewrap_keys(
        &self,
        _: Request<keyward_proto::vault::v1::RewrapKeysRequest>,
    ) -> Result<Response<Self::RewrapKeysStream>, Status> {
        Err(Status::unimplemented("the router does not ask for this"))
    }

    async fn list_key_concerns(
        &self,
        _: Request<vault::ListKeyConcernsRequest>,
    ) -> Result<Response<vault::ListKeyConcernsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_usable_keys(
        &self,
        _: Request<vault::ListUsableKeysRequest>,
    ) -> Result<Response<vault::ListUsableKeysResponse>, Status> {
        self.0.listings.fetch_add(1, Ordering::SeqCst);
        if self.0.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Response::new(vault::ListUsableKeysResponse {
            keys: self.0.keys.lock().clone(),
            sequence: self.0.sequence.load(Ordering::SeqCst),
        }))
    }

    async fn unseal_provider_key(
        &self,
        request: Request<vault::UnsealProviderKeyRequest>,
    ) -> Result<Response<vault::UnsealProviderKeyResponse>, Status> {
        let asked = self.0.unseals.fetch_add(1, Ordering::SeqCst);
        if self.0.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if let Some(reason) = *self.0.broken.lock() {
            return Err(status(reason, "no", Vec::new()));
        }
        let message = request.into_inner();
        let is_test = message.purpose() == vault::UnsealPurpose::Test;
        let id = message.provider_key_id;
        let Some(secret) = self.0.secrets.lock().get(&id).cloned() else {
            return Err(status(
                Reason::NotFound,
                "provider key not found",
                Vec::new(),
            ));
        };
        let keys = self.0.keys.lock();
        let mut keys = keys.iter().filter_map(|key| key.provider_key.as_ref());
        let key = keys.find(|key| key.provider_key_id == id);
        Ok(Response::new(vault::UnsealProviderKeyResponse {
            secret: secret.into_bytes(),
            version: key.unwrap().version,
            lease_id: format!("lease-{asked}"),
            lease_duration: Some(prost_types::Duration {
                seconds: 30,
                nanos: 0,
            }),
            provider_key: key.filter(|_| is_test).cloned(),
        }))
    }

    async fn check_provider_key(
        &self,
        request: Request<vault::CheckProviderKeyRequest>,
    ) -> Result<Response<vault::CheckProviderKeyResponse>, Status> {
        let wish = request.into_inner();
        Ok(Response::new(vault::CheckProviderKeyResponse {
            provider_key: Some(vault::ProviderKey {
                provider: wish.provider,
                base_url: wish.base_url,
                settings: wish.settings,
                ..Default::default()
            }),
        }))
    }

    async fn record_policy_change(
        &self,
        request: Request<vault::RecordPolicyChangeRequest>,
    ) -> Result<Response<vault::RecordPolicyChangeResponse>, Status> {
        if let Some(reason) = *self.0.broken.lock() {
            return Err(status(reason, "no", Vec::new()));
        }
        self.0.policy_changes.lock().push(request.into_inner());
        Ok(Response::new(vault::RecordPolicyChangeResponse {}))
    }

    async fn claim_due_tests(
        &self,
        _: Request<vault::ClaimDueTestsRequest>,
    ) -> Result<Response<vault::ClaimDueTestsResponse>, Status> {
        let due = std::mem::take(&mut *self.0.due_tests.lock());
        Ok(Response::new(vault::ClaimDueTestsResponse {
            provider_key_ids: due,
            claim_duration: None,
        }))
    }

    async fn check_leases(
        &self,
        request: Request<vault::CheckLeasesRequest>,
    ) -> Result<Response<vault::CheckLeasesResponse>, Status> {
        let leases = request.into_inner().leases;
        self.0.checks.lock().push(leases.len());
        if self.0.checks_fail.load(Ordering::SeqCst) {
            return Err(Status::unavailable("not now"));
        }
        let holding = leases.into_iter().filter(|lease| self.holds(lease));
        Ok(Response::new(vault::CheckLeasesResponse {
            lease_ids: holding.map(|lease| lease.lease_id).collect(),
            sequence: self.0.sequence.load(Ordering::SeqCst),
        }))
    }

    async fn report_key_outcome(
        &self,
        request: Request<vault::ReportKeyOutcomeRequest>,
    ) -> Result<Response<vault::ReportKeyOutcomeResponse>, Status> {
        assert!(!self.0.panics.load(Ordering::SeqCst), "as it was told to");
        self.0.outcomes.lock().push(request.into_inner());
        Ok(Response::new(vault::ReportKeyOutcomeResponse {}))
    }

    type WatchChangesStream = Answers<vault::WatchChangesResponse>;

    async fn watch_changes(
        &self,
        request: Request<Streaming<vault::WatchChangesRequest>>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        let mut confirmations = request.into_inner();
        let state = Arc::clone(&self.0);
        tokio::spawn(async move {
            while let Ok(Some(confirmed)) = confirmations.message().await {
                state
                    .acknowledged
                    .fetch_max(confirmed.acknowledged_sequence, Ordering::SeqCst);
            }
        });
        let state = Arc::clone(&self.0);
        let mut changes = state.changes.subscribe();
        let messages = async_stream(move |out| async move {
            loop {
                let message = tokio::select! {
                    Ok(change) = changes.recv() => change,
                    () = tokio::time::sleep(Duration::from_millis(20)) => {
                        vault::WatchChangesResponse {
                            sequence: state.sequence.load(Ordering::SeqCst),
                            change: None,
                            send_time: None,
                        }
                    }
                };
                if state.silent.load(Ordering::SeqCst) {
                    continue;
                }
                if out.send(Ok(message)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(messages))
    }
}

/// A stream out of a task.
fn async_stream<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(
    produce: impl FnOnce(tokio::sync::mpsc::Sender<Result<T, Status>>) -> F,
) -> Answers<T> {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(produce(sender));
    Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))
}
