//! Users, organisations, projects, members, access keys.

use keyward_auth::{OrganizationRole, Scope};

use super::samples::{ALL, access_key, account, at, effects, sealed, some_uid, stored};
use crate::domain::identity::{Account, Member, Project};
use crate::domain::owner::Owner;
use crate::domain::owner::OwnerKind::{Organization, User};
use crate::store::{Page, Store, StoreError, StoredDataKey};

pub(super) async fn ids_are_unique_within_their_kind(store: &impl Store) {
    let bob = stored(store, User, "bob").await;
    let twin = account(User, "bob");
    let refused = store
        .account_insert(twin.clone(), effects(twin.owner))
        .await;
    assert!(matches!(refused, Err(StoreError::Exists)));
    let organization = stored(store, Organization, "bob").await;
    assert_eq!(
        store.account_find(User, "bob").await.unwrap(),
        Some(bob.clone())
    );
    assert_eq!(
        store.account_get(bob.owner).await.unwrap(),
        Some(bob.clone())
    );
    assert_eq!(
        store.account_find(Organization, "bob").await.unwrap(),
        Some(organization)
    );
    // A uid of one kind is none of another.
    assert_eq!(
        store
            .account_get(Owner::organization(bob.owner.uid))
            .await
            .unwrap(),
        None
    );
    let eve = stored(store, User, "eve").await;
    assert_eq!(
        store.account_list(User, ALL).await.unwrap(),
        [eve.clone(), bob.clone()]
    );
    let older = Page {
        size: 100,
        before: Some(eve.owner.uid),
    };
    assert_eq!(store.account_list(User, older).await.unwrap(), [bob]);
}

pub(super) async fn updates_need_the_revision_that_was_read(store: &impl Store) {
    let bob = stored(store, User, "bob").await;
    let changed = Account {
        tier: "starter".to_owned(),
        revision: 2,
        ..bob.clone()
    };
    store
        .account_update(changed.clone(), 1, effects(bob.owner))
        .await
        .unwrap();
    let again = store
        .account_update(bob.clone(), 1, effects(bob.owner))
        .await;
    assert!(matches!(again, Err(StoreError::Changed)));
    assert_eq!(store.account_get(bob.owner).await.unwrap(), Some(changed));
}

fn member(organization: &Account, user: &Account, role: OrganizationRole) -> Member {
    Member {
        uid: some_uid(),
        organization_uid: organization.owner.uid,
        organization: organization.id.clone(),
        user_uid: user.owner.uid,
        user: user.id.clone(),
        role,
        create_time: at(0),
    }
}

pub(super) async fn memberships_join_users_and_organisations(store: &impl Store) {
    let (bob, acme) = (
        stored(store, User, "bob").await,
        stored(store, Organization, "acme").await,
    );
    let joined = member(&acme, &bob, OrganizationRole::Member);
    store
        .member_set(joined.clone(), true, effects(bob.owner))
        .await
        .unwrap();
    let twice = store
        .member_set(joined.clone(), true, effects(bob.owner))
        .await;
    assert!(matches!(twice, Err(StoreError::Exists)));
    let promoted = Member {
        role: OrganizationRole::Owner,
        ..joined
    };
    store
        .member_set(promoted.clone(), false, effects(bob.owner))
        .await
        .unwrap();
    let (organization, user) = (acme.owner.uid, bob.owner.uid);
    assert_eq!(
        store.member_get(organization, user).await.unwrap(),
        Some(promoted.clone())
    );
    let memberships = store.memberships_of(user, 2).await.unwrap();
    assert_eq!(memberships.as_slice(), std::slice::from_ref(&promoted));
    assert_eq!(
        store.member_list(organization, ALL).await.unwrap(),
        [promoted]
    );
    assert_eq!(store.organizations_of(user, ALL).await.unwrap(), [acme]);
    store
        .member_remove(organization, user, effects(bob.owner))
        .await
        .unwrap();
    let gone = store
        .member_remove(organization, user, effects(bob.owner))
        .await;
    assert!(matches!(gone, Err(StoreError::Changed)));
}

