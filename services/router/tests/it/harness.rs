//! A router with its neighbours, and calls of it as the edge makes them.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use keyward_auth::{
    Authenticator, Caller, Connection, GrantToken, LocalServices, Peer, Principal, RemoteExchanger,
    Scopes, Subject,
};
use keyward_catalog::{Catalog, CatalogHandle};
use keyward_proto::metering::v1::metering_service_server::MeteringServiceServer;
use keyward_proto::metering::v1::pricing_service_server::PricingServiceServer;
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::invoke_request::Part as Asked;
use keyward_proto::router::v1::invoke_response::Part as Answered;
use keyward_proto::router::v1::router_service_client::RouterServiceClient;
use keyward_proto::vault::v1::OwnerKind;
use keyward_proto::vault::v1::vault_service_server::VaultServiceServer;
use keyward_router::domain::providers::ProviderOverride;
use keyward_router::{Router, RouterConfig, RouterConnections};
use keyward_runtime::error::WireError;
use keyward_runtime::serve::Process;
use tonic::body::Body;
use tonic::server::NamedService;

use crate::fakes::{FakeMetering, FakeVault};
use crate::upstream::Upstream;

pub(crate) struct Harness {
    pub(crate) upstream: Upstream,
    pub(crate) vault: FakeVault,
    pub(crate) metering: FakeMetering,
    pub(crate) router: Router,
    pub(crate) client: RouterServiceClient<Connection>,
    pub(crate) process: Process,
    /// Of the spool.
    pub(crate) folder: tempfile::TempDir,
}

/// What a call got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: proto::InvokeResponseHead,
    pub(crate) body: String,
    pub(crate) summary: proto::InvokeSummary,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.head.headers.iter().find(|header| header.name == name);
        found.map(|header| header.value.as_str())
    }
}

pub(crate) const PLAIN: &str =
    r#"{"model":"gpt-4o","messages":[{"role":"user","content":"one two three"}]}"#;
pub(crate) const STREAMED: &str =
    r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
pub(crate) const ANSWER: &str = r#"{"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut RouterConfig)) -> Self {
        let upstream = Upstream::start().await;
        let (vault, metering) = (FakeVault::new(), FakeMetering::new());
        let folder = tempfile::tempdir().unwrap();
        let mut config = RouterConfig::new(
            folder.path().join("spool.db"),
            folder.path().join("router.db"),
        );
        for (name, path) in [
            ("openai", "openai/v1"),
            ("openrouter", "openrouter/v1"),
            ("groq", "groq/v1"),
            ("anthropic", "anthropic"),
        ] {
            let base_url = format!("{}/{path}", upstream.origin).parse().unwrap();
            let provider = ProviderOverride {
                base_url: Some(base_url),
                kind: None,
                enabled: true,
                ..ProviderOverride::default()
            };
            config.providers.insert(name.to_owned(), provider);
        }
        config.timeouts.commit = Duration::from_millis(300);
        change(&mut config);
        let vault_services = LocalServices::new().with(VaultServiceServer::new(vault.clone()));
        let metering_services = LocalServices::new()
            .with(MeteringServiceServer::new(metering.clone()))
            .with(PricingServiceServer::new(metering.clone()));
        let connections = RouterConnections {
            vault: Connection::local(vault_services, Peer::Router),
            metering: Connection::local(metering_services, Peer::Router),
        };
        let exchanger = RemoteExchanger::new(connections.vault.clone());
        let authenticator = Authenticator::new(Arc::new(exchanger));
        let process = Process::new();
        let catalog = CatalogHandle::new(Catalog::embedded().unwrap());
        let router = Router::open(&config, connections, authenticator, catalog, &process);
        let router = router.await.unwrap();
        let services = LocalServices::new().with(AsBob(router.server()));
        let client = RouterServiceClient::new(Connection::local(services, Peer::Edge));
        while !router.is_ready() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Self {
            upstream,
            vault,
            metering,
            router,
            client,
            process,
            folder,
        }
    }

    pub(crate) fn own_key(&self, provider: &str) -> String {
        self.vault
            .add(OwnerKind::User, provider, &format!("own-{provider}"))
    }

    /// The id of the first key for a provider.
    pub(crate) fn key_of(&self, provider: &str) -> String {
        let keys = self.vault.0.keys.lock();
        let mut keys = keys.iter().filter_map(|key| key.provider_key.as_ref());
        let found = keys.find(|key| key.provider == provider);
        found.unwrap().provider_key_id.clone()
    }

    pub(crate) fn system_key(&self, provider: &str) -> String {
        self.vault
            .add(OwnerKind::System, provider, &format!("system-{provider}"))
    }

    pub(crate) async fn call(&self, body: &str) -> Result<Answer, WireError> {
        self.call_with(body, proto::RoutingOptions::default(), false)
            .await
    }

    pub(crate) async fn call_with(
        &self,
        body: &str,
        options: proto::RoutingOptions,
        body_metadata: bool,
    ) -> Result<Answer, WireError> {
        let parts = self.begin(body, options, body_metadata).await;
        let mut parts = parts.map_err(|status| WireError::from(&status))?;
        let (mut head, mut body, mut summary) = (None, Vec::new(), None);
        while let Some(message) = parts.message().await.unwrap() {
            match message.part.unwrap() {
                Answered::Head(part) => head = Some(part),
                Answered::Chunk(chunk) => body.extend_from_slice(&chunk),
                Answered::Summary(part) => summary = Some(part),
            }
        }
        let body = String::from_utf8(body).unwrap();
        Ok(Answer {
            head: head.unwrap(),
            body,
            summary: summary.unwrap(),
        })
    }

    pub(crate) async fn begin(
        &self,
        body: &str,
        options: proto::RoutingOptions,
        body_metadata: bool,
    ) -> Result<tonic::Streaming<proto::InvokeResponse>, tonic::Status> {
        let request = asking(body, options, body_metadata);
        let response = self.client.clone().invoke(request).await?;
        Ok(response.into_inner())
    }

    /// The same for a caller who waits so long.
    pub(crate) async fn begin_within(
        &self,
        body: &str,
        waits: Duration,
    ) -> Result<tonic::Streaming<proto::InvokeResponse>, tonic::Status> {
        let mut request = asking(body, proto::RoutingOptions::default(), false);
        request.set_timeout(waits);
        let response = self.client.clone().invoke(request).await?;
        Ok(response.into_inner())
    }

    pub(crate) fn spool(&self) -> std::path::PathBuf {
        self.folder.path().join("spool.db")
    }

    /// Metering, as a router reaches it.
    pub(crate) fn metering_connection(&self) -> Connection {
        let metering = self.metering.clone();
        let services = LocalServices::new()
            .with(MeteringServiceServer::new(metering.clone()))
            .with(PricingServiceServer::new(metering));
        Connection::local(services, Peer::Router)
    }

    /// Ends everything in flight and what runs beside it.
    pub(crate) async fn stop(self) {
        let Self {
            router,
            client,
            process,
            ..
        } = self;
        drop(client);
        assert!(process.drain(Duration::from_secs(10)).await);
        router.close().await;
    }
}

