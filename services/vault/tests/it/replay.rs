//! The same request again: the first answer, and no second effect.

use std::collections::BTreeSet;

use keyward_auth::Peer;
use keyward_proto::DESCRIPTORS;
use keyward_proto::vault::v1::{self as proto, KeyOutcome, OrganizationRole, OwnerKind, Scope};
use keyward_runtime::error::Reason;
use prost::Message;
use prost_types::{FieldMask, FileDescriptorSet};
use tonic::Status;

use crate::raw::{call, named};
use crate::rig::{
    ADMIN_KEY, FERNET_KEYS, Rig, fernet_token, new_import, new_key, ok, openai_key, reason, with,
    within,
};

const IDENTITY: &str = "/keyward.vault.v1.IdentityService/";
const KEYS: &str = "/keyward.vault.v1.ProviderKeyService/";
const VAULT: &str = "/keyward.vault.v1.VaultService/";

/// A method with a request that changes something, and another one.
struct Row {
    path: String,
    first: Vec<u8>,
    other: Vec<u8>,
}

fn row<M: Message>(service: &str, method: &str, first: &M, other: &M) -> Row {
    Row {
        path: format!("{service}{method}"),
        first: named("again", &first.encode_to_vec()),
        other: named("again", &other.encode_to_vec()),
    }
}

/// One row for each method, in an order in which each has something to change.
fn rows(first: &proto::ProviderKey, second: &str, access_key: &str) -> Vec<Row> {
    let mut rows = user_rows();
    rows.extend(organization_rows());
    rows.extend(project_rows());
    rows.extend(key_rows(first, second, access_key));
    rows.extend(master_key_rows());
    rows
}

fn master_key_rows() -> Vec<Row> {
    const SERVICE: &str = "/keyward.vault.v1.MasterKeyService/";
    macro_rules! about {
        ($request:ident, $id:expr) => {
            proto::$request {
                master_key_id: $id.into(),
                ..Default::default()
            }
        };
    }
    let (seal, unseal) = (
        proto::SealVaultRequest::default(),
        proto::UnsealVaultRequest::default(),
    );
    let because = || "because".to_owned();
    vec![
        row(
            SERVICE,
            "AddMasterKey",
            &about!(AddMasterKeyRequest, "next"),
            &about!(AddMasterKeyRequest, "other"),
        ),
        row(
            SERVICE,
            "ActivateMasterKey",
            &about!(ActivateMasterKeyRequest, "next"),
            &about!(ActivateMasterKeyRequest, "other"),
        ),
        row(
            SERVICE,
            "SealVault",
            &seal,
            &proto::SealVaultRequest {
                reason: because(),
                ..seal.clone()
            },
        ),
        row(
            SERVICE,
            "UnsealVault",
            &unseal,
            &proto::UnsealVaultRequest {
                reason: because(),
                ..unseal.clone()
            },
        ),
    ]
}

