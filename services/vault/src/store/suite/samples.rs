//! Things to store.

use jiff::Timestamp;
use keyward_auth::{AccessKeyLimits, Scope};
use uuid::Uuid;

use crate::domain::audit::{Action, Actor, AuditEvent};
use crate::domain::change::{Change, ChangeKind};
use crate::domain::fingerprint::Fingerprint;
use crate::domain::identity::{AccessKey, Account, Named};
use crate::domain::key_filters::{AllowedUser, KeyFilters};
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::provider_key::{Health, KeySettings, Origin, ProviderKey};
use crate::store::{Effects, Page, SealedKey, Store};

pub(super) const ALL: Page = Page {
    size: 100,
    before: None,
};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn event(actor: &Actor, action: Action, resource: &str) -> AuditEvent {
    AuditEvent::new(keyward_runtime::ids::new(), at(0), actor, action, resource)
}

pub(super) fn effects(owner: Owner) -> Effects {
    let event = event(
        &Actor::default(),
        Action::UserUpdate,
        &owner.uid.to_string(),
    );
    Effects::new(event, Change::owner(owner, ChangeKind::User))
}

pub(super) fn account(kind: OwnerKind, id: &str) -> Account {
    Account {
        owner: Owner {
            kind,
            uid: keyward_runtime::ids::new(),
        },
        id: id.to_owned(),
        tier: "trial".to_owned(),
        display_name: String::new(),
        create_time: at(0),
        update_time: at(0),
        revision: 1,
    }
}

/// Stores a user or organisation.
pub(super) async fn stored(store: &impl Store, kind: OwnerKind, id: &str) -> Account {
    let account = account(kind, id);
    store
        .account_insert(account.clone(), effects(account.owner))
        .await
        .unwrap();
    account
}

pub(super) fn sealed(owner: Owner, tag: u8) -> SealedKey {
    let key = ProviderKey {
        id: keyward_runtime::ids::new(),
        owner,
        owner_id: "bob".to_owned(),
        provider: "openai".to_owned(),
        label: "a label".to_owned(),
        masked: "sk-…abcd".to_owned(),
        fingerprint: Fingerprint([tag; 16]),
        enabled: true,
        health: Health::Untested,
        health_reason: String::new(),
        version: 1,
        base_url: "https://llm.example".to_owned(),
        settings: KeySettings {
            endpoint: "https://acme.openai.azure.com".to_owned(),
            api_version: "2024-10-21".to_owned(),
            deployments: [("gpt-4o".to_owned(), "mine".to_owned())].into(),
            skip_format_check: true,
        },
        weight: 3,
        filters: KeyFilters {
            models: vec!["gpt-4o*".to_owned()],
            users: vec![AllowedUser {
                uid: Uuid::from_u128(7),
                id: "eve".to_owned(),
            }],
        },
        origin: Origin::Import,
        create_time: at(1),
        update_time: at(2),
        secret_time: at(1),
        failing_since: None,
        expire_time: Some(at(1000)),
        last_used_time: None,
        last_tested_time: None,
        revision: 1,
    };
    SealedKey {
        key,
        record: vec![tag; 60],
        state: Some([tag; 32]),
    }
}

pub(super) fn access_key(user: &Account, id: &str) -> AccessKey {
    AccessKey {
        uid: keyward_runtime::ids::new(),
        id: id.to_owned(),
        user: Some(Named {
            uid: user.owner.uid,
            id: user.id.clone(),
        }),
        organization: None,
        project: None,
        label: "laptop".to_owned(),
        scopes: [Scope::Inference, Scope::Usage].into_iter().collect(),
        expire_time: Some(at(50)),
        allowed_models: vec!["gpt-4o".to_owned()],
        limits: AccessKeyLimits {
            requests_per_minute: 1,
            tokens_per_minute: 2,
            concurrency: 3,
        },
        cache: Some(false),
        masked: "kw_…".to_owned(),
        create_time: at(0),
        revoke_time: None,
    }
}

pub(super) fn some_uid() -> Uuid {
    keyward_runtime::ids::new()
}
