//! Every method, called by a stranger: not found, or refused, and nothing changed.

use std::collections::BTreeSet;

use keyward_auth::Peer;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_proto::vault::v1::{self as proto, OrganizationRole, OwnerKind, Scope};
use keyward_runtime::error::Reason;
use prost_types::FieldMask;
use tonic::Status;

use crate::rig::{
    ADMIN_KEY, FERNET_KEYS, Rig, fernet_token, new_import, new_key, ok, openai_key, reason,
    unsealing, with, within,
};

/// What bob and his organisation have.
struct Estate {
    of_user: String,
    of_organization: String,
    of_project: String,
    access_key: String,
}

async fn estate(rig: &Rig) -> Estate {
    let bob = rig.user("bob").await;
    rig.organization("acme").await;
    rig.member("acme", "bob", OrganizationRole::Owner).await;
    for (user, organization) in [("bob", ""), ("", "acme")] {
        let project = proto::Project {
            project_id: "web".into(),
            user: user.into(),
            organization: organization.into(),
            ..Default::default()
        };
        let request = proto::CreateProjectRequest {
            project: Some(project),
            ..Default::default()
        };
        ok(rig.identity().create_project(with(&bob, request)).await);
    }
    let mut ids = Vec::new();
    let owners = [
        (OwnerKind::User, "bob"),
        (OwnerKind::Organization, "acme"),
        (OwnerKind::Project, "organizations/acme/projects/web"),
    ];
    for (number, owner) in owners.into_iter().enumerate() {
        let request = new_key(Some(owner), &openai_key(&format!("k{number}")));
        let stored = ok(rig.keys().create_provider_key(with(&bob, request)).await);
        ids.push(stored.provider_key.unwrap().provider_key_id);
    }
    let request = with(&bob, proto::ListAccessKeysRequest::default());
    let listed = rig.identity().list_access_keys(request).await;
    let access_key = ok(listed).access_keys[0].access_key_id.clone();
    let [of_user, of_organization, of_project] = ids.try_into().unwrap();
    Estate {
        of_user,
        of_organization,
        of_project,
        access_key,
    }
}