/// A request as the edge sends it.
fn asking(
    body: &str,
    options: proto::RoutingOptions,
    body_metadata: bool,
) -> tonic::Request<impl futures::Stream<Item = proto::InvokeRequest> + Send + 'static> {
    let head = proto::InvokeRequestHead {
        form: proto::CallForm::OpenaiChatCompletions as i32,
        options: Some(options),
        tags: [("team".to_owned(), "search".to_owned())].into(),
        client_request_id: "mine".to_owned(),
        body_metadata,
        ..proto::InvokeRequestHead::default()
    };
    let chunks = body.as_bytes().chunks(keyward_proto::BODY_CHUNK_BYTES_MAX);
    let chunks = chunks.map(|chunk| Asked::Chunk(chunk.to_vec().into()));
    let parts: Vec<proto::InvokeRequest> = std::iter::once(Asked::Head(head))
        .chain(chunks)
        .chain([Asked::End(proto::InvokeRequestEnd {})])
        .map(|part| proto::InvokeRequest { part: Some(part) })
        .collect();
    tonic::Request::new(futures::stream::iter(parts))
}

/// Waits until something is so.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("it never became so");
}

/// Stands where the authenticating layer stands: every caller is bob.
#[derive(Clone)]
struct AsBob<S>(S);

impl<S: NamedService> NamedService for AsBob<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> tower::Service<http::Request<Body>> for AsBob<S>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> S::Future {
        let principal = Principal {
            access_key_id: "ak-1".into(),
            user: Some(Subject {
                id: "bob".into(),
                uid: "uid-bob".into(),
            }),
            organization: None,
            project: None,
            organization_role: None,
            scopes: Scopes::all(),
            tier: "professional".into(),
            allowed_models: Vec::new(),
            limits: keyward_auth::AccessKeyLimits::default(),
            cache: None,
        };
        let now = keyward_runtime::time::now();
        request.extensions_mut().insert(Caller {
            principal: Arc::new(principal),
            grant: GrantToken::new("kwg1.test"),
            grant_id: "grant".into(),
            expires: now + Duration::from_mins(1),
        });
        self.0.call(request)
    }
}
