//! Known answers, made independently (`tests/vectors/gen_envelope.py`), and what must not open.

use proptest::prelude::*;
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::*;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::master_key::{MasterKey, MasterKeyRing};
use crate::domain::owner::{Owner, OwnerKind};

#[derive(Deserialize)]
struct Vectors {
    master_key_id: String,
    master_key: String,
    data_key: String,
    wrapped: Vec<WrappedVector>,
    records: Vec<RecordVector>,
    fingerprints: Vec<FingerprintVector>,
}

#[derive(Deserialize)]
struct WrappedVector {
    owner_kind: i64,
    owner_uid: String,
    generation: u32,
    nonce: String,
    wrapped: String,
}

#[derive(Deserialize)]
struct RecordVector {
    owner_kind: i64,
    owner_uid: String,
    record_id: String,
    version: u64,
    generation: u32,
    purpose: PurposeVector,
    salt: String,
    nonce: String,
    plaintext: String,
    record: String,
}

#[derive(Deserialize)]
struct PurposeVector {
    provider: String,
    base_url: String,
    api_version: String,
    account: String,
    scope: String,
}

#[derive(Deserialize)]
struct FingerprintVector {
    key: String,
    owner_uid: String,
    provider: String,
    secret: String,
    fingerprint: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/vectors/envelope.json")).unwrap()
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn uid(text: &str) -> Uuid {
    Uuid::from_bytes(bytes(text))
}

fn owner(kind: i64, owner_uid: &str) -> Owner {
    Owner {
        kind: OwnerKind::from_number(kind).unwrap(),
        uid: uid(owner_uid),
    }
}

fn master_ring(id: &str, key: &str) -> MasterKeyRing {
    MasterKeyRing::new(vec![MasterKey::new(id, &bytes::<32>(key)).unwrap()]).unwrap()
}

fn data_key(owner: Owner, generation: u32, key: &str) -> DataKey {
    DataKey::new(owner, generation, Zeroizing::new(bytes(key)))
}

fn purpose(vector: &PurposeVector) -> Purpose<'_> {
    Purpose {
        provider: &vector.provider,
        base_url: &vector.base_url,
        api_version: &vector.api_version,
        account: &vector.account,
        scope: &vector.scope,
    }
}

#[test]
fn data_keys_wrap_to_the_known_answers_and_open_again() {
    let vectors = vectors();
    let ring = master_ring(&vectors.master_key_id, &vectors.master_key);
    for vector in &vectors.wrapped {
        let owner = owner(vector.owner_kind, &vector.owner_uid);
        let key = data_key(owner, vector.generation, &vectors.data_key);
        let wrapped = wrap_data_key(ring.current(), &key, bytes(&vector.nonce)).unwrap();
        assert_eq!(hex::encode(&wrapped), vector.wrapped);
        let opened = unwrap_data_key(&ring, owner, vector.generation, &wrapped).unwrap();
        assert_eq!(hex::encode(opened.bytes()), vectors.data_key);
        assert_eq!(wrapped_by(&wrapped).unwrap(), vectors.master_key_id);
    }
}

#[test]
fn records_seal_to_the_known_answers_and_open_again() {
    let vectors = vectors();
    for vector in &vectors.records {
        let owner = owner(vector.owner_kind, &vector.owner_uid);
        let key = data_key(owner, vector.generation, &vectors.data_key);
        let binding = Binding {
            owner,
            record_id: uid(&vector.record_id),
            version: vector.version,
            purpose: purpose(&vector.purpose),
        };
        let plaintext = hex::decode(&vector.plaintext).unwrap();
        let (salt, nonce) = (bytes(&vector.salt), bytes(&vector.nonce));
        let record = seal_record(&key, &binding, &plaintext, salt, nonce).unwrap();
        assert_eq!(hex::encode(&record), vector.record);
        assert_eq!(*open_record(&key, &binding, &record).unwrap(), plaintext);
        assert_eq!(record_generation(&record).unwrap(), vector.generation);
    }
}

#[test]
fn fingerprints_are_the_known_answers() {
    for vector in vectors().fingerprints {
        let key = FingerprintKey::new(&hex::decode(&vector.key).unwrap());
        let secret = hex::decode(&vector.secret).unwrap();
        let made = key.fingerprint(uid(&vector.owner_uid), &vector.provider, &secret);
        assert_eq!(hex::encode(made.0), vector.fingerprint);
        assert_eq!(made.shown(), format!("fp:{}", &vector.fingerprint[..8]));
    }
}

