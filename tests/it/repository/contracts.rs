//! What the contracts promise: lists that page, changes that can be repeated, and a word on
//! everything. What they promise of secrets is tried in `shared/proto/tests`.

use std::fs;

use prost_reflect::{DescriptorPool, MethodDescriptor};

/// Beginnings of the names of methods that change something.
const MUTATING: [&str; 14] = [
    "Activate", "Create", "Update", "Delete", "Rotate", "Import", "Revoke", "Set", "Remove",
    "Grant", "Place", "Settle", "Void", "Report",
];

fn pool() -> DescriptorPool {
    DescriptorPool::decode(keyward_proto::DESCRIPTORS).unwrap()
}

/// Every method of every service.
fn methods() -> Vec<MethodDescriptor> {
    let services: Vec<_> = pool().services().collect();
    services
        .iter()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_list_pages() {
    let lists = methods()
        .into_iter()
        .filter(|m| m.name().starts_with("List"));
    let lists: Vec<_> = lists.filter(|m| m.name() != "ListUsableKeys").collect();
    assert!(lists.len() >= 8);
    for method in lists {
        for name in ["page_size", "page_token"] {
            let field = method.input().get_field_by_name(name);
            assert!(field.is_some(), "{} has no {name}", method.full_name());
        }
        let token = method.output().get_field_by_name("next_page_token");
        assert!(
            token.is_some(),
            "{} has no next_page_token",
            method.full_name()
        );
    }
}

#[test]
fn every_change_can_be_repeated() {
    let methods = methods();
    let changes = methods.iter().filter(|method| {
        MUTATING
            .iter()
            .any(|start| method.name().starts_with(start))
    });
    let changes: Vec<_> = changes.collect();
    assert!(changes.len() >= 20);
    for method in changes {
        let field = method.input().get_field_by_name("request_id");
        assert!(field.is_some(), "{} has no request_id", method.full_name());
    }
}

#[test]
fn every_method_has_messages_of_its_own() {
    for method in methods() {
        let name = method.name();
        assert_eq!(
            method.input().name(),
            format!("{name}Request"),
            "{}",
            method.full_name()
        );
        assert_eq!(
            method.output().name(),
            format!("{name}Response"),
            "{}",
            method.full_name()
        );
    }
}

/// Over the text: comments are not in the descriptors that are shipped.
#[test]
fn everything_in_the_contracts_has_a_comment() {
    for package in ["vault", "router", "metering"] {
        let folder = super::root().join(format!("proto/keyward/{package}/v1"));
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let mut before = "";
            for line in text.lines() {
                let code = line.trim();
                let declares = ["message ", "service ", "enum ", "rpc ", "oneof "]
                    .iter()
                    .any(|word| code.starts_with(word))
                    || (code.contains(" = ") && code.ends_with(';') && line.starts_with(' '));
                let commented = before.trim_start().starts_with("//");
                assert!(
                    !declares || commented,
                    "{}: `{code}` has no comment",
                    path.display()
                );
                before = line;
            }
        }
    }
}
