//! Whom a certificate lets in, and what is written down of those whom it does not.

use std::time::Duration;

use keyward_auth::Peer;
use keyward_auth::methods::METHODS;
use keyward_testkit::gateway::{Authority, Shown};
use keyward_testkit::{Role, Topology};
use serde_json::Value;
use tonic::Code;
use tonic::transport::Endpoint;

use super::{UNSEAL, call, call_with, said, uri};
use crate::system::{System, shared};

/// How long what was let in may take: services hold streams open. Refusals are waited for.
const ADMITTED: Duration = Duration::from_millis(300);
const REFUSED: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_vault_serves_nobody_without_a_good_certificate_of_its_authority() {
    let system = shared(Topology::Split).await;
    let gateway = &system.gateway;
    let router = uri("router");
    for (what, shown) in [
        ("no certificate", Shown::nothing()),
        ("a foreign one", Authority::foreign().issue(&[&router])),
        (
            "an expired one",
            gateway.authority().issue_expired(&[&router]),
        ),
    ] {
        for path in [UNSEAL, "/grpc.health.v1.Health/Check"] {
            let status = call(gateway, Role::Vault, &shown, path).await;
            let (code, reason) = said(&status.expect_err(what));
            assert_eq!(reason, None, "{what}: {path} was answered");
            assert!(
                matches!(code, Code::Unknown | Code::Cancelled | Code::Unavailable),
                "{what}: {code}"
            );
        }
    }
    let plain = gateway.grpc_url(Role::Vault).replace("https", "http");
    let endpoint = Endpoint::from_shared(plain).unwrap();
    let channel = endpoint.connect_lazy();
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let asked = health
        .check(tonic_health::pb::HealthCheckRequest::default())
        .await;
    assert!(asked.is_err(), "it speaks without TLS");
}

#[tokio::test]
async fn router_and_metering_take_no_certificate_for_nobody_and_a_foreign_one_for_an_attack() {
    let system = shared(Topology::Split).await;
    let gateway = &system.gateway;
    let foreign = Authority::foreign().issue(&[&uri("edge")]);
    for (role, path) in [
        (Role::Router, "/keyward.router.v1.RouterService/ListModels"),
        (
            Role::Metering,
            "/keyward.metering.v1.CreditService/GetBalance",
        ),
    ] {
        let outside = call(gateway, role, &Shown::nothing(), path).await;
        let expect = (Code::Unauthenticated, Some("INVALID_ACCESS_KEY".to_owned()));
        assert_eq!(said(&outside.unwrap_err()), expect);
        let foreign = call(gateway, role, &foreign, path).await;
        assert_eq!(said(&foreign.unwrap_err()).1, None, "{path}");
    }
    let credential = format!("Bearer {}", gateway.admin_key());
    let credential = [("authorization", credential.as_str())];
    let path = "/keyward.metering.v1.PricingService/ListTiers";
    let nothing = Shown::nothing();
    let listed = call_with(gateway, Role::Metering, &nothing, path, &credential).await;
    assert!(listed.is_ok(), "{listed:?}");
}

#[tokio::test]
async fn a_certificate_that_names_no_role_of_ours_is_unauthenticated_and_audited() {
    let system = System::own(Topology::Split, |launch| launch).await;
    let gateway = &system.gateway;
    let (router, edge) = (uri("router"), uri("edge"));
    let cases: [&[&str]; 5] = [
        &[],
        &[&router, &edge],
        &["spiffe://elsewhere.example/keyward/router"],
        &["spiffe://keyward.local/keyward/stranger"],
        &["https://keyward.local/keyward/router"],
    ];
    for uris in cases {
        let shown = gateway.authority().issue(uris);
        let status = call(gateway, Role::Vault, &shown, UNSEAL).await;
        let expect = (Code::Unauthenticated, Some("PEER_UNKNOWN".to_owned()));
        assert_eq!(said(&status.unwrap_err()), expect, "{uris:?}");
    }
    let refusals = refusals(&system).await;
    assert_eq!(refusals.len(), cases.len(), "{refusals:?}");
    assert!(
        refusals
            .iter()
            .any(|(_, reason)| reason.contains("more than one URI"))
    );
}

#[tokio::test]
async fn edge_metering_and_callers_cannot_unseal_and_are_audited_for_trying() {
    let system = System::own(Topology::Split, |launch| launch).await;
    let gateway = &system.gateway;
    let holders = ["edge", "metering", "vault", "caller"];
    for holder in holders {
        let shown = gateway.shown(holder);
        let status = call(gateway, Role::Vault, &shown, UNSEAL).await;
        let expect = (Code::PermissionDenied, Some("PEER_NOT_ALLOWED".to_owned()));
        assert_eq!(said(&status.unwrap_err()), expect, "{holder}");
    }
    let mut refused: Vec<String> = refusals(&system)
        .await
        .into_iter()
        .map(|(who, _)| who)
        .collect();
    refused.sort();
    let mut expect = holders.map(uri);
    expect.sort();
    assert_eq!(refused, expect);
}

#[tokio::test]
async fn a_peer_token_says_nothing_over_tls() {
    let system = shared(Topology::Split).await;
    for token in ["router:00", "router:"] {
        let shown = system.gateway.shown("edge");
        let token = [("keyward-peer", token)];
        let status = call_with(&system.gateway, Role::Vault, &shown, UNSEAL, &token).await;
        let expect = (Code::Unauthenticated, Some("PEER_UNKNOWN".to_owned()));
        assert_eq!(said(&status.unwrap_err()), expect);
    }
}

#[tokio::test]
async fn each_role_may_call_what_the_table_gives_it_and_nothing_else() {
    let system = System::own(Topology::Split, |launch| launch).await;
    for peer in [
        Peer::Edge,
        Peer::Router,
        Peer::Vault,
        Peer::Metering,
        Peer::Outside,
    ] {
        let shown = system.gateway.shown(peer.as_str());
        for rule in METHODS {
            let role = match rule.path.split('.').nth(1) {
                Some("vault") => Role::Vault,
                Some("metering") => Role::Metering,
                _ => Role::Router,
            };
            let asked = call(&system.gateway, role, &shown, rule.path);
            let is_allowed = rule.peers.contains(&peer);
            let patience = if is_allowed { ADMITTED } else { REFUSED };
            let answer = tokio::time::timeout(patience, asked).await;
            let refused = match answer {
                Ok(Err(status)) => said(&status).1 == Some("PEER_NOT_ALLOWED".to_owned()),
                Ok(Ok(())) | Err(_) => false,
            };
            assert_eq!(refused, !is_allowed, "{peer}: {}", rule.path);
        }
    }
}

/// Whom the audit log says to have been refused, and why.
pub(super) async fn refusals(system: &System) -> Vec<(String, String)> {
    let admin = system.gateway.admin();
    let events = admin.get("/api/v1/audit-events").await.ok().json().clone();
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let events = events["audit_events"].as_array().unwrap().iter();
    events
        .filter(|event| event["action"] == "peer.refuse" && event["outcome"] == "refused")
        .inspect(|event| {
            assert_eq!(event["resource_id"], UNSEAL.trim_start_matches('/'));
        })
        .map(|event| (text(event, "peer"), text(event, "reason")))
        .collect()
}
