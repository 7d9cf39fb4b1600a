//! Reading, writing, and where the current span is.

use http::{HeaderMap, HeaderValue};

use super::{Kind, Span, TRACEPARENT, TRACESTATE, TraceContext};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_traceparent_survives_reading_and_writing() {
    let context: TraceContext = PARENT.parse().unwrap();
    assert_eq!(context.to_string(), PARENT);
    assert_eq!(context.child().trace_id(), context.trace_id());
    assert_ne!(context.child(), context);
}

#[test]
fn a_later_version_may_have_more_parts() {
    let text = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more";
    let context: TraceContext = text.parse().unwrap();
    assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[test]
fn what_is_no_traceparent_is_refused() {
    for text in [
        "",
        "00-0-0-0",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473ü-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
    ] {
        assert!(text.parse::<TraceContext>().is_err(), "{text}");
    }
}

#[test]
fn the_state_of_other_systems_is_passed_on_unless_it_is_malformed_or_long() {
    let check = |state: &str, expect: Option<&str>| {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(PARENT));
        headers.insert(TRACESTATE, state.parse().unwrap());
        let context = TraceContext::read(&headers).unwrap().child();
        let mut next = HeaderMap::new();
        context.write(&mut next);
        let passed = next.get(TRACESTATE).map(|value| value.to_str().unwrap());
        assert_eq!(passed, expect, "{state}");
    };
    check(
        "rojo=00f067aa0ba902b7,congo=t61",
        Some("rojo=00f067aa0ba902b7,congo=t61"),
    );
    check("nonsense", None);
    check(&format!("a={}", "b".repeat(600)), None);
}

#[test]
fn two_traceparents_are_none() {
    let mut headers = HeaderMap::new();
    headers.append(TRACEPARENT, HeaderValue::from_static(PARENT));
    headers.append(TRACEPARENT, HeaderValue::from_static(PARENT));
    assert_eq!(TraceContext::read(&headers), None);
}

#[tokio::test]
async fn a_span_is_current_where_it_runs_and_nowhere_else() {
    let outer: TraceContext = PARENT.parse().unwrap();
    let inner = outer.child();
    assert_eq!(TraceContext::current(), None);
    let seen = outer.clone().scope(async {
        tokio::task::yield_now().await;
        let before = TraceContext::current();
        let within = inner.clone().scope(async { TraceContext::current() }).await;
        (before, within, TraceContext::current())
    });
    assert_eq!(seen.await, (Some(outer.clone()), Some(inner), Some(outer)));
    assert_eq!(TraceContext::current(), None);
}

#[test]
fn a_span_that_nobody_records_is_in_the_trace_all_the_same() {
    let parent: TraceContext = PARENT.parse().unwrap();
    let span = Span::remote(Some(parent.clone()), Kind::Server, || "a".into());
    assert!(!span.is_recording());
    assert_eq!(span.context().trace_id(), parent.trace_id());
    // What the caller decided is passed on: who comes next may record.
    assert!(span.context().to_string().ends_with("-01"));
    let child = span
        .context()
        .within(|| Span::new(Kind::Internal, || "b".into()));
    assert_eq!(child.context().trace_id(), parent.trace_id());
    assert_ne!(child.context().span_id(), span.context().span_id());
}
