//! Provider keys. Every statement names the owner, but for two that tell nothing of a key: whose it is,
//! and whether leases of it still hold; and for what the vault itself asks of all keys, none of which
//! reaches a caller. A deleted record lies in its row's place until Postgres cleans up there: what makes it useless is that its data key is destroyed, or that
//! whoever finds it lacks the master key.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{
    bytes, duration_millis, get, json, millis, millis_opt, owner, signed, small, time, time_opt,
    to_json, unsigned,
};
use super::{PostgresStore, Values, execute, execute_one, generations, query_all, query_one};
use crate::domain::audit::record_digest;
use crate::domain::fingerprint::Fingerprint;
use crate::domain::hygiene::{Bounds, Census};
use crate::domain::key_filters::KeyFilters;
use crate::domain::key_tests::DueTests;
use crate::domain::owner::Owner;
use crate::domain::provider_key::{Health, KeySettings, Origin, ProviderKey};
use crate::store::{
    Effects, HeldLease, Lease, Page, ProviderKeyStore, SealedKey, StoreError, Stored, StoredRecord,
};

const OWNER: &str = "SELECT owner_kind, owner_uid FROM provider_keys WHERE uid = $1";

const RECORDS: &str =
    "SELECT uid, version, record FROM provider_keys WHERE uid > $1 ORDER BY uid LIMIT $2";

const INSERT: &str = include_str!("provider_key_insert.sql");
const UPDATE: &str = include_str!("provider_key_update.sql");
const GET: &str = include_str!("provider_key_get.sql");
const LIST: &str = include_str!("provider_key_list.sql");
const CONCERNS: &str = include_str!("provider_key_concerns.sql");
const CENSUS: &str = include_str!("provider_key_census.sql");
const CLAIM_TESTS: &str = include_str!("provider_key_claim_tests.sql");

const IS_CLAIMED: &str = "SELECT uid FROM provider_keys WHERE uid = $1 AND test_claim_until > $2";

const BY_FINGERPRINT: &str = "
    SELECT uid FROM provider_keys
    WHERE owner_kind = $1 AND owner_uid = $2 AND provider = $3 AND fingerprint = $4";

const DELETE: &str = "
    DELETE FROM provider_keys
    WHERE owner_kind = $1 AND owner_uid = $2 AND uid = $3 AND revision = $4";

const DELETE_ALL: &str = "DELETE FROM provider_keys WHERE owner_kind = $1 AND owner_uid = $2";

/// Refuses whatever has changed since the key was opened; neither use nor test counts as a change. A
/// test ends the claim that it may come from: one claim opens a key once.
const LEASE: &str = "
    UPDATE provider_keys SET
        last_used_time = CASE WHEN $5 THEN last_used_time ELSE $6 END,
        last_tested_time = CASE WHEN $5 THEN $6 ELSE last_tested_time END,
        test_claim_until = CASE WHEN $5 THEN NULL ELSE test_claim_until END
    WHERE owner_kind = $1 AND owner_uid = $2 AND uid = $3 AND version = $4
        AND enabled AND (expire_time IS NULL OR expire_time > $6)";

/// The versions that may be in use.
const IN_USE: &str = "
    SELECT uid, version FROM provider_keys
    WHERE uid = ANY($1) AND enabled AND (expire_time IS NULL OR expire_time > $2)";

fn read(row: &Row) -> Stored<ProviderKey> {
    Ok(ProviderKey {
        id: get(row, "uid")?,
        owner: owner(row, "owner_kind", "owner_uid")?,
        owner_id: get(row, "owner_id")?,
        provider: get(row, "provider")?,
        label: get(row, "label")?,
        masked: get(row, "masked")?,
        fingerprint: Fingerprint(bytes(row, "fingerprint")?),
        enabled: get(row, "enabled")?,
        health: Health::from_number(small(row, "health")?)
            .ok_or(StoreError::Malformed("a health"))?,
        health_reason: get(row, "health_reason")?,
        version: unsigned(row, "version")?,
        base_url: get(row, "base_url")?,
        settings: read_settings(row)?,
        weight: small(row, "weight")?,
        filters: KeyFilters {
            models: json(row, "allowed_models")?,
            users: json(row, "allowed_users")?,
        },
        origin: Origin::from_number(get(row, "origin")?)
            .ok_or(StoreError::Malformed("an origin"))?,
        create_time: time(row, "create_time")?,
        update_time: time(row, "update_time")?,
        secret_time: time(row, "secret_time")?,
        failing_since: time_opt(row, "failing_since")?,
        expire_time: time_opt(row, "expire_time")?,
        last_used_time: time_opt(row, "last_used_time")?,
        last_tested_time: time_opt(row, "last_tested_time")?,
        revision: unsigned(row, "revision")?,
    })
}

