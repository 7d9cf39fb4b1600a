//! The router's contract: decodes, calls the use case, encodes. The one place where requests and
//! responses of gRPC are named.

mod chat;
mod convert;
mod invoke;
mod key_tests;
mod labels;
mod models;
mod policies;
mod providers;

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use keyward_auth::caller;
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::router_service_server::RouterService;
use keyward_runtime::error::to_status;
use tonic::{Request, Response, Status, Streaming};

use crate::app::{Behalf, Core};
pub(crate) use invoke::BODY_BYTES_MAX;

/// The service.
#[derive(Debug, Clone)]
pub struct RouterApi {
    core: Arc<Core>,
}

impl RouterApi {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

/// Who calls.
fn behalf<T>(request: &Request<T>) -> Result<Behalf, Status> {
    Ok(Behalf {
        caller: caller(request)?.clone(),
    })
}

#[tonic::async_trait]
impl RouterService for RouterApi {
    type InvokeStream = Pin<Box<dyn Stream<Item = Result<proto::InvokeResponse, Status>> + Send>>;

    async fn invoke(
        &self,
        request: Request<Streaming<proto::InvokeRequest>>,
    ) -> Result<Response<Self::InvokeStream>, Status> {
        let behalf = behalf(&request)?;
        let due = invoke::due(request.metadata());
        let invocation = invoke::read(request.into_inner(), behalf, due).await?;
        let answer = self.core.invoke(invocation).await;
        let (head, parts) = answer.map_err(|error| to_status(&error))?;
        Ok(Response::new(Box::pin(invoke::write(head, parts))))
    }

    type ChatStream = Pin<Box<dyn Stream<Item = Result<proto::ChatResponse, Status>> + Send>>;

    async fn chat(
        &self,
        request: Request<proto::ChatRequest>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        let behalf = behalf(&request)?;
        let due = invoke::due(request.metadata());
        let invocation = chat::read(request.into_inner(), behalf, due)?;
        let answer = self.core.invoke(invocation).await;
        let (head, parts) = answer.map_err(|error| to_status(&error))?;
        let events = chat::write(head, parts).await?;
        Ok(Response::new(Box::pin(events)))
    }

    async fn resolve_route(
        &self,
        request: Request<proto::ResolveRouteRequest>,
    ) -> Result<Response<proto::ResolveRouteResponse>, Status> {
        let behalf = behalf(&request)?;
        let question = convert::question(request.into_inner())?;
        let plan = self.core.explain(question, &behalf).await;
        let plan = plan.map_err(|error| to_status(&error))?;
        Ok(Response::new(convert::resolved(&plan)))
    }

    async fn test_provider_key(
        &self,
        request: Request<proto::TestProviderKeyRequest>,
    ) -> Result<Response<proto::TestProviderKeyResponse>, Status> {
        let behalf = behalf(&request)?;
        let subject = key_tests::subject(request.into_inner())?;
        let tested = self.core.test_key(subject, &behalf).await;
        let tested = tested.map_err(|error| to_status(&error))?;
        Ok(Response::new(key_tests::answer(tested)))
    }

    async fn list_models(
        &self,
        request: Request<proto::ListModelsRequest>,
    ) -> Result<Response<proto::ListModelsResponse>, Status> {
        let caller = caller(&request)?.clone();
        let catalog = self.core.catalog.current();
        models::list(&catalog, &caller.principal, &request.into_inner()).map(Response::new)
    }

    async fn get_model(
        &self,
        request: Request<proto::GetModelRequest>,
    ) -> Result<Response<proto::GetModelResponse>, Status> {
        let caller = caller(&request)?.clone();
        let catalog = self.core.catalog.current();
        models::get(&catalog, &caller.principal, &request.into_inner().model).map(Response::new)
    }

    async fn list_providers(
        &self,
        request: Request<proto::ListProvidersRequest>,
    ) -> Result<Response<proto::ListProvidersResponse>, Status> {
        let (behalf, message) = (behalf(&request)?, request.into_inner());
        let listed = providers::list(&self.core, &behalf, &message).await;
        listed.map(Response::new)
    }

    async fn purge_cache(
        &self,
        request: Request<proto::PurgeCacheRequest>,
    ) -> Result<Response<proto::PurgeCacheResponse>, Status> {
        let (behalf, message) = (behalf(&request)?, request.into_inner());
        let purged = self.core.purge_cache(&behalf, &message.tag).await;
        let purged = purged.map_err(|error| to_status(&error))?;
        Ok(Response::new(proto::PurgeCacheResponse {
            purged: i64::try_from(purged).unwrap_or(i64::MAX),
        }))
    }

    async fn get_provider(
        &self,
        request: Request<proto::GetProviderRequest>,
    ) -> Result<Response<proto::GetProviderResponse>, Status> {
        let (behalf, message) = (behalf(&request)?, request.into_inner());
        let found = providers::get(&self.core, &behalf, &message.provider).await;
        found.map(Response::new)
    }

    async fn get_routing_policy(
        &self,
        request: Request<proto::GetRoutingPolicyRequest>,
    ) -> Result<Response<proto::GetRoutingPolicyResponse>, Status> {
        let (behalf, message) = (behalf(&request)?, request.into_inner());
        let found = policies::get(&self.core, &behalf, message).await;
        found.map(Response::new)
    }

    async fn update_routing_policy(
        &self,
        request: Request<proto::UpdateRoutingPolicyRequest>,
    ) -> Result<Response<proto::UpdateRoutingPolicyResponse>, Status> {
        let (behalf, message) = (behalf(&request)?, request.into_inner());
        let updated = policies::update(&self.core, &behalf, message).await;
        updated.map(Response::new)
    }
}
