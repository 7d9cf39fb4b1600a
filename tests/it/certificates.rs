//! Roles apart know each other by certificates: who shows which, and what it is let do.

mod edge;
mod refused;
mod renewed;
mod routers;
mod start;

use http::uri::PathAndQuery;
use keyward_testkit::gateway::Shown;
use keyward_testkit::{Gateway, Role};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

const UNSEAL: &str = "/keyward.vault.v1.VaultService/UnsealProviderKey";

/// The name of a role's certificate.
fn uri(role: &str) -> String {
    format!("spiffe://keyward.local/keyward/{role}")
}

/// Calls any method of a role with an empty message, for whoever shows this.
async fn call(gateway: &Gateway, role: Role, shown: &Shown, path: &str) -> Result<(), Status> {
    call_with(gateway, role, shown, path, &[]).await
}

async fn call_with(
    gateway: &Gateway,
    role: Role,
    shown: &Shown,
    path: &str,
    metadata: &[(&'static str, &str)],
) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(gateway.grpc_showing(role, shown));
    let unready = |error: tonic::transport::Error| Status::from_error(error.into());
    client.ready().await.map_err(unready)?;
    let mut request = Request::new(futures::stream::iter([()]));
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    let path: PathAndQuery = path.parse().unwrap();
    let codec = ProstCodec::<(), ()>::default();
    let mut answers = client.streaming(request, path, codec).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

/// Code and reason of a refusal; no reason where no role of ours answered.
fn said(status: &Status) -> (Code, Option<String>) {
    let info = status.get_details_error_info();
    (status.code(), info.map(|info| info.reason))
}

/// What `/metrics` of a role says of this series, if it has it.
async fn metric(gateway: &Gateway, role: Role, series: &str) -> Option<u64> {
    let metrics = gateway.ops(role, "/metrics").await.ok().text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(series))?;
    line.trim().parse().ok()
}
