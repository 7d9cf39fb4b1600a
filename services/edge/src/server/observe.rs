//! What is seen of every request: its span, a line in the log, metrics. Never a header, a query or
//! a body.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use http_body::{Body as _, Frame, SizeHint};
use keyward_runtime::error::Reason;
use keyward_runtime::serve::Process;
use keyward_runtime::telemetry::names as spans;
use keyward_runtime::trace::{Kind, Span, TraceContext};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::framing::MALFORMED;
use super::patience::patient;
use crate::failure::Failure;
use crate::names;

/// Upper bounds of durations, in seconds: from an answer out of memory to a long stream.
const DURATION_BUCKETS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0,
];

/// Stands for every path that is no route, so that callers cannot make labels.
const UNMATCHED: &str = "unmatched";

/// The metrics of the edge, and the process that they are of. Clones count into the same.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    in_flight: Gauge,
    process: Process,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

impl Observer {
    pub(crate) fn new(process: Process) -> Self {
        let metrics = &process.metrics;
        let durations = Family::new_with_constructor(
            (|| Histogram::new(DURATION_BUCKETS)) as fn() -> Histogram,
        );
        Self {
            requests: metrics.register(
                "http_requests",
                "HTTP requests answered, by route and status class",
                Family::default(),
            ),
            durations: metrics.register(
                "http_request_duration_seconds",
                "From a request's head to the last byte of its answer",
                durations,
            ),
            in_flight: metrics.register(
                "http_requests_in_flight",
                "HTTP requests being answered",
                Gauge::default(),
            ),
            process,
        }
    }
}

/// Wraps every request: gives it a place in a trace, and watches its answer to the last byte.
pub(crate) async fn observe(
    State(observer): State<Observer>,
    request: Request,
    next: Next,
) -> Response {
    let client_request_id = client_request_id(request.headers());
    let process = (request.version() == Version::HTTP_2).then(|| observer.process.clone());
    let is_head = request.method() == Method::HEAD;
    let mut record = Record::begin(observer, &request);
    let trace = record.span.context().clone();

    let mut response = match malformed(request.headers()) {
        Some(failure) => failure.into_response(),
        None => trace.clone().scope(next.run(request)).await,
    };

    let headers = response.headers_mut();
    headers.insert(names::TRACEPARENT, trace.header());
    if let Some(id) = client_request_id {
        headers.insert(names::CLIENT_REQUEST_ID, id);
    }
    record.status = Some(response.status());
    record.inference_id = response.headers().get(names::REQUEST_ID).cloned();
    if is_head {
        // Nobody reads the body that is made for it.
        return response;
    }
    response.map(|inner| {
        let body = Body::new(Watched {
            inner,
            record,
            is_over: false,
        });
        match process {
            Some(process) => patient(body, &process),
            None => body,
        }
    })
}

/// The caller's own id, to be given back whatever becomes of the request.
fn client_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(names::REQUEST_ID)?;
    (value.len() <= crate::inference::CLIENT_REQUEST_ID_BYTES_MAX && value.to_str().is_ok())
        .then(|| value.clone())
}

/// A head that was refused before hyper read it.
fn malformed(headers: &HeaderMap) -> Option<Failure> {
    Some(match headers.get(MALFORMED)?.as_bytes() {
        b"too-large" => Failure::new(
            Reason::RequestTooLarge,
            "the request's headers are larger or more than allowed",
        ),
        b"malformed" => Failure::invalid("", "the request's head is malformed"),
        _ => Failure::invalid(
            "",
            "the headers `Content-Length` and `Transfer-Encoding` contradict themselves or each other",
        ),
    })
}

/// One request, told of when it is dropped: with the last byte of its answer, or when the caller
/// leaves.
struct Record {
    observer: Observer,
    method: &'static str,
    route: Option<MatchedPath>,
    span: Span,
    begun: Instant,
    status: Option<StatusCode>,
    inference_id: Option<HeaderValue>,
    cut: bool,
}

