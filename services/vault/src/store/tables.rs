//! Every table of the vault and its columns, for copies: the one list, which a test holds against both
//! schemas. A table comes after those that it refers to. What is of running processes is not copied.

use keyward_storage::copy::Layout;
use keyward_storage::tables;

use super::{postgres, sqlite};

/// All that the vault owns.
pub static LAYOUT: Layout = Layout {
    tables: TABLES,
    used: &[
        "accounts",
        "provider_keys",
        "system_secrets",
        "audit_events",
    ],
    migrations: sqlite::MIGRATIONS,
    schema: postgres::SCHEMA,
    // Takes the counter to where the changes are.
    finish: &["UPDATE change_head SET sequence = (SELECT coalesce(max(sequence), 0) FROM changes)"],
};

/// All of them.
const TABLES: &[keyward_storage::copy::Table] = tables! {
    accounts { uid, kind, id, tier, display_name, create_time, update_time, revision }
    projects { uid, id, holder_uid, display_name, create_time, update_time, revision }
    members { uid, organization_uid, user_uid, role, create_time }
    access_keys {
        uid, id, hash, user_uid, organization_uid, project_uid, label, scopes, allowed_models,
        requests_per_minute, tokens_per_minute, concurrency, masked, create_time, expire_time,
        revoke_time, cache,
    }
    data_keys {
        owner_kind, owner_uid, generation, master_key_id, wrapped, create_time, destroy_time, seals,
    }
    data_key_floors { owner_kind, owner_uid, newest, minimum, mac }
    provider_keys {
        uid, owner_kind, owner_uid, provider, label, masked, fingerprint, enabled, health,
        health_reason, version, base_url, endpoint, api_version, deployments, skip_format_check,
        weight, origin, create_time, update_time, expire_time, last_used_time, last_tested_time,
        revision, record, secret_time, failing_since, state_mac, allowed_models, allowed_users,
        test_claim_until,
    }
    system_secrets { name, uid, version, record }
    changes { sequence, time, kind, resource_id, owner_kind, owner_uid }
    audit_events {
        uid, time, action, outcome, reason, peer, access_key_id, user, user_uid, organization,
        organization_uid, resource_id, resource_version, purpose, inference_id, lease_id, trace_id,
        record_sha256, arrival, instance, sequence, hash,
    }
    master_keys { id, state, create_time, activate_time, retire_time, destroy_time }
    vault_state { only_row, sealed, change_time }
    audit_chains { instance, sequence, hash, public_key }
    replays { id, request, owner_kind, owner_uid, thing, sealed, answer, time }
};
