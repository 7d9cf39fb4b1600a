//! Users, organisations, members and projects.

use keyward_proto::vault::v1::{self as proto, OrganizationRole, Scope};
use keyward_runtime::error::Reason;
use prost_types::FieldMask;

use crate::rig::{ADMIN_KEY, Rig, ok, reason, with};

fn mask(path: &str) -> FieldMask {
    FieldMask {
        paths: vec![path.to_owned()],
    }
}

#[tokio::test]
async fn users_are_made_changed_and_deleted_by_the_platform() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let get = || proto::GetUserRequest {
        user_id: "bob".into(),
    };
    let user = ok(rig.identity().get_user(with(&bob, get())).await)
        .user
        .unwrap();
    assert_eq!(
        (user.tier.as_str(), user.user_id.as_str()),
        ("trial", "bob")
    );
    let twice = proto::CreateUserRequest {
        user: Some(user.clone()),
        ..Default::default()
    };
    assert_eq!(
        reason(rig.identity().create_user(with(ADMIN_KEY, twice)).await),
        Reason::AlreadyExists
    );
    for id in ["", "Bob", "-x", &"a".repeat(64)] {
        let user = proto::User {
            user_id: id.into(),
            ..Default::default()
        };
        let request = proto::CreateUserRequest {
            user: Some(user),
            ..Default::default()
        };
        let refused = rig.identity().create_user(with(ADMIN_KEY, request)).await;
        assert_eq!(reason(refused), Reason::InvalidRequest, "{id}");
    }
    let wanted = proto::User {
        tier: "professional".into(),
        ..user.clone()
    };
    let update = proto::UpdateUserRequest {
        user: Some(wanted),
        update_mask: Some(mask("tier")),
        etag: user.etag.clone(),
        ..Default::default()
    };
    let changed = ok(rig
        .identity()
        .update_user(with(ADMIN_KEY, update.clone()))
        .await)
    .user
    .unwrap();
    assert_eq!(changed.tier, "professional");
    let stale = rig.identity().update_user(with(ADMIN_KEY, update)).await;
    assert_eq!(reason(stale), Reason::PreconditionFailed);
    let resolve = proto::ResolveAccountRequest {
        account: "users/bob".into(),
    };
    let resolved = ok(rig.identity().resolve_account(resolve).await);
    assert_eq!(
        (resolved.uid, resolved.tier),
        (user.uid.clone(), changed.tier)
    );

    let delete = proto::DeleteUserRequest {
        user_id: "bob".into(),
        ..Default::default()
    };
    ok(rig.identity().delete_user(with(ADMIN_KEY, delete)).await);
    assert_eq!(
        reason(rig.identity().get_user(with(ADMIN_KEY, get())).await),
        Reason::NotFound
    );
    rig.user("bob").await;
    let reborn = ok(rig.identity().get_user(with(ADMIN_KEY, get())).await)
        .user
        .unwrap();
    assert_ne!(reborn.uid, user.uid);
}

