//! What a collector is told of requests, and what of it is true without one: the trace of a request
//! is the same in its answer, its spans, its log lines and its audit events.

pub(crate) mod collector;

use http::Method;
use keyward_testkit::client::ask;
use keyward_testkit::{Role, Script, Tenant, Topology, gateway, wait};
use serde_json::{Value, json};

use crate::served::MODEL;
use crate::system::{System, both, shared};
use collector::Collector;

/// What a caller sends that traces itself.
const CALLERS_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLERS_SPAN: &str = "00f067aa0ba902b7";
const CALLERS_STATE: &str = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";

/// A word that is in prompt and answer.
const CONTENT: &str = "rhododendron";

/// The call by which the edge has a request served.
const INVOKE: &str = "keyward.router.v1.RouterService/Invoke";

/// How a call ended.
const RPC_STATUS: &str = "rpc.response.status_code";

/// A system of its own, and the collector that it exports to.
async fn watched(topology: Topology) -> (Collector, System) {
    let collector = Collector::start().await;
    let system = System::own(topology, |launch| {
        launch.set("telemetry.otlp_endpoint", &collector.endpoint)
    })
    .await;
    (collector, system)
}

/// What both ends of a call say: two spans apart, one in one process.
fn ends(topology: Topology, word: &str) -> Vec<String> {
    let spans = match topology {
        Topology::Embedded => 1,
        Topology::Split => 2,
    };
    vec![format!("\"{word}\""); spans]
}

/// The faults of a call that did not end well through nobody's fault but the caller's: apart, it failed
/// for the edge, that made it.
fn failed_for_the_edge(topology: Topology) -> Vec<String> {
    match topology {
        Topology::Embedded => Vec::new(),
        Topology::Split => vec![format!("{INVOKE} (client, error)")],
    }
}

