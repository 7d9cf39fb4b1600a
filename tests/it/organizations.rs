//! Keys of projects and organisations: for members, in their order, where the tier has them.

use keyward_testkit::{Client, Tenant, Topology, canary, tenancy};
use serde_json::json;

use crate::precedence::served_by_system;
use crate::served::{MODEL, Served};
use crate::system::{both, shared};

async fn keys_of_project_and_organisation_serve_members_in_this_order(topology: Topology) {
    let system = shared(topology).await;
    let (gateway, providers) = (&system.gateway, &system.providers);
    let organization = tenancy::organization(gateway, "enterprise").await;
    let project = tenancy::project(gateway, &organization).await;
    let tenant = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &tenant.user, "admin").await;
    let in_project = json!({"organization": organization, "project": project});
    let client = gateway.client(&tenant.access_key(in_project).await);

    let of_organization = store(&client, "organization").await;
    let served = Served {
        provider: "openai",
        key: &of_organization,
        source: "organization",
        attempts: "1",
    };
    served.check(providers, &client, MODEL).await;

    let of_project = store(&client, "project").await;
    let served = Served {
        provider: "openai",
        key: &of_project,
        source: "project",
        attempts: "1",
    };
    served.check(providers, &client, MODEL).await;

    let (_, own) = tenant.own_key("openai").await;
    let served = Served::by_own(&own);
    served.check(providers, &client, MODEL).await;
}

async fn an_organisations_key_serves_members_and_no_strangers(topology: Topology) {
    let system = shared(topology).await;
    let (gateway, providers) = (&system.gateway, &system.providers);
    let organization = tenancy::organization(gateway, "enterprise").await;
    let admin = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &admin.user, "admin").await;
    let as_admin = admin.client.with("x-keyward-organization", &organization);
    let key = store(&as_admin, "organization").await;

    let member = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &member.user, "member").await;
    let as_member = member.client.with("x-keyward-organization", &organization);
    let served = Served {
        provider: "openai",
        key: &key,
        source: "organization",
        attempts: "1",
    };
    served.check(providers, &as_member, MODEL).await;

    let stranger = Tenant::new(gateway, "professional").await;
    stranger.grant("1").await;
    served_by_system(&system)
        .check(providers, &stranger.client, MODEL)
        .await;
    let claiming = stranger
        .client
        .with("x-keyward-organization", &organization);
    let answer = claiming.chat(MODEL, "hello").await;
    assert!(answer.status.is_client_error(), "{}", answer.text());
    let _ = answer.error(answer.status.as_u16());
}

async fn organisation_keys_need_a_tier_that_has_them(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "professional").await;
    let tenant = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &tenant.user, "admin").await;
    let client = tenant.client.with("x-keyward-organization", &organization);
    let _ = store(&client, "organization").await;
    let account = format!("organizations/{organization}");
    tenancy::grant(&gateway.admin(), &account, "1").await;
    served_by_system(&system)
        .check(&system.providers, &client, MODEL)
        .await;
    // Who is a member of one organisation acts in it, and sees its credits.
    assert_eq!(tenant.balance().await, "0.999997796");
}

/// Stores a new OpenAI key for the caller's project or organisation, and gives it.
async fn store(client: &Client, owner: &str) -> String {
    let key = canary::provider_key("openai");
    let body = json!({"provider": "openai", "key": key, "owner": owner});
    let _ = client.post("/api/v1/provider-keys", body).await.ok();
    key
}

both!(
    keys_of_project_and_organisation_serve_members_in_this_order,
    an_organisations_key_serves_members_and_no_strangers,
    organisation_keys_need_a_tier_that_has_them,
);
