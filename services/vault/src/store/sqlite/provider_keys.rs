//! Provider keys. Every statement names the owner, but for two that tell nothing of a key: whose it is,
//! and whether a lease of it still holds; and for what the vault itself asks of all keys, none of which
//! reaches a caller. Records are overwritten before they go.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::row::{
    duration_millis, get, json, millis, millis_opt, owner, signed, time, time_opt, to_json,
    unsigned,
};
use super::{SqliteStore, execute, execute_one, generations, query_all, query_one};
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

const OWNER: &str = "SELECT owner_kind, owner_uid FROM provider_keys WHERE uid = :uid";

const INSERT: &str = include_str!("provider_key_insert.sql");
const UPDATE: &str = include_str!("provider_key_update.sql");
const GET: &str = include_str!("provider_key_get.sql");
const LIST: &str = include_str!("provider_key_list.sql");
const CONCERNS: &str = include_str!("provider_key_concerns.sql");
const CENSUS: &str = include_str!("provider_key_census.sql");
const CLAIM_TESTS: &str = include_str!("provider_key_claim_tests.sql");

const IS_CLAIMED: &str = "SELECT 1 FROM provider_keys WHERE uid = :uid AND test_claim_until > :now";

const BY_FINGERPRINT: &str = "
    SELECT uid FROM provider_keys
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND provider = :provider
        AND fingerprint = :fingerprint";

const OVERWRITE: &str = "
    UPDATE provider_keys SET record = zeroblob(length(record))
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND uid = :uid
        AND revision = :revision";

const OVERWRITE_ALL: &str = "
    UPDATE provider_keys SET record = zeroblob(length(record))
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid";

const DELETE: &str = "
    DELETE FROM provider_keys
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND uid = :uid";

const DELETE_ALL: &str = "
    DELETE FROM provider_keys WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid";

/// Refuses whatever has changed since the key was opened; neither use nor test counts as a change. A
/// test ends the claim that it may come from: one claim opens a key once.
const LEASE: &str = "
    UPDATE provider_keys SET
        last_used_time = CASE WHEN :is_test THEN last_used_time ELSE :now END,
        last_tested_time = CASE WHEN :is_test THEN :now ELSE last_tested_time END,
        test_claim_until = CASE WHEN :is_test THEN NULL ELSE test_claim_until END
    WHERE owner_kind = :owner_kind AND owner_uid = :owner_uid AND uid = :uid
        AND version = :version AND enabled = 1
        AND (expire_time IS NULL OR expire_time > :now)";

const RECORDS: &str =
    "SELECT uid, version, record FROM provider_keys WHERE uid > :after ORDER BY uid LIMIT :limit";