fn user_rows() -> Vec<Row> {
    let create = |id: &str| proto::CreateUserRequest {
        user: Some(proto::User {
            user_id: id.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let update = |name: &str| proto::UpdateUserRequest {
        user: Some(proto::User {
            user_id: "eve".into(),
            display_name: name.into(),
            ..Default::default()
        }),
        update_mask: Some(mask("display_name")),
        ..Default::default()
    };
    let set = |role: OrganizationRole| proto::SetMemberRequest {
        member: Some(proto::Member {
            organization: "acme".into(),
            user: "eve".into(),
            role: role.into(),
            ..Default::default()
        }),
        create_only: true,
        ..Default::default()
    };
    let remove = |user: &str| proto::RemoveMemberRequest {
        organization: "acme".into(),
        user: user.into(),
        ..Default::default()
    };
    let delete = |id: &str| proto::DeleteUserRequest {
        user_id: id.into(),
        ..Default::default()
    };
    vec![
        row(IDENTITY, "CreateUser", &create("eve"), &create("mallory")),
        row(IDENTITY, "UpdateUser", &update("Eve"), &update("Eva")),
        row(
            IDENTITY,
            "SetMember",
            &set(OrganizationRole::Member),
            &set(OrganizationRole::Viewer),
        ),
        row(IDENTITY, "RemoveMember", &remove("eve"), &remove("bob")),
        row(IDENTITY, "DeleteUser", &delete("eve"), &delete("bob")),
    ]
}

fn organization_rows() -> Vec<Row> {
    let create = |id: &str| proto::CreateOrganizationRequest {
        organization: Some(proto::Organization {
            organization_id: id.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let update = |tier: &str| proto::UpdateOrganizationRequest {
        organization: Some(proto::Organization {
            organization_id: "new".into(),
            tier: tier.into(),
            ..Default::default()
        }),
        update_mask: Some(mask("tier")),
        ..Default::default()
    };
    let delete = |id: &str| proto::DeleteOrganizationRequest {
        organization_id: id.into(),
        ..Default::default()
    };
    vec![
        row(
            IDENTITY,
            "CreateOrganization",
            &create("new"),
            &create("old"),
        ),
        row(
            IDENTITY,
            "UpdateOrganization",
            &update("starter"),
            &update("trial"),
        ),
        row(
            IDENTITY,
            "DeleteOrganization",
            &delete("new"),
            &delete("acme"),
        ),
    ]
}

fn project_rows() -> Vec<Row> {
    let project = |id: &str, name: &str| {
        Some(proto::Project {
            project_id: id.into(),
            user: "bob".into(),
            display_name: name.into(),
            ..Default::default()
        })
    };
    let create = |id: &str| proto::CreateProjectRequest {
        project: project(id, ""),
        ..Default::default()
    };
    let update = |name: &str| proto::UpdateProjectRequest {
        project: project("web", name),
        update_mask: Some(mask("display_name")),
        ..Default::default()
    };
    let delete = |id: &str| proto::DeleteProjectRequest {
        project_id: id.into(),
        user: "bob".into(),
        ..Default::default()
    };
    vec![
        row(IDENTITY, "CreateProject", &create("web"), &create("app")),
        row(IDENTITY, "UpdateProject", &update("Web"), &update("App")),
        row(IDENTITY, "DeleteProject", &delete("web"), &delete("app")),
    ]
}

fn key_rows(first: &proto::ProviderKey, second: &str, access_key: &str) -> Vec<Row> {
    let issue = |label: &str| proto::CreateAccessKeyRequest {
        access_key: Some(proto::AccessKey {
            user: "bob".into(),
            label: label.into(),
            scopes: vec![Scope::Inference.into()],
            ..Default::default()
        }),
        ..Default::default()
    };
    let revoke = |id: &str| proto::RevokeAccessKeyRequest {
        access_key_id: id.into(),
        ..Default::default()
    };
    let create = |tag: &str| new_key(Some((OwnerKind::User, "bob")), &openai_key(tag));
    let import = |tag: &str| {
        let token = fernet_token(FERNET_KEYS[1], openai_key(tag));
        new_import(Some((OwnerKind::User, "bob")), &token)
    };
    let update = |label: &str| proto::UpdateProviderKeyRequest {
        provider_key: Some(proto::ProviderKey {
            provider_key_id: first.provider_key_id.clone(),
            label: label.into(),
            ..Default::default()
        }),
        update_mask: Some(mask("label")),
        etag: first.etag.clone(),
        ..Default::default()
    };
    let rotate = |tag: &str| proto::RotateProviderKeyRequest {
        provider_key_id: first.provider_key_id.clone(),
        key: openai_key(tag),
        ..Default::default()
    };
    let delete = |id: &str| proto::DeleteProviderKeyRequest {
        provider_key_id: id.into(),
        ..Default::default()
    };
    let report = |outcome: KeyOutcome| proto::ReportKeyOutcomeRequest {
        provider_key_id: second.into(),
        version: 1,
        outcome: outcome.into(),
        ..Default::default()
    };
    vec![
        row(IDENTITY, "CreateAccessKey", &issue("one"), &issue("two")),
        row(
            IDENTITY,
            "RevokeAccessKey",
            &revoke(access_key),
            &revoke("no-such-key"),
        ),
        row(KEYS, "CreateProviderKey", &create("a"), &create("b")),
        row(KEYS, "ImportProviderKey", &import("i"), &import("j")),
        row(KEYS, "UpdateProviderKey", &update("one"), &update("two")),
        row(KEYS, "RotateProviderKey", &rotate("c"), &rotate("d")),
        row(
            KEYS,
            "DeleteProviderKey",
            &delete(&first.provider_key_id),
            &delete(second),
        ),
        row(
            VAULT,
            "ReportKeyOutcome",
            &report(KeyOutcome::Rejected),
            &report(KeyOutcome::Accepted),
        ),
    ]
}

fn mask(path: &str) -> FieldMask {
    FieldMask {
        paths: vec![path.into()],
    }
}

/// The paths of all methods of the vault whose requests have a `request_id`.
fn changing_methods() -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
    let vault: Vec<_> = files
        .iter()
        .filter(|file| file.package() == "keyward.vault.v1")
        .collect();
    let changes: BTreeSet<String> = vault
        .iter()
        .flat_map(|file| &file.message_type)
        .filter(|message| message.field.iter().any(|f| f.name() == "request_id"))
        .map(|message| format!(".keyward.vault.v1.{}", message.name()))
        .collect();
    let services = vault.iter().flat_map(|file| &file.service);
    let methods = services.flat_map(|service| {
        let path = move |method: &str| format!("/keyward.vault.v1.{}/{method}", service.name());
        service.method.iter().map(move |m| (m, path(m.name())))
    });
    methods
        .filter(|(method, _)| changes.contains(method.input_type()))
        .map(|(_, path)| path)
        .collect()
}

async fn head(rig: &Rig) -> u64 {
    let request = with(ADMIN_KEY, proto::ListUsableKeysRequest::default());
    ok(rig.router().list_usable_keys(request).await).sequence
}

#[tokio::test]
async fn every_change_is_answered_again_without_a_second_effect_and_told_from_another() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    rig.organization("acme").await;
    rig.member("acme", "bob", OrganizationRole::Owner).await;
    let first = rig.store_key(&bob, &openai_key("first")).await;
    let second = rig.store_key(&bob, &openai_key("second")).await;
    let listed = proto::ListAccessKeysRequest::default();
    let listed = ok(rig.identity().list_access_keys(with(&bob, listed)).await);
    let access_key = &listed.access_keys[0].access_key_id;
    let rows = rows(&first, &second.provider_key_id, access_key);
    let walked: BTreeSet<String> = rows.iter().map(|row| row.path.clone()).collect();
    // Those of a master key that nothing needs have a test of their own beside its whole life.
    let mut changing = changing_methods();
    for last in ["RetireMasterKey", "DestroyMasterKey"] {
        assert!(changing.remove(&format!("/keyward.vault.v1.MasterKeyService/{last}")));
    }
    assert_eq!(walked, changing);
    for Row { path, first, other } in rows {
        let peer = if path.starts_with(VAULT) {
            Peer::Router
        } else {
            Peer::Edge
        };
        let ask = async |message: &Vec<u8>| -> Result<Vec<u8>, Status> {
            call(rig.connect(peer), &path, with(ADMIN_KEY, message.clone())).await
        };
        let before = head(&rig).await;
        let answer = ask(&first).await.unwrap();
        let (changed, events) = (head(&rig).await, rig.events().await.len());
        assert!(changed > before, "{path} changes nothing");
        assert_eq!(ask(&first).await.unwrap(), answer, "{path}");
        let mismatch = reason(ask(&other).await);
        assert_eq!(mismatch, Reason::IdempotencyMismatch, "{path}");
        assert_eq!(head(&rig).await, changed, "{path} has changed more");
        assert_eq!(rig.events().await.len(), events, "{path} left an event");
    }
}

fn create_user(request_id: &str, id: &str) -> proto::CreateUserRequest {
    proto::CreateUserRequest {
        request_id: request_id.into(),
        user: Some(proto::User {
            user_id: id.into(),
            ..Default::default()
        }),
    }
}

fn issue(request_id: &str, organization: &str) -> proto::CreateAccessKeyRequest {
    proto::CreateAccessKeyRequest {
        request_id: request_id.into(),
        access_key: Some(proto::AccessKey {
            organization: organization.into(),
            scopes: vec![Scope::Usage.into()],
            ..Default::default()
        }),
    }
}

#[tokio::test]
async fn equal_requests_at_the_same_time_are_one_change() {
    let rig = Rig::start().await;
    let events = rig.events().await.len();
    let asks = (0..16).map(|_| async {
        let request = with(ADMIN_KEY, create_user("once", "eve"));
        ok(rig.identity().create_user(request).await).user.unwrap()
    });
    let users = futures::future::join_all(asks).await;
    assert!(users.iter().all(|user| *user == users[0]));
    assert_eq!(rig.events().await.len(), events + 1);
}

#[tokio::test]
async fn what_failed_is_not_remembered() {
    let rig = Rig::start().await;
    rig.user("eve").await;
    let ask = async || {
        let request = with(ADMIN_KEY, create_user("later", "eve"));
        rig.identity().create_user(request).await
    };
    assert_eq!(reason(ask().await), Reason::AlreadyExists);
    let delete = proto::DeleteUserRequest {
        user_id: "eve".into(),
        ..Default::default()
    };
    ok(rig.identity().delete_user(with(ADMIN_KEY, delete)).await);
    let made = ok(ask().await);
    assert_eq!(ok(ask().await), made);
}

#[tokio::test]
async fn a_request_without_an_id_is_never_taken_for_another() {
    let rig = Rig::start().await;
    let ask = async |id: &str| {
        let request = with(ADMIN_KEY, create_user("", id));
        rig.identity().create_user(request).await
    };
    ok(ask("eve").await);
    ok(ask("bob").await);
    assert_eq!(reason(ask("eve").await), Reason::AlreadyExists);
}

#[tokio::test]
async fn an_id_that_is_too_long_is_refused() {
    let rig = Rig::start().await;
    let request = with(ADMIN_KEY, create_user(&"x".repeat(256), "eve"));
    let refused = rig.identity().create_user(request).await;
    assert_eq!(reason(refused), Reason::InvalidRequest);
    let request = with(ADMIN_KEY, create_user(&"x".repeat(255), "eve"));
    ok(rig.identity().create_user(request).await);
}

#[tokio::test]
async fn ids_are_the_callers_own_and_the_access_keys() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let weaker = rig.access_key("bob", &[Scope::Keys, Scope::Usage]).await;
    let mut secrets = BTreeSet::new();
    for by in [&bob, &eve, &weaker] {
        let request = with(by, issue("mine", ""));
        secrets.insert(ok(rig.identity().create_access_key(request).await).secret);
    }
    assert_eq!(secrets.len(), 3);
}

#[tokio::test]
async fn an_answer_outlives_a_restart_and_is_forgotten_after_a_day() {
    let rig = Rig::start().await;
    let ask = async |rig: &Rig| {
        let request = with(ADMIN_KEY, create_user("kept", "eve"));
        rig.identity().create_user(request).await
    };
    let made = ok(ask(&rig).await);
    let rig = rig.restart().await;
    assert_eq!(ok(ask(&rig).await), made);
    rig.advance(24 * 60 * 60 + 60);
    assert_eq!(reason(ask(&rig).await), Reason::AlreadyExists);
}

#[tokio::test]
async fn who_may_not_do_it_any_more_is_not_told_again() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    rig.organization("acme").await;
    rig.member("acme", "bob", OrganizationRole::Admin).await;
    let ask = async || {
        let request = within("acme", with(&bob, issue("org", "acme")));
        rig.identity().create_access_key(request).await
    };
    let issued = ok(ask().await);
    assert_eq!(ok(ask().await).secret, issued.secret);
    rig.member("acme", "bob", OrganizationRole::Viewer).await;
    assert_eq!(reason(ask().await), Reason::InsufficientScope);
}

#[tokio::test]
async fn who_has_left_an_organisation_is_told_so_again() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    // Of several organisations bob acts in none unless he says which, before and after.
    for organization in ["acme", "blue", "cyan"] {
        rig.organization(organization).await;
        rig.member(organization, "bob", OrganizationRole::Member)
            .await;
    }
    for _ in 0..2 {
        let leave = proto::RemoveMemberRequest {
            request_id: "leave".into(),
            organization: "acme".into(),
            user: "bob".into(),
        };
        ok(rig.identity().remove_member(with(&bob, leave)).await);
    }
}

#[tokio::test]
async fn a_secret_is_answered_again_but_never_lies_in_the_store() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let ask = async || {
        let request = with(&bob, issue("secret", ""));
        rig.identity().create_access_key(request).await
    };
    let secret = ok(ask().await).secret;
    let key = openai_key("canary");
    let mut create = new_key(None, &key);
    create.request_id = "a-request-id-of-mine".into();
    ok(rig.keys().create_provider_key(with(&bob, create)).await);
    let stored = crate::custody::all_bytes(rig.path());
    for hidden in [secret.as_str(), &key, "a-request-id-of-mine"] {
        assert!(
            !crate::custody::contains(&stored, hidden.as_bytes()),
            "{hidden}"
        );
    }
    assert_eq!(ok(ask().await).secret, secret);
}

#[tokio::test]
async fn an_answer_goes_with_its_owner() {
    let rig = Rig::start().await;
    rig.user("bob").await;
    let mut issue = issue("theirs", "");
    issue.access_key.as_mut().unwrap().user = "bob".into();
    let ask = async || {
        let request = with(ADMIN_KEY, issue.clone());
        rig.identity().create_access_key(request).await
    };
    ok(ask().await);
    let delete = proto::DeleteUserRequest {
        user_id: "bob".into(),
        ..Default::default()
    };
    ok(rig.identity().delete_user(with(ADMIN_KEY, delete)).await);
    assert_eq!(reason(ask().await), Reason::NotFound);
}