fn read_census(row: &Row) -> Stored<Census> {
    Ok(Census {
        stored: unsigned(row, "stored")?,
        rotation_due: unsigned(row, "rotation_due")?,
        expiring: unsigned(row, "expiring")?,
        unused: unsigned(row, "unused")?,
        failing: unsigned(row, "failing")?,
    })
}

fn read_settings(row: &Row) -> Stored<KeySettings> {
    let deployments: BTreeMap<String, String> = json(row, "deployments")?;
    Ok(KeySettings {
        endpoint: get(row, "endpoint")?,
        api_version: get(row, "api_version")?,
        deployments,
        skip_format_check: get(row, "skip_format_check")?,
    })
}

pub(super) fn read_sealed(row: &Row) -> Stored<SealedKey> {
    let state: Option<Vec<u8>> = get(row, "state_mac")?;
    let wrong = |_| StoreError::Malformed("bytes of another length");
    Ok(SealedKey {
        key: read(row)?,
        record: get(row, "record")?,
        state: state.map(TryInto::try_into).transpose().map_err(wrong)?,
    })
}

async fn insert(session: &Session, sealed: &SealedKey) -> Stored<()> {
    let key = &sealed.key;
    let values: Values<'_> = &[
        &key.id,
        &i64::from(key.owner.kind.number()),
        &key.owner.uid,
        &key.provider,
        &key.label,
        &key.masked,
        &key.fingerprint.0.as_slice(),
        &key.enabled,
        &i64::from(key.health as u8),
        &key.health_reason,
        &signed(key.version),
        &key.base_url,
        &key.settings.endpoint,
        &key.settings.api_version,
        &to_json(&key.settings.deployments)?,
        &key.settings.skip_format_check,
        &i64::from(key.weight),
        &i64::from(key.origin as u8),
        &millis(key.create_time),
        &millis(key.update_time),
        &millis(key.secret_time),
        &millis_opt(key.failing_since),
        &millis_opt(key.expire_time),
        &signed(key.revision),
        &sealed.record,
        &sealed.state.as_ref().map(<[u8; 32]>::as_slice),
        &to_json(&key.filters.models)?,
        &to_json(&key.filters.users)?,
    ];
    execute_one(session, INSERT, values).await?;
    generations::refuse_below_floor(session, key.owner, &sealed.record).await
}

async fn update(session: &Session, sealed: &SealedKey, revision: u64) -> Stored<()> {
    let key = &sealed.key;
    let values: Values<'_> = &[
        &i64::from(key.owner.kind.number()),
        &key.owner.uid,
        &key.id,
        &signed(revision),
        &key.label,
        &key.masked,
        &key.fingerprint.0.as_slice(),
        &key.enabled,
        &i64::from(key.health as u8),
        &key.health_reason,
        &signed(key.version),
        &i64::from(key.weight),
        &millis(key.update_time),
        &millis_opt(key.expire_time),
        &signed(key.revision),
        &sealed.record,
        &millis(key.secret_time),
        &millis_opt(key.failing_since),
        &sealed.state.as_ref().map(<[u8; 32]>::as_slice),
        &key.base_url,
        &key.settings.endpoint,
        &key.settings.api_version,
        &to_json(&key.settings.deployments)?,
        &key.settings.skip_format_check,
        &to_json(&key.filters.models)?,
        &to_json(&key.filters.users)?,
    ];
    execute_one(session, UPDATE, values).await?;
    generations::refuse_below_floor(session, key.owner, &sealed.record).await
}

async fn list(session: &Session, owner: Owner, page: Page) -> Stored<Vec<ProviderKey>> {
    let (kind, below, limit) = (i64::from(owner.kind.number()), page.below(), page.limit());
    query_all(session, LIST, &[&kind, &owner.uid, &below, &limit], read).await
}

/// Deletes all keys of an owner.
pub(super) async fn delete_all(session: &Session, owner: Owner) -> Stored<()> {
    let values: Values<'_> = &[&i64::from(owner.kind.number()), &owner.uid];
    execute(session, DELETE_ALL, values).await.map(drop)
}

/// False, with nothing written, if the key is not as it was when it was opened.
pub(super) async fn lease(session: &Session, lease: &Lease) -> Stored<bool> {
    let values: Values<'_> = &[
        &i64::from(lease.owner.kind.number()),
        &lease.owner.uid,
        &lease.id,
        &signed(lease.version),
        &lease.is_test,
        &millis(lease.now),
    ];
    Ok(execute(session, LEASE, values).await? == 1)
}

#[async_trait]
impl ProviderKeyStore for PostgresStore {
    async fn provider_key_owner(&self, id: Uuid) -> Stored<Option<Owner>> {
        let session = self.session().await?;
        let read = |row: &Row| owner(row, "owner_kind", "owner_uid");
        query_one(&session, OWNER, &[&id], read).await
    }

