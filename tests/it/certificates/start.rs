//! What does not start: certificates that cannot be used, or are another role's. And what starts
//! without any.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use keyward_testkit::{Role, Tenant, Topology};
use tonic::Code;

use super::uri;
use crate::served::{MODEL, Served};
use crate::system::System;

#[tokio::test]
async fn a_role_with_certificates_that_are_no_good_does_not_start() {
    let system = System::own(Topology::Split, |launch| launch).await;
    let gateway = &system.gateway;
    let folder = gateway.certificates();
    let path = |name: &str| folder.join(name).display().to_string();
    gateway
        .authority()
        .issue_expired(&[&uri("vault")])
        .write(&folder, "old");
    let two = [uri("vault"), uri("router")];
    let two: Vec<&str> = two.iter().map(String::as_str).collect();
    gateway.authority().issue(&two).write(&folder, "two");
    gateway
        .authority()
        .issue(&[&uri("vault")])
        .write(&folder, "open");
    fs::set_permissions(folder.join("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    for (cert, key, expect) in [
        ("router.pem", "router.key", "this process runs the vault"),
        ("vault.pem", "router.key", "do not belong together"),
        ("nowhere.pem", "vault.key", "cannot be read"),
        ("vault.key", "vault.key", "holds no certificate"),
        ("vault.pem", "vault.pem", "can be read by others"),
        ("old.pem", "old.key", "not good by `tls.ca`"),
        ("two.pem", "two.key", "more than one URI"),
        ("open.pem", "open.key", "chmod 600"),
    ] {
        let (cert, key) = (path(cert), path(key));
        let variables = [
            ("KEYWARD_TLS__CERT", cert.as_str()),
            ("KEYWARD_TLS__KEY", key.as_str()),
        ];
        let output = gateway.run_as(Role::Vault, &["serve", "--role", "vault"], &variables);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{cert}: {said}");
        assert!(said.contains(expect), "{cert}, {key}: {said}");
    }
}

#[tokio::test]
async fn roles_apart_serve_with_peer_tokens_where_there_are_no_certificates() {
    let system = System::own(Topology::Split, keyward_testkit::Launch::with_peer_tokens).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    Served::by_own(&key)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    assert!(
        system
            .gateway
            .data_dir()
            .join("peers/router.token")
            .exists()
    );

    let channel = system.gateway.grpc(Role::Vault).await;
    let mut vault =
        keyward_proto::vault::v1::vault_service_client::VaultServiceClient::new(channel);
    let mut request =
        tonic::Request::new(keyward_proto::vault::v1::UnsealProviderKeyRequest::default());
    let metadata = request.metadata_mut();
    metadata.insert("keyward-peer", "router:00".parse().unwrap());
    let status = vault.unseal_provider_key(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}
