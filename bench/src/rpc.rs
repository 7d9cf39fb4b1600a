//! The in-process gRPC by itself: one `Invoke` with a body of 1 KB and an answer of 1.5 KB through
//! the generated client, the authenticating layer and the generated server, all without a socket.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use keyward_auth::{
    AccessKeyLimits, AuthLayer, Authenticator, Connection, CredentialExchanger, Exchanged,
    GrantSigner, LocalServices, Peer, Principal, Scopes, Subject, access_key,
};
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::router_service_client::RouterServiceClient;
use keyward_proto::router::v1::router_service_server::{RouterService, RouterServiceServer};
use keyward_proto::vault::v1::GrantKey;
use keyward_runtime::time;
use keyward_secret::Secret;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};
use tower::Layer as _;

use crate::cpu;

/// What a call costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RpcCost {
    pub(crate) per_call: Duration,
}

impl fmt::Display for RpcCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "in-process Invoke: {:.1} µs CPU a call",
            self.per_call.as_secs_f64() * 1e6
        )
    }
}

/// Makes `calls` calls one after the other and reads the process's CPU time.
pub(crate) async fn measure(calls: usize) -> anyhow::Result<RpcCost> {
    let key = access_key::generate()?;
    let authenticator = Authenticator::new(Arc::new(Fixed::new()?));
    let server = AuthLayer::new(authenticator, None).layer(RouterServiceServer::new(Echo));
    let connection = Connection::local(LocalServices::new().with(server), Peer::Edge);
    let client = RouterServiceClient::new(connection);
    call(&client, &key).await?;
    let pid = std::process::id();
    let before = cpu::seconds(pid)?;
    for _ in 0..calls {
        call(&client, &key).await?;
    }
    let seconds = cpu::seconds(pid)? - before;
    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    Ok(RpcCost {
        per_call: Duration::from_secs_f64(seconds / calls as f64),
    })
}

async fn call(client: &RouterServiceClient<Connection>, key: &Secret) -> anyhow::Result<()> {
    use proto::invoke_request::Part;
    let parts = [
        Part::Head(proto::InvokeRequestHead::default()),
        Part::Chunk(Bytes::from_static(&[b'x'; 1024])),
        Part::End(proto::InvokeRequestEnd {}),
    ];
    let parts = parts.map(|part| proto::InvokeRequest { part: Some(part) });
    let mut request = Request::new(stream::iter(parts));
    let bearer = MetadataValue::try_from(format!("Bearer {}", key.expose()))?;
    request.metadata_mut().insert("authorization", bearer);
    let mut answer = client.clone().invoke(request).await?.into_inner();
    let mut parts = 0;
    while let Some(part) = answer.message().await? {
        part.part.context("an empty part")?;
        parts += 1;
    }
    anyhow::ensure!(parts == 3, "{parts} parts");
    Ok(())
}

/// Gives every credential the same grant.
struct Fixed(GrantSigner);

impl Fixed {
    fn new() -> anyhow::Result<Self> {
        Ok(Self(GrantSigner::from_seed("bench", &[1; 32])?))
    }
}

#[async_trait]
impl CredentialExchanger for Fixed {
    async fn exchange(&self, _: &Secret, _: &str) -> Result<Exchanged, Status> {
        let principal = Principal {
            access_key_id: "bench".to_owned(),
            user: Some(Subject {
                id: "bench".to_owned(),
                uid: "bench".to_owned(),
            }),
            organization: None,
            project: None,
            organization_role: None,
            scopes: Scopes::all(),
            tier: "enterprise".to_owned(),
            allowed_models: Vec::new(),
            limits: AccessKeyLimits::default(),
            cache: None,
        };
        let grant = self.0.sign("bench", &principal, time::now());
        Ok(Exchanged {
            grant,
            keys: vec![self.0.grant_key()],
        })
    }

    async fn grant_keys(&self) -> Result<Vec<GrantKey>, Status> {
        Ok(vec![self.0.grant_key()])
    }
}

/// Reads a request and gives a fixed answer.
struct Echo;

type Answer = Pin<Box<dyn Stream<Item = Result<proto::InvokeResponse, Status>> + Send>>;

#[async_trait]
impl RouterService for Echo {
    type InvokeStream = Answer;
    type ChatStream = Pin<Box<dyn Stream<Item = Result<proto::ChatResponse, Status>> + Send>>;

    async fn chat(
        &self,
        _: Request<proto::ChatRequest>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn invoke(
        &self,
        request: Request<Streaming<proto::InvokeRequest>>,
    ) -> Result<Response<Answer>, Status> {
        use proto::invoke_response::Part;
        let mut parts = request.into_inner();
        while parts.message().await?.is_some() {}
        let answer = [
            Part::Head(proto::InvokeResponseHead::default()),
            Part::Chunk(Bytes::from_static(&[b'y'; 1536])),
            Part::Summary(proto::InvokeSummary::default()),
        ];
        let answer = answer.map(|part| Ok(proto::InvokeResponse { part: Some(part) }));
        Ok(Response::new(stream::iter(answer).boxed()))
    }

    async fn resolve_route(
        &self,
        _: Request<proto::ResolveRouteRequest>,
    ) -> Result<Response<proto::ResolveRouteResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn test_provider_key(
        &self,
        _: Request<proto::TestProviderKeyRequest>,
    ) -> Result<Response<proto::TestProviderKeyResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn get_routing_policy(
        &self,
        _: Request<proto::GetRoutingPolicyRequest>,
    ) -> Result<Response<proto::GetRoutingPolicyResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn update_routing_policy(
        &self,
        _: Request<proto::UpdateRoutingPolicyRequest>,
    ) -> Result<Response<proto::UpdateRoutingPolicyResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn list_models(
        &self,
        _: Request<proto::ListModelsRequest>,
    ) -> Result<Response<proto::ListModelsResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn get_model(
        &self,
        _: Request<proto::GetModelRequest>,
    ) -> Result<Response<proto::GetModelResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn list_providers(
        &self,
        _: Request<proto::ListProvidersRequest>,
    ) -> Result<Response<proto::ListProvidersResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn purge_cache(
        &self,
        _: Request<proto::PurgeCacheRequest>,
    ) -> Result<Response<proto::PurgeCacheResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn get_provider(
        &self,
        _: Request<proto::GetProviderRequest>,
    ) -> Result<Response<proto::GetProviderResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }
}