fn read(row: &Row<'_>) -> Stored<ProviderKey> {
    let fingerprint: [u8; 16] = get(row, "fingerprint")?;
    Ok(ProviderKey {
        id: get(row, "uid")?,
        owner: owner(row, "owner_kind", "owner_uid")?,
        owner_id: get(row, "owner_id")?,
        provider: get(row, "provider")?,
        label: get(row, "label")?,
        masked: get(row, "masked")?,
        fingerprint: Fingerprint(fingerprint),
        enabled: get(row, "enabled")?,
        health: Health::from_number(get(row, "health")?)
            .ok_or(StoreError::Malformed("a health"))?,
        health_reason: get(row, "health_reason")?,
        version: unsigned(row, "version")?,
        base_url: get(row, "base_url")?,
        settings: read_settings(row)?,
        weight: get(row, "weight")?,
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

fn read_census(row: &Row<'_>) -> Stored<Census> {
    Ok(Census {
        stored: unsigned(row, "stored")?,
        rotation_due: unsigned(row, "rotation_due")?,
        expiring: unsigned(row, "expiring")?,
        unused: unsigned(row, "unused")?,
        failing: unsigned(row, "failing")?,
    })
}

fn read_settings(row: &Row<'_>) -> Stored<KeySettings> {
    let deployments: BTreeMap<String, String> = json(row, "deployments")?;
    Ok(KeySettings {
        endpoint: get(row, "endpoint")?,
        api_version: get(row, "api_version")?,
        deployments,
        skip_format_check: get(row, "skip_format_check")?,
    })
}

pub(super) fn read_sealed(row: &Row<'_>) -> Stored<SealedKey> {
    Ok(SealedKey {
        key: read(row)?,
        record: get(row, "record")?,
        state: get(row, "state_mac")?,
    })
}

fn insert(connection: &Connection, sealed: &SealedKey) -> Stored<()> {
    let key = &sealed.key;
    execute_one(
        connection,
        INSERT,
        named_params! {
            ":uid": key.id,
            ":owner_kind": key.owner.kind.number(),
            ":owner_uid": key.owner.uid,
            ":provider": key.provider,
            ":label": key.label,
            ":masked": key.masked,
            ":fingerprint": key.fingerprint.0,
            ":enabled": key.enabled,
            ":health": key.health as u8,
            ":health_reason": key.health_reason,
            ":version": signed(key.version),
            ":base_url": key.base_url,
            ":endpoint": key.settings.endpoint,
            ":api_version": key.settings.api_version,
            ":deployments": to_json(&key.settings.deployments)?,
            ":skip_format_check": key.settings.skip_format_check,
            ":weight": key.weight,
            ":allowed_models": to_json(&key.filters.models)?,
            ":allowed_users": to_json(&key.filters.users)?,
            ":origin": key.origin as u8,
            ":create_time": millis(key.create_time),
            ":update_time": millis(key.update_time),
            ":secret_time": millis(key.secret_time),
            ":failing_since": millis_opt(key.failing_since),
            ":expire_time": millis_opt(key.expire_time),
            ":revision": signed(key.revision),
            ":record": sealed.record,
            ":state_mac": sealed.state,
        },
    )?;
    generations::refuse_below_floor(connection, key.owner, &sealed.record)
}

fn update(connection: &Connection, sealed: &SealedKey, revision: u64) -> Stored<()> {
    let key = &sealed.key;
    execute_one(
        connection,
        UPDATE,
        named_params! {
            ":uid": key.id,
            ":owner_kind": key.owner.kind.number(),
            ":owner_uid": key.owner.uid,
            ":label": key.label,
            ":masked": key.masked,
            ":fingerprint": key.fingerprint.0,
            ":enabled": key.enabled,
            ":health": key.health as u8,
            ":health_reason": key.health_reason,
            ":version": signed(key.version),
            ":base_url": key.base_url,
            ":endpoint": key.settings.endpoint,
            ":api_version": key.settings.api_version,
            ":deployments": to_json(&key.settings.deployments)?,
            ":skip_format_check": key.settings.skip_format_check,
            ":weight": key.weight,
            ":allowed_models": to_json(&key.filters.models)?,
            ":allowed_users": to_json(&key.filters.users)?,
            ":update_time": millis(key.update_time),
            ":secret_time": millis(key.secret_time),
            ":failing_since": millis_opt(key.failing_since),
            ":expire_time": millis_opt(key.expire_time),
            ":next": signed(key.revision),
            ":record": sealed.record,
            ":state_mac": sealed.state,
            ":revision": signed(revision),
        },
    )?;
    generations::refuse_below_floor(connection, key.owner, &sealed.record)
}

fn list(connection: &Connection, owner: Owner, page: Page) -> Stored<Vec<ProviderKey>> {
    let params = named_params! {
        ":owner_kind": owner.kind.number(),
        ":owner_uid": owner.uid,
        ":below": page.below(),
        ":limit": page.limit(),
    };
    query_all(connection, LIST, params, read)
}

/// Overwrites and deletes all keys of an owner.
pub(super) fn delete_all(connection: &Connection, owner: Owner) -> Stored<()> {
    let kind = owner.kind.number();
    let params: &[(&str, &dyn ToSql)] = &[(":owner_kind", &kind), (":owner_uid", &owner.uid)];
    execute(connection, OVERWRITE_ALL, params)?;
    execute(connection, DELETE_ALL, params).map(drop)
}

/// Whether a lease still holds.
const HOLDS: &str = "
    SELECT 1 FROM provider_keys
    WHERE uid = :uid AND version = :version AND enabled = 1
        AND (expire_time IS NULL OR expire_time > :now)";

fn holds(connection: &Connection, lease: &HeldLease, now: Timestamp) -> Stored<bool> {
    let params = named_params! {
        ":uid": lease.key,
        ":version": signed(lease.version),
        ":now": millis(now),
    };
    query_one(connection, HOLDS, params, |_| Ok(())).map(|found| found.is_some())
}

/// Writes the time of use; false, with nothing written, if it may not be given out any more.
pub(super) fn lease(connection: &Connection, lease: &Lease) -> Stored<bool> {
    let params = named_params! {
        ":owner_kind": lease.owner.kind.number(),
        ":owner_uid": lease.owner.uid,
        ":uid": lease.id,
        ":version": signed(lease.version),
        ":is_test": lease.is_test,
        ":now": millis(lease.now),
    };
    Ok(execute(connection, LEASE, params)? == 1)
}

#[async_trait]
impl ProviderKeyStore for SqliteStore {
    async fn provider_key_owner(&self, id: Uuid) -> Stored<Option<Owner>> {
        self.read(move |connection| {
            query_one(connection, OWNER, named_params! { ":uid": id }, |row| {
                owner(row, "owner_kind", "owner_uid")
            })
        })
        .await
    }

    async fn provider_key_insert(&self, sealed: SealedKey, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |connection| insert(connection, &sealed))
            .await
    }

    async fn provider_key_get(&self, owner: Owner, id: Uuid) -> Stored<Option<SealedKey>> {
        self.read(move |connection| {
            let params = named_params! {
                ":owner_kind": owner.kind.number(), ":owner_uid": owner.uid, ":uid": id,
            };
            query_one(connection, GET, params, read_sealed)
        })
        .await
    }

    async fn provider_key_by_fingerprint(
        &self,
        owner: Owner,
        provider: &str,
        fingerprint: [u8; 16],
    ) -> Stored<Option<Uuid>> {
        let provider = provider.to_owned();
        self.read(move |connection| {
            let params = named_params! {
                ":owner_kind": owner.kind.number(),
                ":owner_uid": owner.uid,
                ":provider": provider,
                ":fingerprint": fingerprint,
            };
            query_one(connection, BY_FINGERPRINT, params, |row| get(row, "uid"))
        })
        .await
    }

    async fn provider_key_list(&self, owner: Owner, page: Page) -> Stored<Vec<ProviderKey>> {
        self.read(move |connection| list(connection, owner, page))
            .await
    }

    async fn provider_keys_usable(&self, owners: &[Owner], limit: u32) -> Stored<Vec<ProviderKey>> {
        let owners = owners.to_vec();
        self.read(move |connection| {
            let mut keys = Vec::new();
            for owner in owners {
                let page = Page {
                    size: limit,
                    before: None,
                };
                keys.extend(list(connection, owner, page)?);
            }
            Ok(keys)
        })
        .await
    }

    async fn provider_keys_of_concern(
        &self,
        bounds: Bounds,
        after: Uuid,
        limit: u32,
    ) -> Stored<Vec<ProviderKey>> {
        self.read(move |connection| {
            let params = named_params! {
                ":now": millis(bounds.now),
                ":stored_by": millis(bounds.stored_by),
                ":expires_by": millis(bounds.expires_by),
                ":after": after,
                ":limit": limit,
            };
            query_all(connection, CONCERNS, params, read)
        })
        .await
    }

    async fn provider_key_census(&self, bounds: Bounds) -> Stored<Census> {
        let counted = self
            .read(move |connection| {
                let params = named_params! {
                    ":now": millis(bounds.now),
                    ":stored_by": millis(bounds.stored_by),
                    ":used_by": millis(bounds.used_by),
                    ":expires_by": millis(bounds.expires_by),
                };
                query_one(connection, CENSUS, params, read_census)
            })
            .await?;
        Ok(counted.unwrap_or_default())
    }

    async fn provider_keys_claim_tests(&self, due: DueTests, limit: u32) -> Stored<Vec<Uuid>> {
        self.database
            .write(move |connection| {
                let params = named_params! {
                    ":now": millis(due.now),
                    ":interval": duration_millis(due.interval),
                    ":retry_first": duration_millis(due.retry_first),
                    ":until": millis(due.claimed_until),
                    ":limit": limit,
                };
                query_all(connection, CLAIM_TESTS, params, |row| get(row, "uid"))
            })
            .await
    }

    async fn provider_key_is_claimed(&self, id: Uuid, now: Timestamp) -> Stored<bool> {
        self.read(move |connection| {
            let params = named_params! { ":uid": id, ":now": millis(now) };
            let found = query_one(connection, IS_CLAIMED, params, |_| Ok(()))?;
            Ok(found.is_some())
        })
        .await
    }

    async fn provider_key_update(
        &self,
        sealed: SealedKey,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64> {
        let work = move |connection: &Connection| update(connection, &sealed, revision);
        let updated = self.mutate(effects, work).await;
        self.traces.left();
        updated
    }

    async fn provider_key_delete(
        &self,
        owner: Owner,
        id: Uuid,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64> {
        let work = move |connection: &Connection| {
            let kind = owner.kind.number();
            let params = named_params! {
                ":owner_kind": kind,
                ":owner_uid": owner.uid,
                ":uid": id,
                ":revision": signed(revision),
            };
            execute_one(connection, OVERWRITE, params)?;
            let params = named_params! {
                ":owner_kind": kind, ":owner_uid": owner.uid, ":uid": id,
            };
            execute_one(connection, DELETE, params)
        };
        let deleted = self.mutate(effects, work).await;
        self.traces.left();
        deleted
    }

    async fn provider_key_records(&self, after: Uuid, limit: u32) -> Stored<Vec<StoredRecord>> {
        self.read(move |connection| {
            let params = named_params! { ":after": after, ":limit": limit };
            query_all(connection, RECORDS, params, |row| {
                let record: Vec<u8> = get(row, "record")?;
                Ok(StoredRecord {
                    id: get(row, "uid")?,
                    version: unsigned(row, "version")?,
                    record_sha256: record_digest(&record),
                })
            })
        })
        .await
    }

    async fn leases_holding(
        &self,
        leases: Vec<HeldLease>,
        now: Timestamp,
    ) -> Stored<Vec<HeldLease>> {
        self.read(move |connection| {
            let mut holding = Vec::with_capacity(leases.len());
            for lease in leases {
                if holds(connection, &lease, now)? {
                    holding.push(lease);
                }
            }
            Ok(holding)
        })
        .await
    }
}
