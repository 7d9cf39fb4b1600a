//! Certificates, keys and the authority replaced while requests are served.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyward_testkit::gateway::{Authority, Shown};
use keyward_testkit::{Gateway, Role, Tenant, Topology, wait};

use super::{call, metric, said, uri};
use crate::served::MODEL;
use crate::system::System;

/// How many call at the same time.
const CALLERS: usize = 4;

#[tokio::test]
async fn certificates_and_authority_are_replaced_without_a_failed_request() {
    let system = System::own(Topology::Split, |launch| launch.set("log.filter", "info")).await;
    let gateway = &system.gateway;
    let tenant = Tenant::new(gateway, "trial").await;
    tenant.own_key("openai").await;
    let old_edge = gateway.shown("edge");
    let (done, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let calling = async {
        let caller = || async {
            while !done.load(Ordering::Relaxed) {
                let answer = tenant.client.chat(MODEL, "while they change").await;
                assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
                served.fetch_add(1, Ordering::Relaxed);
            }
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| caller()).collect();
        futures::future::join_all(callers).await
    };
    let changing = async {
        replace(gateway).await;
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(calling, changing);
    let served = served.into_inner();
    assert!(
        served > CALLERS as u64,
        "{served} calls are too few to tell"
    );

    let path = "/keyward.router.v1.RouterService/ListModels";
    let answered = call(gateway, Role::Router, &gateway.shown("edge"), path).await;
    assert!(said(&answered.unwrap_err()).1.is_some(), "the new one");
    let answered = call(gateway, Role::Router, &old_edge, path).await;
    assert_eq!(said(&answered.unwrap_err()).1, None, "the old one");
    let expiry = "keyward_tls_certificate_expiry_seconds{certificate=\"tls.cert\"} ";
    assert!(metric(gateway, Role::Vault, expiry).await.is_some());
}

/// As an operator does it: trust both, then show the new, then trust the new alone.
async fn replace(gateway: &Gateway) {
    let folder = gateway.certificates();
    let new = Authority::foreign();
    let old = fs::read_to_string(folder.join("ca.pem")).unwrap();
    fs::write(folder.join("ca.pem"), format!("{old}{}", new.pem)).unwrap();
    taken(gateway, 1).await;
    for role in ["vault", "metering", "router", "edge"] {
        new.issue(&[&uri(role)]).write(&folder, role);
    }
    taken(gateway, 2).await;
    fs::write(folder.join("ca.pem"), &new.pem).unwrap();
    taken(gateway, 3).await;
    // What is decided once connections are cut is decided by calls that begin now.
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Every role has taken that many changes, each within a minute.
async fn taken(gateway: &Gateway, changes: u64) {
    let begun = Instant::now();
    for role in Role::ALL {
        wait::until("certificates to be taken", || async {
            let series = "keyward_tls_reloads_total{outcome=\"ok\"} ";
            metric(gateway, role, series).await.unwrap_or(0) >= changes
        })
        .await;
    }
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_changes_nothing() {
    let system = System::own(Topology::Split, |launch| launch).await;
    let gateway = &system.gateway;
    let folder = gateway.certificates();
    fs::write(folder.join("vault.pem"), "half a certificate").unwrap();
    wait::until("the change to be seen", || async {
        let series = "keyward_tls_reloads_total{outcome=\"failed\"} ";
        metric(gateway, Role::Vault, series).await.unwrap_or(0) >= 1
    })
    .await;
    let shown = Shown::nothing();
    let refused = call(gateway, Role::Vault, &shown, super::UNSEAL).await;
    assert_eq!(said(&refused.unwrap_err()).1, None);
    let tenant = Tenant::new(gateway, "trial").await;
    tenant.own_key("openai").await;
    let _ = tenant.client.chat(MODEL, "still").await.ok();
}