/// A second set, from an earlier generator that shares no code with the one above.
#[test]
#[allow(clippy::too_many_lines, reason = "nearly all of it is data")]
fn an_earlier_generators_answers_hold_too() {
    let master = "53a820f65f35ff9118dda5bb16cab19b59d3f04e2778611ecd19ac24ee13d751";
    let key = "609e0d012547ca299ce6bcb321bd22cd8d528b7b22c4cc4afd77b441a8c874b7";
    let ring = master_ring("2026-11-a", master);
    let wrapped = [
        (
            OwnerKind::Organization,
            "42f44f621934c545e674784d9d9fb5f4",
            1,
            "010109323032362d31312d616658c8c7abe05a5f4d9a05cfb283a8fd21f65473f85e9d85c14255baeb123f7830ba549734baa5f712cc0a931610f8671ffa4a449bee64438993c542",
        ),
        (
            OwnerKind::User,
            "7c1c5ae34e17b7f41dcc91a3a7b7599e",
            7,
            "010109323032362d31312d612ce34faf4afe00b13c5b84e70c7abf392d3f0fada36373f2aa0bf832a46b526d5dc3825aedbcc59921aa855ba881b9bb7292e2447472b070bb0aa8f7",
        ),
        (
            OwnerKind::Project,
            "00000000000000000000000000000000",
            1,
            "010109323032362d31312d611e50a0e66341ae9f7d0c6213fc57a4c7e8ad5fc5e66d10ccfa003e7efb16de0b91c05e21cd8cfff4f2eca4ba5e51b20d93b70a718110676a5069b5cd",
        ),
    ];
    for (kind, owner_uid, generation, wrapped) in wrapped {
        let owner = Owner {
            kind,
            uid: uid(owner_uid),
        };
        let wrapped = hex::decode(wrapped).unwrap();
        let opened = unwrap_data_key(&ring, owner, generation, &wrapped).unwrap();
        assert_eq!(hex::encode(opened.bytes()), key);
    }
    let openai = ("openai", "https://api.openai.com/v1", "", "*");
    let azure = (
        "azure",
        "https://acme.openai.azure.com",
        "2024-10-21",
        "gpt-4o",
    );
    let records = [
        (
            OwnerKind::Organization,
            "42f44f621934c545e674784d9d9fb5f4",
            "e1ad42ac034e14b46864f0b8495e723a",
            1,
            openai,
            "736b2d70726f6a2d4b41544b41544b41544b41544b41544b41544b41544b4154",
            "01010000000199c49c5f383a675f7b17adaf33f1c3c12ba52ca56e5792dec57d492b24c5143176f51946e8d881f68acee97eaa6f8ed14926a087fac89a3c6cfb35f4206563aaef18a10e2a12065ae188a879",
        ),
        (
            OwnerKind::Organization,
            "42f44f621934c545e674784d9d9fb5f4",
            "548a486257c19d52ddac0b8f99376c0d",
            3,
            azure,
            "3031323334353637383961626364656630313233343536373839616263646566",
            "0101000000011ac3bfdcf567db2f0e1b173cfcfcebcc1f961114cb439948fb48336222223c09dda3c4d81653dcbb162b21ec7d44fe699c743239558cfe34dd2a5154a9121d0795d1256cd3f6d6db019ca786",
        ),
        (
            OwnerKind::User,
            "7c1c5ae34e17b7f41dcc91a3a7b7599e",
            "bdfcf4f80b9c30a6dd3fc2c1cf2282fa",
            1_099_511_627_776,
            openai,
            "",
            "010100000001ce8e72561d293814e4066a74040d1ea778eb2f298fbab5f4d0ff5c2b7202b780c71441eeea996820d6d6e284",
        ),
    ];
    for (kind, owner_uid, record_id, version, used_for, plaintext, record) in records {
        let owner = Owner {
            kind,
            uid: uid(owner_uid),
        };
        let (provider, base_url, api_version, scope) = used_for;
        let purpose = Purpose {
            provider,
            base_url,
            api_version,
            account: "",
            scope,
        };
        let binding = Binding {
            owner,
            record_id: uid(record_id),
            version,
            purpose,
        };
        let record = hex::decode(record).unwrap();
        let opened = open_record(&data_key(owner, 1, key), &binding, &record).unwrap();
        assert_eq!(hex::encode(&*opened), plaintext);
    }
    let fingerprint_key = FingerprintKey::new(&bytes::<32>(
        "a17413e631652e6cab25dabc39e7cc35e6494ec4e05819569c283a7adc425617",
    ));
    let fingerprints = [
        (
            "42f44f621934c545e674784d9d9fb5f4",
            "openai",
            "1b777d0c381cafd61ff199a3b501e266",
        ),
        (
            "7c1c5ae34e17b7f41dcc91a3a7b7599e",
            "openai",
            "c04e64e9c80eebbb48a68d2fb59b3539",
        ),
        (
            "42f44f621934c545e674784d9d9fb5f4",
            "anthropic",
            "a8dcf0400ccab94476cef196eca2c3c8",
        ),
    ];
    for (owner_uid, provider, expect) in fingerprints {
        let secret = b"sk-proj-KATKATKATKATKATKATKATKAT";
        let made = fingerprint_key.fingerprint(uid(owner_uid), provider, secret);
        assert_eq!(hex::encode(made.0), expect);
    }
}

