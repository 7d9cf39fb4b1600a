use super::*;

pub(crate) fn sample() -> ProviderKey {
    ProviderKey {
        id: Uuid::from_u128(7),
        owner: Owner::user(Uuid::from_u128(1)),
        owner_id: "bob".to_owned(),
        provider: "openai".to_owned(),
        label: String::new(),
        masked: String::new(),
        fingerprint: Fingerprint([0; 16]),
        enabled: true,
        health: Health::Untested,
        health_reason: String::new(),
        version: 1,
        base_url: String::new(),
        settings: KeySettings::default(),
        weight: WEIGHT_DEFAULT,
        filters: KeyFilters::default(),
        origin: Origin::Caller,
        create_time: Timestamp::UNIX_EPOCH,
        update_time: Timestamp::UNIX_EPOCH,
        secret_time: Timestamp::UNIX_EPOCH,
        failing_since: None,
        expire_time: None,
        last_used_time: None,
        last_tested_time: None,
        revision: 1,
    }
}

#[test]
fn the_status_is_the_owners_word_then_time_then_the_providers() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let check = |enabled, expire_time, health, expect| {
        let key = ProviderKey {
            enabled,
            health,
            expire_time,
            ..sample()
        };
        assert_eq!(key.status(at(100)), expect);
    };
    check(true, None, Health::Untested, Status::Untested);
    check(true, None, Health::Connected, Status::Connected);
    check(true, None, Health::Rejected, Status::Error);
    check(true, None, Health::QuotaExhausted, Status::Error);
    check(true, Some(at(101)), Health::Connected, Status::Connected);
    check(true, Some(at(100)), Health::Connected, Status::Expired);
    check(true, Some(at(99)), Health::Rejected, Status::Expired);
    check(false, Some(at(99)), Health::Rejected, Status::Disabled);
}

#[test]
fn an_etag_changes_with_every_revision_and_every_thing() {
    let one = sample();
    let next = ProviderKey {
        revision: 2,
        ..sample()
    };
    let other = ProviderKey {
        id: Uuid::from_u128(8),
        ..sample()
    };
    assert_ne!(one.etag(), next.etag());
    assert_ne!(one.etag(), other.etag());
}

#[test]
fn reasons_are_one_line_of_500_characters_at_most() {
    assert_eq!(cut_reason("a\nb"), "a b");
    assert_eq!(cut_reason(&"ä".repeat(600)).chars().count(), 500);
}
