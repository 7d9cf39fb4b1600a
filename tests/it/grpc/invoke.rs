//! Inference over gRPC, as an internal service does it.

use keyward_proto::metering::v1::KeySource;
use keyward_proto::router::v1::invoke_request::Part as Asked;
use keyward_proto::router::v1::invoke_response::Part as Answered;
use keyward_proto::router::v1::router_service_client::RouterServiceClient;
use keyward_proto::router::v1::{
    CallForm, InvokeRequest, InvokeRequestEnd, InvokeRequestHead, InvokeResponseHead,
    InvokeSummary, ResolveRouteRequest, RoutingOptions,
};
use keyward_testkit::client::ask;
use keyward_testkit::{Role, Tenant, Topology};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::with_key;
use crate::system::{System, both, shared};

async fn invoke_serves_plain_and_streamed(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    for streamed in [false, true] {
        let mut body = ask("sandbox/echo", "one two three");
        body["stream"] = streamed.into();
        let key = tenant.client.access_key();
        let (head, text, summary) = invoke(&system, key, &body.to_string()).await.unwrap();
        assert_eq!(head.http_status, 200);
        assert_eq!(head.provider, "sandbox");
        assert_eq!(head.key_source(), KeySource::System);
        assert!(text.contains("three"), "{text}");
        assert_eq!(summary.charge_nanos, 9450);
        assert_eq!(summary.list_cost_nanos, Some(9000));
        let receipt = tenant.receipt(&head.inference_id).await;
        assert_eq!(receipt["charge"], "0.00000945");
    }
}

async fn an_own_key_serves_over_grpc_too(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    let body = ask("openai/gpt-4o-mini", "hello").to_string();
    let access_key = tenant.client.access_key();
    let (head, _, summary) = invoke(&system, access_key, &body).await.unwrap();
    assert_eq!(head.key_source(), KeySource::User);
    assert_eq!(summary.charge_nanos, 0);
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
}

async fn a_wrong_access_key_is_unauthenticated_with_a_reason(topology: Topology) {
    let system = shared(topology).await;
    let body = ask("sandbox/echo", "hello").to_string();
    let status = invoke(&system, "kw_wrong", &body).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    let info = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(info.domain, "keyward.dev");
    assert_eq!(info.reason, "INVALID_ACCESS_KEY");
}

async fn failures_carry_their_reason(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    for (model, code, reason) in [
        (
            "sandbox/echo",
            Code::FailedPrecondition,
            "INSUFFICIENT_CREDITS",
        ),
        ("no-such-model", Code::NotFound, "MODEL_NOT_FOUND"),
    ] {
        let body = ask(model, "hello").to_string();
        let key = tenant.client.access_key();
        let status = invoke(&system, key, &body).await.unwrap_err();
        assert_eq!(status.code(), code, "{model}: {status}");
        assert_eq!(status.get_details_error_info().unwrap().reason, reason);
    }
}

async fn resolve_route_sends_nothing(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (id, key) = tenant.own_key("openai").await;
    let mut client = RouterServiceClient::new(system.gateway.grpc(Role::Router).await);
    let request = ResolveRouteRequest {
        model: "openai/gpt-4o-mini".to_owned(),
        ..ResolveRouteRequest::default()
    };
    let request = with_key(Request::new(request), tenant.client.access_key());
    let answer = client.resolve_route(request).await.unwrap().into_inner();
    assert_eq!(answer.candidates[0].provider_key_id, id);
    assert!(answer.candidates[0].chosen);
    assert!(system.providers.openai.requests_with(&key).is_empty());
}

async fn invoke(
    system: &System,
    access_key: &str,
    body: &str,
) -> Result<(InvokeResponseHead, String, InvokeSummary), Status> {
    let mut client = RouterServiceClient::new(system.gateway.grpc(Role::Router).await);
    let head = InvokeRequestHead {
        form: CallForm::OpenaiChatCompletions.into(),
        options: Some(RoutingOptions::default()),
        ..InvokeRequestHead::default()
    };
    let parts = [
        Asked::Head(head),
        Asked::Chunk(body.to_owned().into()),
        Asked::End(InvokeRequestEnd {}),
    ];
    let parts = parts.map(|part| InvokeRequest { part: Some(part) });
    let request = with_key(Request::new(futures::stream::iter(parts)), access_key);
    let mut answers = client.invoke(request).await?.into_inner();
    let (mut head, mut text, mut summary) = (None, Vec::new(), None);
    while let Some(answer) = answers.message().await? {
        match answer.part.expect("a part") {
            Answered::Head(found) => head = Some(found),
            Answered::Chunk(bytes) => text.extend_from_slice(&bytes),
            Answered::Summary(found) => summary = Some(found),
        }
    }
    let text = String::from_utf8(text).expect("text");
    Ok((head.expect("a head"), text, summary.expect("a summary")))
}

both!(
    invoke_serves_plain_and_streamed,
    an_own_key_serves_over_grpc_too,
    a_wrong_access_key_is_unauthenticated_with_a_reason,
    failures_carry_their_reason,
    resolve_route_sends_nothing,
);
