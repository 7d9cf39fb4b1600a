//! No two states have one MAC.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::domain::fingerprint::Fingerprint;
use crate::domain::key_filters::AllowedUser;
use crate::domain::provider_key::{Health, KeySettings, Origin};

fn key() -> ProviderKey {
    let time = |second| Timestamp::from_second(second).unwrap();
    ProviderKey {
        id: Uuid::from_u128(2),
        owner: Owner::user(Uuid::from_u128(1)),
        owner_id: "bob".into(),
        provider: "openai".into(),
        label: "laptop".into(),
        masked: "sk-…abcd".into(),
        fingerprint: Fingerprint([3; 16]),
        enabled: true,
        health: Health::Connected,
        health_reason: String::new(),
        version: 4,
        base_url: "https://llm.example".into(),
        settings: KeySettings {
            endpoint: String::new(),
            api_version: String::new(),
            deployments: BTreeMap::from([("a".into(), "b".into())]),
            skip_format_check: false,
        },
        weight: 1,
        filters: KeyFilters::default(),
        origin: Origin::Caller,
        create_time: time(1),
        update_time: time(2),
        secret_time: time(1),
        failing_since: None,
        expire_time: Some(time(3)),
        last_used_time: None,
        last_tested_time: None,
        revision: 5,
    }
}

/// One change to a row.
type Edit = fn(&mut ProviderKey);

#[test]
fn every_change_of_what_a_row_states_changes_its_mac() {
    let states = StateKey::new(&[7; 32]);
    let mac = states.sign_key(&key(), b"record");
    assert!(states.is_key(&key(), b"record", &mac));
    assert!(!states.is_key(&key(), b"recorD", &mac));
    assert!(!StateKey::new(&[8; 32]).is_key(&key(), b"record", &mac));
    let edits: [Edit; 25] = [
        |key| key.secret_time = key.update_time,
        |key| key.failing_since = Some(key.update_time),
        |key| key.id = Uuid::from_u128(9),
        |key| key.owner = Owner::organization(key.owner.uid),
        |key| key.owner.uid = Uuid::from_u128(9),
        |key| key.provider = "azure".into(),
        |key| key.label.clear(),
        |key| key.masked.clear(),
        |key| key.fingerprint.0[15] = 0,
        |key| key.enabled = false,
        |key| key.health = Health::Rejected,
        |key| key.health_reason = "no".into(),
        |key| key.version = 3,
        |key| key.base_url = "https://attacker.example".into(),
        |key| key.settings.endpoint = "x".into(),
        |key| key.settings.api_version = "x".into(),
        |key| key.settings.deployments = BTreeMap::from([("ab".into(), String::new())]),
        |key| key.settings.skip_format_check = true,
        |key| key.weight = 2,
        |key| key.filters.models = vec!["gpt-4o*".into()],
        |key| {
            key.filters.users = vec![AllowedUser {
                uid: Uuid::from_u128(1),
                id: "bob".into(),
            }];
        },
        |key| key.origin = Origin::Settings,
        |key| key.update_time = key.create_time,
        |key| key.expire_time = None,
        |key| key.revision = 6,
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let mut edited = key();
        edit(&mut edited);
        assert!(!states.is_key(&edited, b"record", &mac), "edit {number}");
    }
}

#[test]
fn being_used_or_tested_does_not_change_it() {
    let states = StateKey::new(&[7; 32]);
    let mac = states.sign_key(&key(), b"record");
    let used = ProviderKey {
        last_used_time: Some(key().create_time),
        last_tested_time: Some(key().create_time),
        ..key()
    };
    assert!(states.is_key(&used, b"record", &mac));
}

#[test]
fn a_floor_is_of_one_owner_and_cannot_be_lowered() {
    let states = StateKey::new(&[7; 32]);
    let floor = Floor {
        owner: Owner::SYSTEM,
        newest: 3,
        minimum: 2,
    };
    let mac = states.sign_floor(&floor);
    assert!(states.is_floor(&floor, &mac));
    for other in [
        Floor {
            minimum: 1,
            ..floor
        },
        Floor { newest: 2, ..floor },
        Floor {
            owner: Owner::user(Uuid::nil()),
            ..floor
        },
    ] {
        assert!(!states.is_floor(&other, &mac));
    }
}
