//! Services that answer as they are told and remember what they were asked.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use keyward_auth::{Connection, LocalServices, Peer};
use keyward_proto::metering::v1 as metering;
use keyward_proto::metering::v1::budget_service_server::{BudgetService, BudgetServiceServer};
use keyward_proto::metering::v1::credit_service_server::{CreditService, CreditServiceServer};
use keyward_proto::metering::v1::pricing_service_server::{PricingService, PricingServiceServer};
use keyward_proto::metering::v1::usage_service_server::{UsageService, UsageServiceServer};
use keyward_proto::router::v1 as router;
use keyward_proto::router::v1::invoke_request::Part;
use keyward_proto::router::v1::router_service_server::{RouterService, RouterServiceServer};
use keyward_proto::vault::v1 as vault;
use keyward_proto::vault::v1::audit_service_server::{AuditService, AuditServiceServer};
use keyward_proto::vault::v1::identity_service_server::{IdentityService, IdentityServiceServer};
use keyward_proto::vault::v1::provider_key_service_server::{
    ProviderKeyService, ProviderKeyServiceServer,
};
use keyward_runtime::trace::TraceContext;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

/// What the router's fake streams back.
pub(crate) type Answer = Result<router::InvokeResponse, Status>;

/// What a service was asked.
pub(crate) struct Asked<Q> {
    pub(crate) metadata: MetadataMap,
    pub(crate) message: Q,
}

/// The parts that a call of `Invoke` brought.
#[derive(Default)]
pub(crate) struct Invoked {
    pub(crate) metadata: MetadataMap,
    /// The span that it was called in.
    pub(crate) trace: Option<TraceContext>,
    pub(crate) head: Option<router::InvokeRequestHead>,
    pub(crate) chunks: Vec<usize>,
    pub(crate) body: Vec<u8>,
    pub(crate) ended: bool,
}

/// All services in one. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Fakes(Arc<State>);

#[derive(Default)]
struct State {
    answers: Mutex<HashMap<&'static str, Box<dyn Any + Send>>>,
    asked: Mutex<HashMap<&'static str, Asked<Box<dyn Any + Send>>>>,
    invoke: Mutex<Option<mpsc::Receiver<Answer>>>,
    invoked: Mutex<Option<Invoked>>,
}

impl Fakes {
    /// A connection to all of them.
    pub(crate) fn connection(&self) -> Connection {
        let services = LocalServices::new()
            .with(RouterServiceServer::new(self.clone()))
            .with(ProviderKeyServiceServer::new(self.clone()))
            .with(IdentityServiceServer::new(self.clone()))
            .with(AuditServiceServer::new(self.clone()))
            .with(CreditServiceServer::new(self.clone()))
            .with(BudgetServiceServer::new(self.clone()))
            .with(UsageServiceServer::new(self.clone()))
            .with(PricingServiceServer::new(self.clone()));
        Connection::local(services, Peer::Edge)
    }

    /// What a method shall answer.
    pub(crate) fn answer<A: Send + 'static>(&self, method: &'static str, answer: A) {
        self.outcome(method, Ok(answer));
    }

    /// What becomes of a method.
    pub(crate) fn outcome<A: Send + 'static>(
        &self,
        method: &'static str,
        answer: Result<A, Status>,
    ) {
        let mut answers = self.0.answers.lock().unwrap();
        answers.insert(method, Box::new(answer));
    }

    /// What a method was asked last.
    pub(crate) fn asked<Q: 'static>(&self, method: &'static str) -> Asked<Q> {
        let asked = self.0.asked.lock().unwrap().remove(method);
        let asked = asked.expect("it was asked");
        Asked {
            metadata: asked.metadata,
            message: *asked.message.downcast().expect("of that type"),
        }
    }

    /// Whether a method was asked.
    pub(crate) fn was_asked(&self, method: &'static str) -> bool {
        self.0.asked.lock().unwrap().contains_key(method)
    }

    /// The sender of the next call's answer.
    pub(crate) fn invoke(&self) -> mpsc::Sender<Answer> {
        let (sender, receiver) = mpsc::channel(8);
        *self.0.invoke.lock().unwrap() = Some(receiver);
        sender
    }

    /// What the last call of `Invoke` brought.
    pub(crate) fn invoked(&self) -> Invoked {
        let invoked = self.0.invoked.lock().unwrap().take();
        invoked.expect("invoked")
    }

    fn respond<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Clone + 'static,
    {
        let (metadata, _, message) = request.into_parts();
        let mut asked = self.0.asked.lock().unwrap();
        let message: Box<dyn Any + Send> = Box::new(message);
        asked.insert(method, Asked { metadata, message });
        let answers = self.0.answers.lock().unwrap();
        let answer = answers
            .get(method)
            .and_then(|answer| answer.downcast_ref::<Result<A, Status>>());
        answer
            .cloned()
            .unwrap_or_else(|| Err(Status::unimplemented(method)))
            .map(Response::new)
    }
}