async fn a_streamed_call_with_a_failover_is_one_tree(topology: Topology) {
    let (collector, mut system) = watched(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (_, key) = tenant.own_key("openrouter").await;
    let limited = Script::rate_limited(None);
    system.providers.openrouter.script(&key, limited);
    let by_platform = &system.providers.system_key;
    let answer = Script::ok(&format!("some {CONTENT} flowers"));
    system.providers.openai.script(by_platform, answer);

    let parent = format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-01");
    let client = tenant.client.with("traceparent", &parent);
    let finished = client.chat_stream(MODEL, CONTENT).await.finish().await;
    assert_eq!(finished.answer.header("x-keyward-attempts"), "2");
    let traceparent = finished.answer.header("traceparent").to_owned();
    // What still waits is sent as processes stop.
    system.gateway.stop().await;

    let trace = collector.trace(CALLERS_TRACE).await;
    assert!(trace.is_whole(CALLERS_SPAN), "{trace:#?}");
    let root = trace
        .0
        .iter()
        .find(|span| span.parent_span_id == CALLERS_SPAN);
    let root = root.expect("the request's own span");
    assert_eq!(
        traceparent,
        format!("00-{CALLERS_TRACE}-{}-01", root.span_id)
    );
    assert!(!format!("{:?}", collector.spans()).contains(CONTENT));
    let name = match topology {
        Topology::Embedded => "in_one_process",
        Topology::Split => "in_four_processes",
    };
    insta::assert_snapshot!(name, trace.tree(CALLERS_SPAN));
}

async fn a_trace_that_its_caller_does_not_record_is_continued_and_not_exported(topology: Topology) {
    let (collector, mut system) = watched(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (id, _) = tenant.own_key("openai").await;
    let parent = format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-00");
    let client = tenant.client.with("traceparent", &parent);
    let answer = client.chat(MODEL, "hello").await.ok();
    let traceparent = answer.header("traceparent");
    assert!(
        traceparent.starts_with(&format!("00-{CALLERS_TRACE}-")),
        "{traceparent}"
    );
    assert!(traceparent.ends_with("-00"), "{traceparent}");
    assert_eq!(
        audited(&system, &id, "provider_key.unseal").await,
        CALLERS_TRACE
    );
    let seen = "00-11111111111111111111111111111111-00f067aa0ba902b7-01";
    let _ = tenant
        .client
        .with("traceparent", seen)
        .get("/v1/models")
        .await
        .ok();
    system.gateway.stop().await;

    let recorded = collector.trace("11111111111111111111111111111111").await;
    assert!(!recorded.0.is_empty(), "what is recorded arrives");
    let unrecorded = collector.trace(CALLERS_TRACE).await;
    assert!(unrecorded.0.is_empty(), "{unrecorded:#?}");
}

async fn a_caller_who_leaves_is_in_the_trace_and_so_is_what_was_done_after(topology: Topology) {
    let (collector, mut system) = watched(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let parent = format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-01");
    let client = tenant.client.with("traceparent", &parent);
    let words = vec![CONTENT; 40].join(" ");
    let mut stream = client.chat_stream("sandbox/slow", &words).await;
    assert!(stream.next_content().await.is_some());
    drop(stream);
    wait::until("the request to be settled", || async {
        !tenant.records().await.is_empty()
    })
    .await;
    system.gateway.stop().await;

    let trace = collector.trace(CALLERS_TRACE).await;
    assert!(trace.is_whole(CALLERS_SPAN), "{trace:#?}");
    assert!(!format!("{:?}", collector.spans()).contains(CONTENT));
    assert_eq!(
        trace.said("POST /v1/chat/completions", "keyward.cut"),
        ["true"]
    );
    let cancelled = ends(topology, "CANCELLED");
    assert_eq!(trace.said(INVOKE, RPC_STATUS), cancelled);
    assert_eq!(trace.faults(), failed_for_the_edge(topology), "{trace:#?}");
    // The sandbox's models have one name, so what was asked and the attempt do too.
    let chat = "chat sandbox/slow";
    assert_eq!(trace.said(chat, "keyward.outcome"), ["\"abandoned\""]);
    assert_eq!(trace.said(chat, "gen_ai.usage.output_tokens").len(), 1);
    assert_eq!(trace.said(chat, "keyward.attempts"), ["1"]);
    let settle = "keyward.metering.v1.MeteringService/SettleUsage";
    assert_eq!(trace.said(settle, RPC_STATUS), ends(topology, "OK"));
}

async fn an_answer_that_was_read_is_not_cut(topology: Topology) {
    let (collector, mut system) = watched(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let _ = tenant.own_key("openai").await;
    let parent = format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-01");
    let client = tenant.client.with("traceparent", &parent);
    for method in [Method::GET, Method::HEAD] {
        let _ = client.send(method, "/v1/models", "").await.ok();
    }
    let _ = client.chat(MODEL, "hello").await.ok();
    let _ = client.chat_stream(MODEL, "hello").await.finish().await;
    system.gateway.stop().await;

    let trace = collector.trace(CALLERS_TRACE).await;
    for (request, answers) in [
        ("GET /v1/models", 1),
        ("_OTHER /v1/models", 1),
        ("POST /v1/chat/completions", 2),
    ] {
        let statuses = trace.said(request, "http.response.status_code");
        assert_eq!(statuses, vec!["200"; answers], "{request}");
        assert!(trace.said(request, "keyward.cut").is_empty(), "{request}");
    }
}

async fn a_callers_mistake_is_in_the_trace_and_no_fault_of_who_serves(topology: Topology) {
    let (collector, mut system) = watched(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let parent = format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-01");
    let client = tenant.client.with("traceparent", &parent);
    let answer = client.chat("no/such-model", "hello").await;
    assert_eq!(answer.error(404), "model_not_found");
    system.gateway.stop().await;

    let trace = collector.trace(CALLERS_TRACE).await;
    assert!(trace.is_whole(CALLERS_SPAN), "{trace:#?}");
    let not_found = ends(topology, "NOT_FOUND");
    assert_eq!(trace.said(INVOKE, RPC_STATUS), not_found);
    assert_eq!(trace.faults(), failed_for_the_edge(topology), "{trace:#?}");
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_is_a_fault_in_the_trace() {
    let (collector, mut system) = watched(Topology::Split).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    system.gateway.terminate(Role::Metering);
    system.gateway.exited(Role::Metering).await;
    let parent = format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-01");
    let client = tenant.client.with("traceparent", &parent);
    let answer = client.chat("sandbox/echo", "hello").await;
    assert_eq!(answer.error(503), "overloaded");
    for role in [Role::Edge, Role::Router, Role::Vault] {
        system.gateway.terminate(role);
        system.gateway.exited(role).await;
    }

    let trace = collector.trace(CALLERS_TRACE).await;
    assert!(trace.is_whole(CALLERS_SPAN), "{trace:#?}");
    let hold = "keyward.metering.v1.MeteringService/PlaceHold";
    assert_eq!(trace.said(hold, "error.type"), ["\"UNAVAILABLE\""]);
    let asked = "chat sandbox/echo";
    assert_eq!(trace.said(asked, "error.type"), ["\"OVERLOADED\""]);
    assert_eq!(trace.said(asked, "keyward.attempts"), ["0"]);
    for fault in [
        "POST /v1/chat/completions (server, error)".to_owned(),
        format!("{asked} (internal, error)"),
        format!("{hold} (client, error)"),
    ] {
        assert!(trace.faults().contains(&fault), "{fault}: {trace:#?}");
    }
}

async fn a_collector_that_is_away_does_no_harm(topology: Topology) {
    let nowhere = format!("http://127.0.0.1:{}", gateway::free_ports(1)[0]);
    let mut system = System::own(topology, |launch| {
        launch
            .set("telemetry.otlp_endpoint", &nowhere)
            .variable("OTEL_BSP_SCHEDULE_DELAY", "50")
    })
    .await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let _ = tenant.own_key("openai").await;
    for _ in 0..3 {
        let _ = tenant.client.chat(MODEL, "hello").await.ok();
    }
    wait::until("spans to be given up", async || {
        let metrics = system.gateway.ops(Role::Edge, "/metrics").await;
        let text = String::from_utf8(metrics.body.to_vec()).unwrap();
        let failed = text
            .lines()
            .find_map(|line| line.strip_prefix("keyward_trace_spans_total{outcome=\"failed\"} "));
        failed.is_some_and(|count| count != "0")
    })
    .await;
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    system.gateway.stop().await;
    let logs = system.gateway.log(Role::Edge);
    assert_eq!(logs.matches("spans cannot be exported").count(), 1);
}

async fn one_request_has_one_trace_also_where_nothing_is_exported(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (id, key) = tenant.own_key("openai").await;
    system.providers.openai.script(&key, Script::unauthorized());
    let client = tenant.client.with("x-keyward-fallback", "none");
    let answer = client
        .post("/v1/chat/completions", ask(MODEL, "hello"))
        .await;
    assert_eq!(answer.error(401), "provider_key_rejected");
    let traceparent = answer.header("traceparent").to_owned();
    let trace_id = traceparent.split('-').nth(1).expect("an id");
    assert_eq!(audited(&system, &id, "provider_key.unseal").await, trace_id);
    assert_eq!(audited(&system, &id, "provider_key.report").await, trace_id);
    let lines: Vec<Value> = system
        .gateway
        .logs()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["trace_id"] == trace_id)
        .collect();
    let says = |text: &str| {
        let said = |line: &Value| {
            line["message"]
                .as_str()
                .is_some_and(|said| said.contains(text))
        };
        lines
            .iter()
            .any(|line| said(line) && line["span_id"].is_string())
    };
    assert!(says("an attempt failed"), "the router's line: {lines:?}");
    assert!(says("request answered"), "the edge's line: {lines:?}");
}

async fn providers_are_told_of_the_trace_only_if_the_operator_says_so(topology: Topology) {
    for (setting, expect) in [("false", false), ("true", true)] {
        let system = System::own(topology, |launch| {
            launch.set("telemetry.propagate_to_providers", setting)
        })
        .await;
        let tenant = Tenant::new(&system.gateway, "trial").await;
        let (_, key) = tenant.own_key("openai").await;
        let parent = format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-01");
        let client = tenant.client.with("traceparent", &parent);
        let client = client.with("tracestate", CALLERS_STATE);
        let _ = client.chat(MODEL, "hello").await.ok();
        let requests = system.providers.openai.requests_with(&key);
        let told = requests[0].headers.get("traceparent");
        let told = told.map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(told.is_some(), expect, "{told:?}");
        assert!(told.is_none_or(|told| told.contains(CALLERS_TRACE)));
        let state = requests[0].headers.get("tracestate");
        let state = state.map(|value| value.to_str().unwrap());
        assert_eq!(state, expect.then_some(CALLERS_STATE));
    }
}

/// The trace id of the last audit event of that kind about a key.
async fn audited(system: &System, key_id: &str, action: &str) -> String {
    let path = format!("/api/v1/audit-events?provider_key={key_id}");
    let events = system.gateway.admin().get(&path).await.ok();
    let events = events.json();
    let events = events["audit_events"].as_array().expect("events").clone();
    let wanted = json!([action, key_id]);
    let about = |event: &&Value| json!([event["action"], event["resource_id"]]) == wanted;
    let event = events.iter().find(about);
    let event = event.unwrap_or_else(|| panic!("no {action} among {events:#?}"));
    event["trace_id"].as_str().expect("a trace id").to_owned()
}

both!(
    an_answer_that_was_read_is_not_cut,
    a_caller_who_leaves_is_in_the_trace_and_so_is_what_was_done_after,
    a_callers_mistake_is_in_the_trace_and_no_fault_of_who_serves,
    a_streamed_call_with_a_failover_is_one_tree,
    a_trace_that_its_caller_does_not_record_is_continued_and_not_exported,
    a_collector_that_is_away_does_no_harm,
    one_request_has_one_trace_also_where_nothing_is_exported,
    providers_are_told_of_the_trace_only_if_the_operator_says_so,
);