const KEY_HEX: &str = "609e0d012547ca299ce6bcb321bd22cd8d528b7b22c4cc4afd77b441a8c874b7";

fn sample_binding() -> Binding<'static> {
    Binding {
        owner: Owner::user(Uuid::from_u128(1)),
        record_id: Uuid::from_u128(2),
        version: 3,
        purpose: Purpose {
            provider: "openai",
            base_url: "https://llm.example/v1",
            api_version: "v",
            account: "a",
            scope: "*",
        },
    }
}

/// A record of every cipher there is.
fn sealed_by_each(key: &DataKey, binding: &Binding<'_>, plaintext: &[u8]) -> [Vec<u8>; 2] {
    [
        seal_record(key, binding, plaintext, [1; 16], [2; 12]).unwrap(),
        seal_fernet_record(key, binding, plaintext, [3; 16], 4).unwrap(),
    ]
}

#[test]
fn a_record_opens_only_where_it_belongs() {
    let right = sample_binding();
    let key = data_key(right.owner, 1, KEY_HEX);
    for record in sealed_by_each(&key, &right, b"sk-secret") {
        assert_eq!(*open_record(&key, &right, &record).unwrap(), b"sk-secret");
        opens_nowhere_else(&key, right, &record);
    }
}

fn opens_nowhere_else(key: &DataKey, right: Binding<'static>, record: &[u8]) {
    let with = |change: fn(&mut Binding<'static>)| {
        let mut wrong = right;
        change(&mut wrong);
        wrong
    };
    let moved = [
        with(|b| b.record_id = Uuid::from_u128(9)),
        with(|b| b.version = 4),
        with(|b| b.purpose.provider = "azure"),
        with(|b| b.purpose.base_url = "https://attacker.example/v1"),
        with(|b| b.purpose.api_version = ""),
        with(|b| b.purpose.account = "b"),
        with(|b| b.purpose.scope = "gpt-4o"),
        with(|b| (b.purpose.api_version, b.purpose.account) = ("", "va")),
    ];
    for wrong in moved {
        assert_eq!(
            open_record(key, &wrong, record),
            Err(OpenError::NotAuthentic)
        );
    }
    for other in [
        Owner::user(Uuid::from_u128(9)),
        Owner::organization(right.owner.uid),
    ] {
        let mut wrong = right;
        wrong.owner = other;
        assert_eq!(
            open_record(key, &wrong, record),
            Err(OpenError::NotAuthentic)
        );
        // Nor with the same key material presented as the other owner's.
        let borrowed = data_key(other, 1, KEY_HEX);
        assert_eq!(
            open_record(&borrowed, &wrong, record),
            Err(OpenError::NotAuthentic)
        );
    }
}

#[test]
fn unknown_layouts_generations_and_master_keys_are_named() {
    let binding = sample_binding();
    let key = data_key(binding.owner, 1, KEY_HEX);
    for record in sealed_by_each(&key, &binding, b"x") {
        for suite in (0..=255).filter(|suite| *suite != record[1]) {
            let mut other = record.clone();
            other[1] = suite;
            // One that is known is taken at its word, and nothing else is tried.
            let refused = open_record(&key, &binding, &other);
            match suite {
                SUITE_AES_256_GCM | SUITE_FERNET => {
                    assert_eq!(refused, Err(OpenError::NotAuthentic));
                }
                _ => assert_eq!(refused, Err(OpenError::UnknownSuite)),
            }
        }
        let newer = data_key(binding.owner, 2, KEY_HEX);
        assert_eq!(
            open_record(&newer, &binding, &record),
            Err(OpenError::OtherGeneration)
        );
    }
    let ring = master_ring("a", KEY_HEX);
    let wrapped = wrap_data_key(ring.current(), &key, [3; 12]).unwrap();
    let other = master_ring("b", KEY_HEX);
    let error = unwrap_data_key(&other, binding.owner, 1, &wrapped).unwrap_err();
    assert_eq!(error, OpenError::UnknownMasterKey);
}

