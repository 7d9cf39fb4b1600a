//! Opened keys, each for as long as its lease; overwritten when dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_proto::vault::v1::UnsealProviderKeyResponse;
use keyward_secret::Secret;
use moka::sync::Cache;
use parking_lot::Mutex;

/// The longest that any lease is kept, whatever the vault says.
const LEASE_MAX: Duration = Duration::from_secs(30);
/// How many keys are kept open.
const KEYS_MAX: u64 = 10_000;

/// An opened key.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) secret: Secret,
    pub(crate) version: u64,
    pub(crate) id: String,
    /// When the vault was asked.
    pub(super) asked: Instant,
    until: Instant,
}

impl Lease {
    /// Takes an opened key over that was asked for at `asked`; `None` if it is not text.
    pub(super) fn read(response: UnsealProviderKeyResponse, asked: Instant) -> Option<Self> {
        let given = response
            .lease_duration
            .and_then(|duration| Duration::try_from(duration).ok())
            .unwrap_or_default();
        Some(Self {
            secret: Secret::from_bytes(response.secret).ok()?,
            version: response.version,
            id: response.lease_id,
            asked,
            until: asked + given.min(LEASE_MAX),
        })
    }
}

/// The place of one key's lease.
#[derive(Debug, Default)]
pub(super) struct Slot {
    lease: Mutex<Option<Arc<Lease>>>,
    refreshing: tokio::sync::Mutex<()>,
}

impl Slot {
    /// The lease, if it still holds and is of this version or a later one.
    pub(super) fn current(&self, version: u64) -> Option<Arc<Lease>> {
        let mut lease = self.lease.lock();
        if lease
            .as_ref()
            .is_some_and(|lease| lease.until <= Instant::now())
        {
            *lease = None;
        }
        lease
            .as_ref()
            .filter(|lease| lease.version >= version)
            .cloned()
    }

    pub(super) async fn refreshing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.refreshing.lock().await
    }

    pub(super) fn keep(&self, lease: Arc<Lease>) {
        *self.lease.lock() = Some(lease);
    }
}

/// All leases, by key. A key that is forgotten while it is being opened gets a new place, so that
/// what comes back late is never found.
pub(super) struct Leases {
    slots: Cache<String, Arc<Slot>>,
}

impl Leases {
    pub(super) fn new() -> Self {
        // Idle ones go soon after their lease has ended, and are overwritten then.
        let slots = Cache::builder()
            .max_capacity(KEYS_MAX)
            .time_to_idle(LEASE_MAX * 2)
            .build();
        Self { slots }
    }

    pub(super) fn slot(&self, key_id: &str) -> Arc<Slot> {
        match self.slots.get(key_id) {
            Some(slot) => slot,
            None => self.slots.get_with(key_id.to_owned(), Arc::default),
        }
    }

    pub(super) fn forget(&self, key_id: &str) {
        // The cache drops what it forgot in its own time; the key is to be gone now.
        if let Some(slot) = self.slots.get(key_id) {
            *slot.lease.lock() = None;
        }
        self.slots.invalidate(key_id);
    }

    pub(super) fn forget_all(&self) {
        for (_, slot) in &self.slots {
            *slot.lease.lock() = None;
        }
        self.slots.invalidate_all();
    }
}
