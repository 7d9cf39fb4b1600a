//! Secrets in the contracts: each field with one is marked, they leave by named answers
//! only, and no message prints one, whatever it is nested in.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};

include!(concat!(env!("OUT_DIR"), "/printers.rs"));

const CANARY: &str = "sk-proj-canary";

/// The one field by which a provider's key leaves a service.
const PROVIDER_KEY_OUT: &str = "keyward.vault.v1.UnsealProviderKeyResponse.secret";

/// Further answers with a secret: an access key and what a webhook's requests are signed with, both
/// shown once, and the signed statement of a caller.
const OTHERS_OUT: [&str; 3] = [
    "keyward.metering.v1.CreateWebhookResponse.secret",
    "keyward.vault.v1.CreateAccessKeyResponse.secret",
    "keyward.vault.v1.ExchangeCredentialResponse.grant",
];

/// Last words of the names of fields with a secret, and names that end so without one.
const SECRET_WORDS: [&str; 9] = [
    "key",
    "keys",
    "secret",
    "secrets",
    "credential",
    "grant",
    "token",
    "tokens",
    "password",
];
const NO_SECRETS: [&str; 6] = [
    "idempotency_key",
    "masked_key",
    "public_key",
    "signing_key",
    "page_token",
    "next_page_token",
];

/// How deep messages are filled; deeper than any of ours is nested.
const DEPTH_MAX: usize = 6;

fn shown<M: Message + Default + std::fmt::Debug>(bytes: &[u8]) -> String {
    format!("{0:?} {0:#?}", M::decode(bytes).unwrap())
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(keyward_proto::DESCRIPTORS).unwrap()
}

fn messages() -> Vec<MessageDescriptor> {
    let pool = pool();
    let ours = pool
        .all_messages()
        .filter(|message| message.package_name().starts_with("keyward."));
    ours.filter(|message| !message.is_map_entry()).collect()
}

fn is_secret(field: &FieldDescriptor) -> bool {
    let pool = field.parent_pool();
    let option = pool
        .get_extension_by_name("keyward.vault.v1.secret")
        .unwrap();
    field.options().get_extension(&option).as_bool() == Some(true)
}

fn canary(field: &FieldDescriptor) -> Value {
    match field.kind() {
        Kind::Bytes => Value::Bytes(CANARY.as_bytes().to_vec().into()),
        _ => Value::String(CANARY.to_owned()),
    }
}

/// The message with one secret in it, once for each place where one can be.
fn with_one_secret(message: &MessageDescriptor, depth: usize) -> Vec<DynamicMessage> {
    let mut filled = Vec::new();
    for field in message.fields() {
        let values = match field.kind() {
            _ if is_secret(&field) => vec![canary(&field)],
            Kind::Message(inner) if depth < DEPTH_MAX && !field.is_map() => {
                let inner = with_one_secret(&inner, depth + 1);
                inner.into_iter().map(Value::Message).collect()
            }
            _ => Vec::new(),
        };
        for value in values {
            let value = match field.is_list() {
                true => Value::List(vec![value]),
                false => value,
            };
            let mut one = DynamicMessage::new(message.clone());
            one.set_field(&field, value);
            filled.push(one);
        }
    }
    filled
}

/// Whether the canary is there, as text or as bytes are printed.
fn shows_canary(text: &str) -> bool {
    let numbers: Vec<String> = CANARY.bytes().map(|byte| byte.to_string()).collect();
    let joined: String = text.split_whitespace().collect();
    text.contains("canary") || joined.contains(&numbers.join(","))
}

#[test]
fn no_message_prints_a_secret_of_its_own_or_within_it() {
    let mut tried = BTreeSet::new();
    for message in messages() {
        for filled in with_one_secret(&message, 0) {
            let bytes = filled.encode_to_vec();
            let text = printed(message.full_name(), &bytes).unwrap();
            assert!(bytes.windows(6).any(|window| window == b"canary"));
            assert!(!shows_canary(&text), "{}: {text}", message.full_name());
            tried.insert(message.full_name().to_owned());
        }
    }
    for name in [
        "keyward.vault.v1.CreateProviderKeyRequest",
        "keyward.vault.v1.UnsealProviderKeyResponse",
        "keyward.router.v1.InvokeRequest",
    ] {
        assert!(tried.contains(name), "{name} was not tried");
    }
}

/// Otherwise the test above could not fail.
#[test]
fn what_is_no_secret_is_printed() {
    let list = pool()
        .get_message_by_name("keyward.vault.v1.ListProviderKeysRequest")
        .unwrap();
    let mut message = DynamicMessage::new(list.clone());
    message.set_field_by_name("page_token", Value::String(CANARY.to_owned()));
    let text = printed(list.full_name(), &message.encode_to_vec()).unwrap();
    assert!(shows_canary(&text), "{text}");
    assert!(shows_canary(&format!("{:?}", CANARY.as_bytes())));
}

#[test]
fn a_secret_is_text_outside_of_maps_and_choices() {
    for field in messages().iter().flat_map(MessageDescriptor::fields) {
        let name = field.full_name();
        let is_text = matches!(field.kind(), Kind::String | Kind::Bytes);
        let is_single = !field.is_map() && field.containing_oneof().is_none();
        assert!(!is_secret(&field) || (is_text && is_single), "{name}");
    }
}

/// In either, a secret could travel without being marked.
#[test]
fn nothing_travels_in_a_message_of_any_kind_nor_in_a_map_of_messages_with_secrets() {
    for field in messages().iter().flat_map(MessageDescriptor::fields) {
        let kind = match field.kind() {
            Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        let Kind::Message(message) = kind else {
            continue;
        };
        let name = field.full_name();
        for open in ["Any", "Struct", "Value", "ListValue"] {
            let open = format!("google.protobuf.{open}");
            assert_ne!(message.full_name(), open, "{name}");
        }
        let holds_secrets = !with_one_secret(&message, 0).is_empty();
        assert!(!field.is_map() || !holds_secrets, "{name}");
    }
}

#[test]
fn what_is_named_like_a_secret_is_marked_as_one() {
    for field in messages().iter().flat_map(MessageDescriptor::fields) {
        let last = field.name().rsplit('_').next().unwrap_or_default();
        let is_named = matches!(field.kind(), Kind::String | Kind::Bytes)
            && SECRET_WORDS.contains(&last)
            && !NO_SECRETS.contains(&field.name());
        assert!(
            !is_named || is_secret(&field),
            "{} is not marked",
            field.full_name()
        );
    }
}

#[test]
fn a_provider_key_leaves_by_one_field_and_other_secrets_by_named_ones() {
    let pool = pool();
    let mut out = BTreeSet::new();
    for method in pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
    {
        secrets_within(&method.output(), 0, &mut out);
    }
    let mut expect = BTreeSet::from(OTHERS_OUT.map(str::to_owned));
    expect.insert(PROVIDER_KEY_OUT.to_owned());
    assert_eq!(out, expect);
}

fn secrets_within(message: &MessageDescriptor, depth: usize, names: &mut BTreeSet<String>) {
    for field in message.fields() {
        if is_secret(&field) {
            names.insert(field.full_name().to_owned());
        }
        if let Kind::Message(inner) = field.kind()
            && depth < DEPTH_MAX
        {
            secrets_within(&inner, depth + 1, names);
        }
    }
}