    async fn provider_key_insert(&self, sealed: SealedKey, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { insert(session, &sealed).await })
        })
        .await
    }

    async fn provider_key_get(&self, owner: Owner, id: Uuid) -> Stored<Option<SealedKey>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&i64::from(owner.kind.number()), &owner.uid, &id];
        query_one(&session, GET, values, read_sealed).await
    }

    async fn provider_key_by_fingerprint(
        &self,
        owner: Owner,
        provider: &str,
        fingerprint: [u8; 16],
    ) -> Stored<Option<Uuid>> {
        let session = self.session().await?;
        let (kind, fingerprint) = (i64::from(owner.kind.number()), fingerprint.as_slice());
        let values: Values<'_> = &[&kind, &owner.uid, &provider, &fingerprint];
        query_one(&session, BY_FINGERPRINT, values, |row| get(row, "uid")).await
    }

    async fn provider_key_list(&self, owner: Owner, page: Page) -> Stored<Vec<ProviderKey>> {
        list(&self.session().await?, owner, page).await
    }

    /// All at once on one connection: the answers come back in order.
    async fn provider_keys_usable(&self, owners: &[Owner], limit: u32) -> Stored<Vec<ProviderKey>> {
        let session = self.session().await?;
        let page = Page {
            size: limit,
            before: None,
        };
        let lists = owners.iter().map(|owner| list(&session, *owner, page));
        Ok(try_join_all(lists).await?.into_iter().flatten().collect())
    }

    async fn provider_keys_of_concern(
        &self,
        bounds: Bounds,
        after: Uuid,
        limit: u32,
    ) -> Stored<Vec<ProviderKey>> {
        let session = self.session().await?;
        let values: Values<'_> = &[
            &millis(bounds.now),
            &millis(bounds.stored_by),
            &millis(bounds.expires_by),
            &after,
            &i64::from(limit),
        ];
        query_all(&session, CONCERNS, values, read).await
    }

    async fn provider_key_census(&self, bounds: Bounds) -> Stored<Census> {
        let session = self.session().await?;
        let values: Values<'_> = &[
            &millis(bounds.now),
            &millis(bounds.stored_by),
            &millis(bounds.used_by),
            &millis(bounds.expires_by),
        ];
        let counted = query_one(&session, CENSUS, values, read_census).await?;
        Ok(counted.unwrap_or_default())
    }

    async fn provider_keys_claim_tests(&self, due: DueTests, limit: u32) -> Stored<Vec<Uuid>> {
        let session = self.session().await?;
        let values: Values<'_> = &[
            &millis(due.now),
            &duration_millis(due.interval),
            &duration_millis(due.retry_first),
            &millis(due.claimed_until),
            &i64::from(limit),
        ];
        query_all(&session, CLAIM_TESTS, values, |row| get(row, "uid")).await
    }

    async fn provider_key_is_claimed(&self, id: Uuid, now: Timestamp) -> Stored<bool> {
        let session = self.session().await?;
        let found: Option<Uuid> = query_one(&session, IS_CLAIMED, &[&id, &millis(now)], |row| {
            get(row, "uid")
        })
        .await?;
        Ok(found.is_some())
    }

    async fn provider_key_update(
        &self,
        sealed: SealedKey,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { update(session, &sealed, revision).await })
        })
        .await
    }

    async fn provider_key_delete(
        &self,
        owner: Owner,
        id: Uuid,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move {
                let (kind, revision) = (i64::from(owner.kind.number()), signed(revision));
                execute_one(session, DELETE, &[&kind, &owner.uid, &id, &revision]).await
            })
        })
        .await
    }

    async fn provider_key_records(&self, after: Uuid, limit: u32) -> Stored<Vec<StoredRecord>> {
        let session = self.session().await?;
        let read = |row: &Row| {
            let record: Vec<u8> = get(row, "record")?;
            Ok(StoredRecord {
                id: get(row, "uid")?,
                version: unsigned(row, "version")?,
                record_sha256: record_digest(&record),
            })
        };
        query_all(&session, RECORDS, &[&after, &i64::from(limit)], read).await
    }

    async fn leases_holding(
        &self,
        leases: Vec<HeldLease>,
        now: Timestamp,
    ) -> Stored<Vec<HeldLease>> {
        let session = self.session().await?;
        let keys: Vec<Uuid> = leases.iter().map(|lease| lease.key).collect();
        let version = |row: &Row| Ok((get(row, "uid")?, unsigned(row, "version")?));
        let in_use = query_all(&session, IN_USE, &[&keys, &millis(now)], version).await?;
        let in_use: BTreeSet<(Uuid, u64)> = in_use.into_iter().collect();
        let holds = |lease: &HeldLease| in_use.contains(&(lease.key, lease.version));
        Ok(leases.into_iter().filter(holds).collect())
    }
}