impl Record {
    fn begin(observer: Observer, request: &Request) -> Self {
        observer.in_flight.inc();
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self {
            observer,
            method: method_label(request.method()),
            span: span(request, route.as_ref()),
            route,
            begun: Instant::now(),
            status: None,
            inference_id: None,
            cut: false,
        }
    }

    fn inference_id(&self) -> Option<&str> {
        self.inference_id.as_ref()?.to_str().ok()
    }

    /// Says of the span how the request ended. Who is at fault for a 4xx is the caller.
    fn end_span(&self) {
        if !self.span.is_recording() {
            return;
        }
        if let Some(id) = self.inference_id() {
            self.span.set(spans::REQUEST_ID, id.to_owned());
        }
        if let Some(status) = self.status {
            let code = spans::HTTP_RESPONSE_STATUS_CODE;
            self.span.set(code, i64::from(status.as_u16()));
            if status.is_server_error() {
                self.span.fault(status.as_str().to_owned());
            }
        }
        if self.cut || self.status.is_none() {
            self.span.set(spans::CUT, true);
        }
        self.span.end();
    }
}

/// The span of a request, in the trace that its caller tells of.
fn span(request: &Request, route: Option<&MatchedPath>) -> Span {
    let route = route.map(MatchedPath::as_str);
    let method = match method_label(request.method()) {
        "other" => spans::OTHER,
        known => known,
    };
    let parent = TraceContext::read(request.headers());
    let span = Span::remote(parent, Kind::Server, || match route {
        Some(route) => format!("{method} {route}").into(),
        None => method.into(),
    });
    if span.is_recording() {
        span.set(spans::HTTP_REQUEST_METHOD, method);
        span.set(spans::URL_SCHEME, "http");
        // Keys get pasted into paths too.
        span.set(spans::URL_PATH, spans::shown(request.uri().path()));
        if let Some(route) = route {
            span.set(spans::HTTP_ROUTE, route.to_owned());
        }
    }
    span
}

/// The line of one request; a level must be a constant.
macro_rules! log {
    ($level:ident, $record:ident, $route:ident, $elapsed:ident) => {
        tracing::event!(
            tracing::Level::$level,
            http.method = $record.method,
            http.route = $route,
            http.status = $record.status.map(|status| status.as_u16()),
            inference.id = $record.inference_id(),
            duration_ms = $elapsed.as_millis(),
            cut = $record.cut,
            "request answered"
        )
    };
}

impl Drop for Record {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
        let elapsed = self.begun.elapsed();
        self.observer.in_flight.dec();
        let labels = RequestLabels {
            method: self.method,
            route: route.to_owned(),
            status: status_class(self.status),
        };
        self.observer.requests.get_or_create(&labels).inc();
        let labels = RouteLabels {
            route: labels.route,
        };
        let durations = &self.observer.durations;
        durations
            .get_or_create(&labels)
            .observe(elapsed.as_secs_f64());
        // What went well is in the usage records; a line for each would cost more than the edge's
        // other work.
        self.span.context().within(|| match self.status {
            Some(status) if !self.cut && status.as_u16() < 400 => log!(DEBUG, self, route, elapsed),
            _ => log!(INFO, self, route, elapsed),
        });
        self.end_span();
    }
}

/// Methods that are asked for on purpose; any other word would make a label.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

fn status_class(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16() / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(_) => "5xx",
        None => "left",
    }
}

/// An answer's body that keeps the record until it ends. Dropped before its end, the caller has left.
struct Watched {
    inner: Body,
    record: Record,
    is_over: bool,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { inner, record, .. } = &mut *self;
        let trace = record.span.context();
        let polled = trace.within(|| Pin::new(inner).poll_frame(context));
        match &polled {
            Poll::Ready(Some(Err(_))) => self.record.cut = true,
            Poll::Ready(None) => self.is_over = true,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Who reads a body need not ask for more once it says that this was all.
        if !self.is_over && !self.inner.is_end_stream() {
            self.record.cut = true;
        }
    }
}