#[tokio::test]
async fn lists_page_through_everything_newest_first() {
    let rig = Rig::start().await;
    for id in ["u1", "u2", "u3"] {
        rig.user(id).await;
    }
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListUsersRequest {
            page_size: 2,
            page_token,
        };
        let page = ok(rig.identity().list_users(with(ADMIN_KEY, request)).await);
        seen.extend(page.users.into_iter().map(|user| user.user_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["u3", "u2", "u1", "admin"]);
    let junk = proto::ListUsersRequest {
        page_token: "junk".into(),
        ..Default::default()
    };
    assert_eq!(
        reason(rig.identity().list_users(with(ADMIN_KEY, junk)).await),
        Reason::InvalidRequest
    );
}

async fn set(rig: &Rig, by: &str, user: &str, role: OrganizationRole) -> Result<(), tonic::Status> {
    let member = proto::Member {
        organization: "acme".into(),
        user: user.into(),
        role: role.into(),
        ..Default::default()
    };
    let request = proto::SetMemberRequest {
        member: Some(member),
        ..Default::default()
    };
    rig.identity().set_member(with(by, request)).await.map(drop)
}

#[tokio::test]
async fn members_are_managed_up_to_the_own_role() {
    use OrganizationRole::{Admin, Member, Owner, Viewer};
    let rig = Rig::start().await;
    let (boss, bob) = (rig.user("boss").await, rig.user("bob").await);
    rig.user("eve").await;
    rig.organization("acme").await;
    set(&rig, ADMIN_KEY, "boss", Admin).await.unwrap();
    set(&rig, &boss, "bob", Member).await.unwrap();
    assert_eq!(
        reason(set(&rig, &boss, "bob", Owner).await),
        Reason::InsufficientScope
    );
    assert_eq!(
        reason(set(&rig, &bob, "eve", Viewer).await),
        Reason::InsufficientScope
    );
    assert_eq!(
        reason(set(&rig, &boss, "nobody", Member).await),
        Reason::NotFound
    );
    set(&rig, ADMIN_KEY, "eve", Owner).await.unwrap();
    assert_eq!(
        reason(set(&rig, &boss, "eve", Viewer).await),
        Reason::InsufficientScope
    );

    let list = proto::ListMembersRequest {
        organization: "acme".into(),
        ..Default::default()
    };
    let members = ok(rig.identity().list_members(with(&bob, list)).await).members;
    let names: Vec<_> = members
        .iter()
        .map(|member| (member.user.as_str(), member.role()))
        .collect();
    assert_eq!(names, [("eve", Owner), ("bob", Member), ("boss", Admin)]);

    let remove = |user: &str| proto::RemoveMemberRequest {
        organization: "acme".into(),
        user: user.into(),
        ..Default::default()
    };
    let above = rig
        .identity()
        .remove_member(with(&boss, remove("eve")))
        .await;
    assert_eq!(reason(above), Reason::InsufficientScope);
    ok(rig
        .identity()
        .remove_member(with(&bob, remove("bob")))
        .await);
    let gone = rig
        .identity()
        .remove_member(with(&boss, remove("bob")))
        .await;
    assert_eq!(reason(gone), Reason::NotFound);
}

#[tokio::test]
async fn who_is_a_member_already_is_refused_as_new_or_given_another_role() {
    use OrganizationRole::{Member, Viewer};
    let rig = Rig::start().await;
    rig.user("bob").await;
    rig.organization("acme").await;
    let give = async |role: OrganizationRole, create_only| {
        let member = proto::Member {
            organization: "acme".into(),
            user: "bob".into(),
            role: role.into(),
            ..Default::default()
        };
        let request = proto::SetMemberRequest {
            member: Some(member),
            create_only,
            ..Default::default()
        };
        let set = rig.identity().set_member(with(ADMIN_KEY, request)).await;
        set.map(|answer| answer.into_inner().member.unwrap())
    };
    let added = give(Member, true).await.unwrap();
    assert_eq!(reason(give(Member, true).await), Reason::AlreadyExists);
    rig.advance(60);
    let expect = proto::Member {
        role: Viewer.into(),
        ..added
    };
    assert_eq!(give(Viewer, false).await.unwrap(), expect);
    let list = proto::ListMembersRequest {
        organization: "acme".into(),
        ..Default::default()
    };
    let listed = ok(rig.identity().list_members(with(ADMIN_KEY, list)).await);
    assert_eq!(listed.members, [expect]);
}

#[tokio::test]
async fn members_page_newest_first_whatever_becomes_of_their_roles() {
    let rig = Rig::start().await;
    rig.organization("acme").await;
    for user in ["a", "b", "c"] {
        rig.user(user).await;
        rig.member("acme", user, OrganizationRole::Member).await;
    }
    rig.member("acme", "a", OrganizationRole::Admin).await;
    let mut list = proto::ListMembersRequest {
        organization: "acme".into(),
        page_size: 1,
        ..Default::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = with(ADMIN_KEY, list.clone());
        let page = ok(rig.identity().list_members(page).await);
        seen.extend(page.members.into_iter().map(|member| member.user));
        list.page_token = page.next_page_token;
        if list.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["c", "b", "a"]);
}

#[tokio::test]
async fn a_key_that_only_calls_models_changes_nothing() {
    let rig = Rig::start().await;
    rig.user("boss").await;
    rig.organization("acme").await;
    rig.member("acme", "boss", OrganizationRole::Owner).await;
    let calls_only = rig.access_key("boss", &[Scope::Inference]).await;
    let refused = set(&rig, &calls_only, "boss", OrganizationRole::Viewer).await;
    assert_eq!(reason(refused), Reason::InsufficientScope);
    let project = proto::Project {
        project_id: "web".into(),
        ..Default::default()
    };
    let create = proto::CreateProjectRequest {
        project: Some(project),
        ..Default::default()
    };
    let refused = rig
        .identity()
        .create_project(with(&calls_only, create))
        .await;
    assert_eq!(reason(refused), Reason::InsufficientScope);
}

#[tokio::test]
async fn project_ids_are_unique_within_their_owner_only() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let create = || {
        let project = proto::Project {
            project_id: "web".into(),
            ..Default::default()
        };
        proto::CreateProjectRequest {
            project: Some(project),
            ..Default::default()
        }
    };
    let made = ok(rig.identity().create_project(with(&bob, create())).await)
        .project
        .unwrap();
    assert_eq!(
        (made.user.as_str(), made.organization.as_str()),
        ("bob", "")
    );
    ok(rig.identity().create_project(with(&eve, create())).await);
    let twice = rig.identity().create_project(with(&bob, create())).await;
    assert_eq!(reason(twice), Reason::AlreadyExists);
    let update = proto::UpdateProjectRequest {
        project: Some(proto::Project {
            display_name: "The web".into(),
            ..made.clone()
        }),
        update_mask: Some(mask("display_name")),
        ..Default::default()
    };
    let changed = ok(rig.identity().update_project(with(&bob, update)).await)
        .project
        .unwrap();
    assert_eq!(changed.display_name, "The web");
    assert_ne!(changed.etag, made.etag);

    let key = proto::AccessKey {
        project: "web".into(),
        scopes: vec![Scope::Inference.into(), Scope::Keys.into()],
        ..Default::default()
    };
    let within = rig.issue(&bob, key).await.unwrap().secret;
    let owner = Some((proto::OwnerKind::Project, ""));
    let secret = crate::rig::openai_key("web");
    let request = with(&within, crate::rig::new_key(owner, &secret));
    let stored = rig.keys().create_provider_key(request).await;
    let id = ok(stored).provider_key.unwrap().provider_key_id;
    assert_eq!(
        rig.serve(&within, &id).await.unwrap().secret,
        secret.as_bytes()
    );
    assert_eq!(
        reason(rig.serve(&bob, &id).await),
        Reason::NotFound,
        "not within the project"
    );
    let delete = proto::DeleteProjectRequest {
        project_id: "web".into(),
        ..Default::default()
    };
    ok(rig.identity().delete_project(with(&bob, delete)).await);
    assert_eq!(
        reason(rig.serve(&within, &id).await),
        Reason::InvalidAccessKey
    );
}
