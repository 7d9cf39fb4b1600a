//! Who acts as itself reads what an organisation of its own has and used, by naming it, as far as
//! its role there goes; nobody else learns that there is such a thing.

use keyward_testkit::{Client, Gateway, Tenant, Topology, canary, tenancy};
use serde_json::json;

use crate::served::MODEL;
use crate::system::{both, shared};

/// A user of two organisations acts in neither unless it says so.
async fn of_two(gateway: &Gateway, organization: &str, role: &str) -> Tenant {
    let tenant = Tenant::new(gateway, "trial").await;
    let other = tenancy::organization(gateway, "trial").await;
    for (organization, role) in [(organization, role), (&*other, "member")] {
        tenancy::member(gateway, organization, &tenant.user, role).await;
    }
    tenant
}

fn named(route: &str, organization: &str) -> String {
    format!("/api/v1/{route}?organization={organization}")
}

async fn records(client: &Client, organization: &str) -> usize {
    let path = named("usage/records", organization);
    tenancy::all(client, &path, "records").await.len()
}

async fn a_role_lets_its_bearer_look_at_an_organisation_from_outside(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "enterprise").await;
    let account = format!("organizations/{organization}");
    tenancy::grant(&gateway.admin(), &account, "1").await;
    let member = of_two(gateway, &organization, "member").await;
    let owner = of_two(gateway, &organization, "owner").await;
    let viewer = of_two(gateway, &organization, "viewer").await;
    let stranger = Tenant::new(gateway, "trial").await;
    for acting in [&member, &owner] {
        let client = acting.client.with("x-keyward-organization", &organization);
        let _ = client.chat(MODEL, "hello").await.ok();
    }
    for (who, seen) in [(&member, 1), (&owner, 2), (&viewer, 2)] {
        assert_eq!(records(&who.client, &organization).await, seen);
        assert!(who.records().await.is_empty(), "not its own");
        let credits = who.client.get(&named("credits", &organization)).await.ok();
        assert!(credits.json()["balance"].is_string(), "{}", credits.text());
    }
    let ledger = named("credits/transactions", &organization);
    let seen = tenancy::all(&viewer.client, &ledger, "transactions").await;
    assert_eq!(seen.len(), 3);
    let _ = member.client.get(&ledger).await.error(403);
    for route in ["credits", "credits/transactions", "usage/records"] {
        let theirs = stranger.client.get(&named(route, &organization)).await;
        let nobodys = stranger.client.get(&named(route, "nobody-at-all")).await;
        assert_eq!(theirs.error(404), nobodys.error(404), "{route}");
    }
}

async fn who_left_an_organisation_sees_nothing_of_it_at_once(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "enterprise").await;
    let leaver = of_two(gateway, &organization, "owner").await;
    assert_eq!(records(&leaver.client, &organization).await, 0);
    let (admin, user) = (gateway.admin(), &leaver.user);
    let membership = format!("/api/v1/organizations/{organization}/members/{user}");
    let _ = admin.delete(&membership).await.ok();
    let path = named("usage/records", &organization);
    let _ = leaver.client.get(&path).await.error(404);
}

async fn a_key_for_one_organisation_shows_no_other(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let first = tenancy::organization(gateway, "enterprise").await;
    let second = tenancy::organization(gateway, "enterprise").await;
    let user = Tenant::new(gateway, "trial").await;
    for organization in [&first, &second] {
        tenancy::member(gateway, organization, &user.user, "owner").await;
    }
    let bound = user.access_key(json!({"organization": first})).await;
    let bound = gateway.client(&bound);
    assert_eq!(records(&bound, &first).await, 0);
    let _ = bound.get(&named("usage/records", &second)).await.error(404);
    assert_eq!(records(&user.client, &second).await, 0);
    let unknown = canary::name("org");
    let _ = user
        .client
        .get(&named("credits", &unknown))
        .await
        .error(404);
}

both!(
    a_role_lets_its_bearer_look_at_an_organisation_from_outside,
    who_left_an_organisation_sees_nothing_of_it_at_once,
    a_key_for_one_organisation_shows_no_other,
);