/// Implements a service: every method answers as it is told.
macro_rules! scripted {
    ($service:ident in $package:ident { $($method:ident $request:ident $response:ident)+ } $($rest:tt)*) => {
        #[tonic::async_trait]
        impl $service for Fakes {
            $(async fn $method(
                &self,
                request: Request<$package::$request>,
            ) -> Result<Response<$package::$response>, Status> {
                self.respond(stringify!($method), request)
            })+
            $($rest)*
        }
    };
}

scripted!(ProviderKeyService in vault {
    create_provider_key CreateProviderKeyRequest CreateProviderKeyResponse
    import_provider_key ImportProviderKeyRequest ImportProviderKeyResponse
    get_provider_key GetProviderKeyRequest GetProviderKeyResponse
    list_provider_keys ListProviderKeysRequest ListProviderKeysResponse
    update_provider_key UpdateProviderKeyRequest UpdateProviderKeyResponse
    rotate_provider_key RotateProviderKeyRequest RotateProviderKeyResponse
    delete_provider_key DeleteProviderKeyRequest DeleteProviderKeyResponse
});

scripted!(IdentityService in vault {
    exchange_credential ExchangeCredentialRequest ExchangeCredentialResponse
    get_grant_keys GetGrantKeysRequest GetGrantKeysResponse
    resolve_account ResolveAccountRequest ResolveAccountResponse
    resolve_owner ResolveOwnerRequest ResolveOwnerResponse
    create_user CreateUserRequest CreateUserResponse
    get_user GetUserRequest GetUserResponse
    list_users ListUsersRequest ListUsersResponse
    update_user UpdateUserRequest UpdateUserResponse
    delete_user DeleteUserRequest DeleteUserResponse
    create_organization CreateOrganizationRequest CreateOrganizationResponse
    get_organization GetOrganizationRequest GetOrganizationResponse
    list_organizations ListOrganizationsRequest ListOrganizationsResponse
    update_organization UpdateOrganizationRequest UpdateOrganizationResponse
    delete_organization DeleteOrganizationRequest DeleteOrganizationResponse
    create_project CreateProjectRequest CreateProjectResponse
    get_project GetProjectRequest GetProjectResponse
    list_projects ListProjectsRequest ListProjectsResponse
    update_project UpdateProjectRequest UpdateProjectResponse
    delete_project DeleteProjectRequest DeleteProjectResponse
    set_member SetMemberRequest SetMemberResponse
    get_member GetMemberRequest GetMemberResponse
    list_members ListMembersRequest ListMembersResponse
    remove_member RemoveMemberRequest RemoveMemberResponse
    create_access_key CreateAccessKeyRequest CreateAccessKeyResponse
    get_access_key GetAccessKeyRequest GetAccessKeyResponse
    list_access_keys ListAccessKeysRequest ListAccessKeysResponse
    revoke_access_key RevokeAccessKeyRequest RevokeAccessKeyResponse
});

scripted!(AuditService in vault {
    list_audit_events ListAuditEventsRequest ListAuditEventsResponse
    verify_audit_log VerifyAuditLogRequest VerifyAuditLogResponse
});