pub(super) async fn access_keys_are_found_by_hash_and_revoked_once(store: &impl Store) {
    let bob = stored(store, User, "bob").await;
    let key = access_key(&bob, "k1");
    store
        .access_key_insert(key.clone(), [1; 32], effects(bob.owner))
        .await
        .unwrap();
    let twin = access_key(&bob, "k2");
    let twin = store
        .access_key_insert(twin, [1; 32], effects(bob.owner))
        .await;
    assert!(matches!(twin, Err(StoreError::Exists)));
    assert_eq!(
        store.access_key_by_hash([1; 32]).await.unwrap(),
        Some(key.clone())
    );
    assert_eq!(store.access_key_by_hash([2; 32]).await.unwrap(), None);
    assert_eq!(store.access_key_list(bob.owner, ALL).await.unwrap(), [key]);
    store
        .access_key_revoke("k1", at(7), effects(bob.owner))
        .await
        .unwrap();
    let again = store
        .access_key_revoke("k1", at(8), effects(bob.owner))
        .await;
    assert!(matches!(again, Err(StoreError::Changed)));
    let revoked = store.access_key_get("k1").await.unwrap().unwrap();
    assert_eq!(revoked.revoke_time, Some(at(7)));
}

pub(super) async fn administrators_are_the_users_whose_keys_say_so_and_work(store: &impl Store) {
    let mut expect = Vec::new();
    for (number, (id, scope, expire, revoked)) in [
        ("ann", Scope::Admin, None, false),
        ("ben", Scope::Admin, Some(at(50)), false),
        ("bob", Scope::Billing, None, false),
        ("eve", Scope::Admin, None, true),
        ("mia", Scope::Admin, Some(at(10)), false),
    ]
    .into_iter()
    .enumerate()
    {
        let user = stored(store, User, id).await;
        for twin in [0, 100] {
            let number = u8::try_from(number).unwrap() + twin;
            let mut key = access_key(&user, &format!("k{number}"));
            key.scopes = [Scope::Inference, scope].into_iter().collect();
            key.expire_time = expire;
            let stored = store.access_key_insert(key, [number; 32], effects(user.owner));
            stored.await.unwrap();
            if revoked {
                let name = format!("k{number}");
                let gone = store.access_key_revoke(&name, at(7), effects(user.owner));
                gone.await.unwrap();
            }
        }
        if matches!(id, "ann" | "ben") {
            expect.push(user.owner.uid);
        }
    }
    let found = store.administrators(at(20), 10).await.unwrap();
    assert_eq!(found, expect);
    assert_eq!(store.administrators(at(20), 1).await.unwrap().len(), 1);
}

pub(super) async fn deleting_an_owner_takes_everything_with_it(store: &impl Store) {
    let (bob, acme) = (
        stored(store, User, "bob").await,
        stored(store, Organization, "acme").await,
    );
    let joined = member(&acme, &bob, OrganizationRole::Member);
    store
        .member_set(joined, true, effects(bob.owner))
        .await
        .unwrap();
    let project = Project {
        uid: some_uid(),
        id: "web".to_owned(),
        holder: bob.owner,
        holder_id: bob.id.clone(),
        display_name: String::new(),
        create_time: at(0),
        update_time: at(0),
        revision: 1,
    };
    store
        .project_insert(project.clone(), effects(bob.owner))
        .await
        .unwrap();
    store
        .access_key_insert(access_key(&bob, "k1"), [1; 32], effects(bob.owner))
        .await
        .unwrap();
    let owners = [bob.owner, Owner::project(project.uid)];
    for owner in owners {
        let wrapped = StoredDataKey {
            owner,
            generation: 1,
            master_key_id: "m".to_owned(),
            wrapped: vec![1; 60],
        };
        store.data_key_put(wrapped, at(0)).await.unwrap();
        store
            .provider_key_insert(sealed(owner, 1), effects(owner))
            .await
            .unwrap();
    }
    store
        .account_delete(bob.owner, at(9), effects(bob.owner))
        .await
        .unwrap();
    for owner in owners {
        assert!(
            store
                .provider_key_list(owner, ALL)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(store.data_key_get(owner, None).await.unwrap(), None);
    }
    assert_eq!(store.account_get(bob.owner).await.unwrap(), None);
    assert_eq!(store.project_get(project.uid).await.unwrap(), None);
    assert_eq!(store.access_key_by_hash([1; 32]).await.unwrap(), None);
    assert!(
        store
            .member_list(acme.owner.uid, ALL)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.account_get(acme.owner).await.unwrap(), Some(acme));
}