/// What a call came to, with the method's name.
struct Attempts(Vec<(&'static str, Result<(), Status>)>);

impl Attempts {
    fn add<T>(&mut self, method: &'static str, result: Result<T, Status>) {
        self.0.push((method, result.map(drop)));
    }
}

async fn on_keys(rig: &Rig, stranger: &str, estate: &Estate, attempts: &mut Attempts) {
    for id in [&estate.of_user, &estate.of_organization, &estate.of_project] {
        let provider_key_id = id.clone();
        let get = proto::GetProviderKeyRequest { provider_key_id };
        attempts.add(
            "GetProviderKey",
            rig.keys().get_provider_key(with(stranger, get)).await,
        );
        let update = proto::UpdateProviderKeyRequest {
            provider_key: Some(proto::ProviderKey {
                provider_key_id: id.clone(),
                ..Default::default()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["enabled".into()],
            }),
            ..Default::default()
        };
        attempts.add(
            "UpdateProviderKey",
            rig.keys().update_provider_key(with(stranger, update)).await,
        );
        let rotate = proto::RotateProviderKeyRequest {
            provider_key_id: id.clone(),
            key: openai_key("evil"),
            ..Default::default()
        };
        attempts.add(
            "RotateProviderKey",
            rig.keys().rotate_provider_key(with(stranger, rotate)).await,
        );
        let provider_key_id = id.clone();
        let delete = proto::DeleteProviderKeyRequest {
            provider_key_id,
            ..Default::default()
        };
        attempts.add(
            "DeleteProviderKey",
            rig.keys().delete_provider_key(with(stranger, delete)).await,
        );
        for purpose in [
            proto::UnsealPurpose::Serve,
            proto::UnsealPurpose::Refresh,
            proto::UnsealPurpose::Test,
        ] {
            let unsealed = rig.unseal(with(stranger, unsealing(id, purpose))).await;
            attempts.add("UnsealProviderKey", unsealed);
        }
    }
    for owner in [
        (OwnerKind::User, "bob"),
        (OwnerKind::Organization, "acme"),
        (OwnerKind::Project, "organizations/acme/projects/web"),
        (OwnerKind::Project, "users/bob/projects/web"),
        (OwnerKind::System, ""),
    ] {
        let create = new_key(Some(owner), &openai_key("evil"));
        attempts.add(
            "CreateProviderKey",
            rig.keys().create_provider_key(with(stranger, create)).await,
        );
        let token = fernet_token(FERNET_KEYS[0], openai_key("evil"));
        let import = new_import(Some(owner), &token);
        attempts.add(
            "ImportProviderKey",
            rig.keys().import_provider_key(with(stranger, import)).await,
        );
        let owner = Some(proto::Owner {
            kind: owner.0.into(),
            id: owner.1.into(),
        });
        let list = proto::ListProviderKeysRequest {
            owner,
            ..Default::default()
        };
        attempts.add(
            "ListProviderKeys",
            rig.keys().list_provider_keys(with(stranger, list)).await,
        );
    }
    let usable = within("acme", with(stranger, proto::ListUsableKeysRequest {}));
    attempts.add(
        "ListUsableKeys",
        rig.router().list_usable_keys(usable).await,
    );
}

#[expect(clippy::too_many_lines, reason = "one try for each method")]
async fn on_accounts(rig: &Rig, stranger: &str, attempts: &mut Attempts) {
    let mut identity = rig.identity();
    let mask = || {
        Some(FieldMask {
            paths: vec!["display_name".into()],
        })
    };
    let get = proto::GetUserRequest {
        user_id: "bob".into(),
    };
    attempts.add("GetUser", identity.get_user(with(stranger, get)).await);
    let user = Some(proto::User {
        user_id: "bob".into(),
        ..Default::default()
    });
    let create = proto::CreateUserRequest {
        user: user.clone(),
        ..Default::default()
    };
    attempts.add(
        "CreateUser",
        identity.create_user(with(stranger, create)).await,
    );
    let update = proto::UpdateUserRequest {
        user,
        update_mask: mask(),
        ..Default::default()
    };
    attempts.add(
        "UpdateUser",
        identity.update_user(with(stranger, update)).await,
    );
    let delete = proto::DeleteUserRequest {
        user_id: "bob".into(),
        ..Default::default()
    };
    attempts.add(
        "DeleteUser",
        identity.delete_user(with(stranger, delete)).await,
    );
    let get = proto::GetOrganizationRequest {
        organization_id: "acme".into(),
    };
    attempts.add(
        "GetOrganization",
        identity.get_organization(with(stranger, get)).await,
    );
    let organization = Some(proto::Organization {
        organization_id: "acme".into(),
        ..Default::default()
    });
    let create = proto::CreateOrganizationRequest {
        organization: organization.clone(),
        ..Default::default()
    };
    attempts.add(
        "CreateOrganization",
        identity.create_organization(with(stranger, create)).await,
    );
    let update = proto::UpdateOrganizationRequest {
        organization,
        update_mask: mask(),
        ..Default::default()
    };
    attempts.add(
        "UpdateOrganization",
        identity.update_organization(with(stranger, update)).await,
    );
    let delete = proto::DeleteOrganizationRequest {
        organization_id: "acme".into(),
        ..Default::default()
    };
    attempts.add(
        "DeleteOrganization",
        identity.delete_organization(with(stranger, delete)).await,
    );
    for account in ["users/bob", "organizations/acme"] {
        let resolve = proto::ResolveAccountRequest {
            account: account.into(),
        };
        attempts.add(
            "ResolveAccount",
            identity.resolve_account(with(stranger, resolve)).await,
        );
    }
    for (kind, id) in [
        (proto::OwnerKind::User, "bob"),
        (proto::OwnerKind::Organization, "acme"),
        (proto::OwnerKind::Project, "organizations/acme/projects/web"),
    ] {
        let owner = Some(proto::Owner {
            kind: kind.into(),
            id: id.into(),
        });
        let resolve = proto::ResolveOwnerRequest { owner };
        let mut asked = IdentityServiceClient::new(rig.connect(Peer::Router));
        attempts.add(
            "ResolveOwner",
            asked.resolve_owner(with(stranger, resolve)).await,
        );
    }
}

async fn on_members_and_projects(rig: &Rig, stranger: &str, attempts: &mut Attempts) {
    let mut identity = rig.identity();
    let member = |user: &str| {
        Some(proto::Member {
            organization: "acme".into(),
            user: user.into(),
            role: OrganizationRole::Owner.into(),
            ..Default::default()
        })
    };
    for user in ["bob", "eve"] {
        let set = proto::SetMemberRequest {
            member: member(user),
            ..Default::default()
        };
        attempts.add("SetMember", identity.set_member(with(stranger, set)).await);
        let get = proto::GetMemberRequest {
            organization: "acme".into(),
            user: user.into(),
        };
        attempts.add("GetMember", identity.get_member(with(stranger, get)).await);
        let remove = proto::RemoveMemberRequest {
            organization: "acme".into(),
            user: user.into(),
            ..Default::default()
        };
        attempts.add(
            "RemoveMember",
            identity.remove_member(with(stranger, remove)).await,
        );
    }
    let list = proto::ListMembersRequest {
        organization: "acme".into(),
        ..Default::default()
    };
    attempts.add(
        "ListMembers",
        identity.list_members(with(stranger, list)).await,
    );
    for (user, organization) in [("bob", ""), ("", "acme")] {
        let (user, organization) = (user.to_owned(), organization.to_owned());
        let project = Some(proto::Project {
            project_id: "web".into(),
            user: user.clone(),
            organization: organization.clone(),
            ..Default::default()
        });
        let create = proto::CreateProjectRequest {
            project: project.clone(),
            ..Default::default()
        };
        attempts.add(
            "CreateProject",
            identity.create_project(with(stranger, create)).await,
        );
        let update = proto::UpdateProjectRequest {
            project,
            update_mask: Some(FieldMask {
                paths: vec!["display_name".into()],
            }),
            ..Default::default()
        };
        attempts.add(
            "UpdateProject",
            identity.update_project(with(stranger, update)).await,
        );
        let project_id = "web".to_owned();
        let get = proto::GetProjectRequest {
            project_id: project_id.clone(),
            user: user.clone(),
            organization: organization.clone(),
        };
        attempts.add(
            "GetProject",
            identity.get_project(with(stranger, get)).await,
        );
        let list = proto::ListProjectsRequest {
            user: user.clone(),
            organization: organization.clone(),
            ..Default::default()
        };
        attempts.add(
            "ListProjects",
            identity.list_projects(with(stranger, list)).await,
        );
        let delete = proto::DeleteProjectRequest {
            project_id,
            user,
            organization,
            ..Default::default()
        };
        attempts.add(
            "DeleteProject",
            identity.delete_project(with(stranger, delete)).await,
        );
    }
}

async fn on_access_keys(rig: &Rig, stranger: &str, estate: &Estate, attempts: &mut Attempts) {
    let mut identity = rig.identity();
    let access_key_id = estate.access_key.clone();
    let get = proto::GetAccessKeyRequest {
        access_key_id: access_key_id.clone(),
    };
    attempts.add(
        "GetAccessKey",
        identity.get_access_key(with(stranger, get)).await,
    );
    let revoke = proto::RevokeAccessKeyRequest {
        access_key_id,
        ..Default::default()
    };
    attempts.add(
        "RevokeAccessKey",
        identity.revoke_access_key(with(stranger, revoke)).await,
    );
    for (user, organization) in [("bob", ""), ("", "acme"), ("eve", "acme"), ("bob", "acme")] {
        let key = proto::AccessKey {
            user: user.into(),
            organization: organization.into(),
            scopes: vec![Scope::Inference.into()],
            ..Default::default()
        };
        attempts.add("CreateAccessKey", rig.issue(stranger, key).await);
    }
    for (user, organization) in [("bob", ""), ("", "acme")] {
        let (user, organization) = (user.to_owned(), organization.to_owned());
        let list = proto::ListAccessKeysRequest {
            user,
            organization,
            ..Default::default()
        };
        attempts.add(
            "ListAccessKeys",
            identity.list_access_keys(with(stranger, list)).await,
        );
    }
}

#[tokio::test]
async fn a_stranger_gets_nowhere_by_any_method() {
    let rig = Rig::start().await;
    let estate = estate(&rig).await;
    let before = rig.get_key(ADMIN_KEY, &estate.of_user).await;
    let eve = rig.user("eve").await;
    let mut attempts = Attempts(Vec::new());
    on_keys(&rig, &eve, &estate, &mut attempts).await;
    on_accounts(&rig, &eve, &mut attempts).await;
    on_members_and_projects(&rig, &eve, &mut attempts).await;
    on_access_keys(&rig, &eve, &estate, &mut attempts).await;

    // What asks for a scope that she lacks is refused before anything is looked for.
    let by_scope = BTreeSet::from([
        "CreateUser",
        "UpdateUser",
        "DeleteUser",
        "CreateOrganization",
        "UpdateOrganization",
        "DeleteOrganization",
    ]);
    for (method, result) in attempts.0 {
        let expect = match by_scope.contains(method) {
            true => Reason::InsufficientScope,
            false => Reason::NotFound,
        };
        assert_eq!(reason(result), expect, "{method}");
    }
    // Lists without a name show only her own.
    let users = rig
        .identity()
        .list_users(with(&eve, proto::ListUsersRequest::default()))
        .await;
    let users: Vec<_> = ok(users)
        .users
        .into_iter()
        .map(|user| user.user_id)
        .collect();
    assert_eq!(users, ["eve"]);
    let organizations = proto::ListOrganizationsRequest::default();
    let organizations = rig
        .identity()
        .list_organizations(with(&eve, organizations))
        .await;
    assert!(ok(organizations).organizations.is_empty());
    let request = with(&eve, proto::ListAuditEventsRequest::default());
    let events = rig.audit().list_audit_events(request).await;
    assert!(
        ok(events)
            .audit_events
            .iter()
            .all(|event| event.user == "eve")
    );
    assert_eq!(rig.get_key(ADMIN_KEY, &estate.of_user).await, before);
}

#[tokio::test]
async fn what_is_there_and_what_is_not_look_the_same_to_a_stranger() {
    let rig = Rig::start().await;
    let estate = estate(&rig).await;
    let eve = rig.user("eve").await;
    let get = async |id: &str| {
        let request = proto::GetProviderKeyRequest {
            provider_key_id: id.to_owned(),
        };
        let status = rig
            .keys()
            .get_provider_key(with(&eve, request))
            .await
            .unwrap_err();
        (
            status.code(),
            status.message().to_owned(),
            status.details().to_vec(),
        )
    };
    let absent = get("01900000-0000-7000-8000-000000000000").await;
    assert_eq!(get(&estate.of_user).await, absent);
    assert_eq!(get("junk").await, absent);
    let list = async |id: &str| {
        let owner = Some(proto::Owner {
            kind: OwnerKind::Organization.into(),
            id: id.into(),
        });
        let request = proto::ListProviderKeysRequest {
            owner,
            ..Default::default()
        };
        let status = rig
            .keys()
            .list_provider_keys(with(&eve, request))
            .await
            .unwrap_err();
        (status.code(), status.message().to_owned())
    };
    assert_eq!(list("acme").await, list("no-such").await);
    let members = async |id: &str| {
        let request = proto::ListMembersRequest {
            organization: id.into(),
            ..Default::default()
        };
        let status = rig
            .identity()
            .list_members(with(&eve, request))
            .await
            .unwrap_err();
        (status.code(), status.message().to_owned())
    };
    assert_eq!(members("acme").await, members("no-such").await);
}

/// What a stranger learns of an attempt: the refusal, and what the own audit log then holds.
async fn learnt<T: std::fmt::Debug>(
    rig: &Rig,
    stranger: &str,
    attempt: Result<T, tonic::Status>,
) -> (tonic::Code, String, usize) {
    let refused = attempt.unwrap_err();
    let request = proto::ListAuditEventsRequest {
        page_size: 200,
        ..Default::default()
    };
    let log = ok(rig.audit().list_audit_events(with(stranger, request)).await);
    let (code, message) = (refused.code(), refused.message().to_owned());
    (code, message, log.audit_events.len())
}

#[tokio::test]
async fn neither_a_refusal_nor_the_log_tells_a_stranger_what_exists() {
    let rig = Rig::start().await;
    estate(&rig).await;
    let eve = rig.user("eve").await;
    let issue = async |user: &str, organization: &str| {
        let key = proto::AccessKey {
            user: user.into(),
            organization: organization.into(),
            scopes: vec![proto::Scope::Inference.into()],
            ..Default::default()
        };
        learnt(&rig, &eve, rig.issue(&eve, key).await).await
    };
    let nobody = issue("no-such", "no-such").await;
    for (user, organization) in [
        ("bob", "acme"),
        ("bob", "no-such"),
        ("no-such", "acme"),
        ("bob", ""),
        ("no-such", ""),
        ("", "acme"),
        ("", "no-such"),
        ("eve", "acme"),
        ("eve", "no-such"),
    ] {
        assert_eq!(
            issue(user, organization).await,
            nobody,
            "{user} {organization}"
        );
    }
    let create = async |organization: &str| {
        let request = new_key(
            Some((OwnerKind::Organization, organization)),
            &openai_key("k"),
        );
        let attempt = rig.keys().create_provider_key(with(&eve, request)).await;
        learnt(&rig, &eve, attempt).await
    };
    assert_eq!(create("acme").await, create("no-such").await);
    let project = async |organization: &str| {
        let request = proto::CreateProjectRequest {
            project: Some(proto::Project {
                organization: organization.into(),
                project_id: "p".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let attempt = rig.identity().create_project(with(&eve, request)).await;
        learnt(&rig, &eve, attempt).await
    };
    assert_eq!(project("acme").await, project("no-such").await);
    let join = async |organization: &str| {
        let request = proto::SetMemberRequest {
            member: Some(proto::Member {
                organization: organization.into(),
                user: "eve".into(),
                role: proto::OrganizationRole::Member.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let attempt = rig.identity().set_member(with(&eve, request)).await;
        learnt(&rig, &eve, attempt).await
    };
    assert_eq!(join("acme").await, join("no-such").await);
    // The platform sees who tried.
    let tried = rig.events().await;
    assert!(
        tried
            .iter()
            .any(|event| event.user == "eve" && event.outcome == "refused")
    );
}