scripted!(CreditService in metering {
    get_balance GetBalanceRequest GetBalanceResponse
    grant_credits GrantCreditsRequest GrantCreditsResponse
    refund_charge RefundChargeRequest RefundChargeResponse
    list_transactions ListTransactionsRequest ListTransactionsResponse
});

scripted!(BudgetService in metering {
    create_budget CreateBudgetRequest CreateBudgetResponse
    get_budget GetBudgetRequest GetBudgetResponse
    list_budgets ListBudgetsRequest ListBudgetsResponse
    update_budget UpdateBudgetRequest UpdateBudgetResponse
    delete_budget DeleteBudgetRequest DeleteBudgetResponse
});

scripted!(UsageService in metering {
    list_usage_records ListUsageRecordsRequest ListUsageRecordsResponse
    get_receipt GetReceiptRequest GetReceiptResponse
    query_usage QueryUsageRequest QueryUsageResponse
    estimate_cost EstimateCostRequest EstimateCostResponse
    list_key_statistics ListKeyStatisticsRequest ListKeyStatisticsResponse
    get_savings GetSavingsRequest GetSavingsResponse
    get_statement GetStatementRequest GetStatementResponse
    rerate_usage RerateUsageRequest RerateUsageResponse
});

scripted!(PricingService in metering {
    list_tiers ListTiersRequest ListTiersResponse
    get_tier GetTierRequest GetTierResponse
    create_tier CreateTierRequest CreateTierResponse
    update_tier UpdateTierRequest UpdateTierResponse
    get_price GetPriceRequest GetPriceResponse
    list_prices ListPricesRequest ListPricesResponse
    list_price_versions ListPriceVersionsRequest ListPriceVersionsResponse
    compare_price_versions ComparePriceVersionsRequest ComparePriceVersionsResponse
    activate_price_version ActivatePriceVersionRequest ActivatePriceVersionResponse
});

scripted!(RouterService in router {
    resolve_route ResolveRouteRequest ResolveRouteResponse
    test_provider_key TestProviderKeyRequest TestProviderKeyResponse
    list_models ListModelsRequest ListModelsResponse
    get_model GetModelRequest GetModelResponse
    list_providers ListProvidersRequest ListProvidersResponse
    get_provider GetProviderRequest GetProviderResponse
    get_routing_policy GetRoutingPolicyRequest GetRoutingPolicyResponse
    update_routing_policy UpdateRoutingPolicyRequest UpdateRoutingPolicyResponse
    purge_cache PurgeCacheRequest PurgeCacheResponse
}
    type InvokeStream = ReceiverStream<Answer>;
    type ChatStream = ReceiverStream<Result<router::ChatResponse, Status>>;

    // The edge has callers who write JSON.
    async fn chat(
        &self,
        _: Request<router::ChatRequest>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        Err(Status::unimplemented("chat"))
    }

    async fn invoke(
        &self,
        request: Request<Streaming<router::InvokeRequest>>,
    ) -> Result<Response<ReceiverStream<Answer>>, Status> {
        let (metadata, _, mut parts) = request.into_parts();
        let mut invoked = Invoked {
            metadata,
            trace: TraceContext::current(),
            ..Invoked::default()
        };
        while let Some(message) = parts.message().await? {
            match message.part {
                Some(Part::Head(head)) => invoked.head = Some(head),
                Some(Part::Chunk(chunk)) => {
                    invoked.chunks.push(chunk.len());
                    invoked.body.extend_from_slice(&chunk);
                }
                Some(Part::End(_)) => invoked.ended = true,
                None => return Err(Status::invalid_argument("an empty part")),
            }
        }
        let ended = invoked.ended;
        *self.0.invoked.lock().unwrap() = Some(invoked);
        if !ended {
            return Err(Status::cancelled("the body has no end"));
        }
        let answer = self.0.invoke.lock().unwrap().take();
        answer
            .map(|answer| Response::new(ReceiverStream::new(answer)))
            .ok_or_else(|| Status::unimplemented("invoke"))
    }
);