#[test]
fn every_flipped_bit_of_a_record_refuses_to_open() {
    let binding = sample_binding();
    let key = data_key(binding.owner, 1, KEY_HEX);
    let plaintext = b"sk-secret-of-some-length-0123456789";
    let record = seal_record(&key, &binding, plaintext, [1; 16], [2; 12]).unwrap();
    assert_eq!(record.len(), 50 + plaintext.len());
    for bit in 0..record.len() * 8 {
        let mut flipped = record.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(open_record(&key, &binding, &flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn every_other_layout_and_suite_and_every_shorter_record_is_refused() {
    let binding = sample_binding();
    let key = data_key(binding.owner, 1, KEY_HEX);
    let record = seal_record(&key, &binding, b"sk-secret", [1; 16], [2; 12]).unwrap();
    for layout in (0..=255).filter(|layout| *layout != LAYOUT_VERSION) {
        let mut other = record.clone();
        other[0] = layout;
        let opened = open_record(&key, &binding, &other);
        assert_eq!(opened, Err(OpenError::UnknownSuite), "layout {layout}");
    }
    for suite in (0..=255).filter(|suite| *suite != SUITE_AES_256_GCM) {
        let mut other = record.clone();
        other[1] = suite;
        assert!(
            open_record(&key, &binding, &other).is_err(),
            "suite {suite}"
        );
    }
    for length in 0..record.len() {
        assert!(
            open_record(&key, &binding, &record[..length]).is_err(),
            "{length} bytes"
        );
    }
    let longer = [record.as_slice(), &[0]].concat();
    assert_eq!(
        open_record(&key, &binding, &longer),
        Err(OpenError::NotAuthentic)
    );
}

/// Wycheproof's AES-GCM cases with the key and nonce sizes that are used here.
#[test]
fn sealing_and_opening_agree_with_wycheproof() {
    use wycheproof::{TestResult, aead};
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let groups = set
        .test_groups
        .iter()
        .filter(|group| (group.key_size, group.nonce_size) == (256, 8 * NONCE_BYTES));
    let (mut valid, mut invalid) = (0, 0);
    for case in groups.flat_map(|group| &group.tests) {
        let nonce = case.nonce.as_slice().try_into().unwrap();
        let sealed = [case.ct.as_slice(), &case.tag].concat();
        let opened = open_aes_256_gcm(&case.key, nonce, &case.aad, &sealed);
        if case.result == TestResult::Invalid {
            assert_eq!(opened, Err(OpenError::NotAuthentic), "case {}", case.tc_id);
            invalid += 1;
            continue;
        }
        assert_eq!(
            opened.unwrap().as_slice(),
            case.pt.as_slice(),
            "case {}",
            case.tc_id
        );
        let again = seal_aes_256_gcm(&case.key, nonce, &case.aad, &case.pt).unwrap();
        assert_eq!(again, sealed, "case {}", case.tc_id);
        valid += 1;
    }
    assert_eq!((valid, invalid), (39, 27));
}

proptest! {
    #[test]
    fn any_changed_byte_of_a_record_refuses_to_open(
        plaintext in proptest::collection::vec(any::<u8>(), 0..80),
        place in any::<proptest::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let binding = sample_binding();
        let key = data_key(binding.owner, 1, KEY_HEX);
        for record in sealed_by_each(&key, &binding, &plaintext) {
            prop_assert_eq!(&*open_record(&key, &binding, &record).unwrap(), &plaintext);
            let mut changed = record.clone();
            changed[place.index(record.len())] ^= change;
            prop_assert!(open_record(&key, &binding, &changed).is_err());
            let cut = &record[..place.index(record.len())];
            prop_assert!(open_record(&key, &binding, cut).is_err());
        }
    }

    #[test]
    fn any_changed_byte_of_a_wrapped_data_key_refuses_to_open(
        place in any::<proptest::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let owner = sample_binding().owner;
        let ring = master_ring("master-1", KEY_HEX);
        let key = data_key(owner, 1, KEY_HEX);
        let wrapped = wrap_data_key(ring.current(), &key, [3; 12]).unwrap();
        let mut changed = wrapped.clone();
        changed[place.index(wrapped.len())] ^= change;
        prop_assert!(unwrap_data_key(&ring, owner, 1, &changed).is_err());
    }

    #[test]
    fn no_bytes_make_opening_panic(junk in proptest::collection::vec(any::<u8>(), 0..120)) {
        let binding = sample_binding();
        let key = data_key(binding.owner, 1, KEY_HEX);
        prop_assert!(open_record(&key, &binding, &junk).is_err());
        let ring = master_ring("master-1", KEY_HEX);
        prop_assert!(unwrap_data_key(&ring, binding.owner, 1, &junk).is_err());
    }
}
