//! What is seen of calls between services: a span, and for the one who serves a duration by method
//! and status. A call is over with the last frame of its answer, where its status stands.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Frame, SizeHint};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use tonic::Status;
use tonic::body::Body;

use super::names;
use crate::metrics::Metrics;
use crate::trace::{Kind, Span, TraceContext};

/// Upper bounds of durations, in seconds: from a look into memory to a long stream.
const DURATION_BUCKETS: [f64; 11] = [
    0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 180.0,
];

/// Durations of the calls that a process serves. Clones count into the same.
#[derive(Debug, Clone)]
pub struct RpcMeters(Family<CallLabels, Histogram>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    method: &'static str,
    code: &'static str,
}

impl RpcMeters {
    /// Registers them; once for a process.
    pub fn new(metrics: &Metrics) -> Self {
        let durations = Family::new_with_constructor(
            (|| Histogram::new(DURATION_BUCKETS)) as fn() -> Histogram,
        );
        let help = "Calls served between services, from their head to the end of their answer";
        Self(metrics.register("rpc_server_duration_seconds", help, durations))
    }
}

/// Who a call goes to.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its host.
    pub host: std::sync::Arc<str>,
    /// Its port.
    pub port: u16,
}

/// A call under way. Dropped before its end, the one who asked has left.
#[derive(Debug)]
pub struct Call {
    span: Span,
    method: &'static str,
    begun: Instant,
    /// Whether a failure is always a fault: for who calls it is, for who serves it may be the
    /// caller's own.
    is_client: bool,
    meters: Option<RpcMeters>,
    is_over: bool,
}

impl Call {
    /// A call that arrives from another process; `method` is `package.Service/Method`.
    pub fn served(method: &'static str, headers: &HeaderMap, meters: Option<RpcMeters>) -> Self {
        let span = Span::remote(TraceContext::read(headers), Kind::Server, || method.into());
        Self::new(span, method, false, meters)
    }

    /// A call from within the process: one span for both ends.
    pub fn local(method: &'static str, meters: Option<RpcMeters>) -> Self {
        let span = Span::new(Kind::Internal, || method.into());
        Self::new(span, method, false, meters)
    }

    /// A call to another process.
    pub fn made(method: &'static str, server: &Server) -> Self {
        let span = Span::new(Kind::Client, || method.into());
        if span.is_recording() {
            span.set(names::SERVER_ADDRESS, std::sync::Arc::clone(&server.host));
            span.set(names::SERVER_PORT, i64::from(server.port));
        }
        Self::new(span, method, true, None)
    }

    fn new(span: Span, method: &'static str, is_client: bool, meters: Option<RpcMeters>) -> Self {
        if span.is_recording() {
            span.set(names::RPC_SYSTEM_NAME, names::GRPC);
            span.set(names::RPC_METHOD, method);
        }
        Self {
            span,
            method,
            begun: Instant::now(),
            is_client,
            meters,
            is_over: false,
        }
    }

    /// The span of the call.
    pub fn context(&self) -> &TraceContext {
        self.span.context()
    }

    /// Watches an answer to its end.
    pub fn answered(mut self, response: Response<Body>) -> Response<Body> {
        if let Some(code) = code(response.headers()) {
            self.over(code);
            return response;
        }
        response.map(|inner| Body::new(Watched { inner, call: self }))
    }

    /// It failed without an answer.
    pub fn failed(mut self, code: tonic::Code) {
        self.over(code);
    }

    fn over(&mut self, code: tonic::Code) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let name = code_name(code);
        if let Some(meters) = &self.meters {
            let labels = CallLabels {
                method: self.method,
                code: name,
            };
            let elapsed = self.begun.elapsed().as_secs_f64();
            meters.0.get_or_create(&labels).observe(elapsed);
        }
        self.span.set(names::RPC_RESPONSE_STATUS_CODE, name);
        if is_fault(code, self.is_client) {
            self.span.fault(name);
        }
        self.span.end();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.over(tonic::Code::Cancelled);
    }
}

/// The status in headers or trailers, if it is in them.
fn code(headers: &HeaderMap) -> Option<tonic::Code> {
    let status = headers.get(Status::GRPC_STATUS)?;
    Some(tonic::Code::from_bytes(status.as_bytes()))
}

/// Whether a status is the fault of who serves, or for who calls, any that is not `OK`.
fn is_fault(code: tonic::Code, is_client: bool) -> bool {
    use tonic::Code::{
        DataLoss, DeadlineExceeded, Internal, Ok, Unavailable, Unimplemented, Unknown,
    };
    match code {
        Ok => false,
        Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss => true,
        _ => is_client,
    }
}

/// A status as the conventions write it.
fn code_name(code: tonic::Code) -> &'static str {
    match code {
        tonic::Code::Ok => "OK",
        tonic::Code::Cancelled => "CANCELLED",
        tonic::Code::Unknown => "UNKNOWN",
        tonic::Code::InvalidArgument => "INVALID_ARGUMENT",
        tonic::Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        tonic::Code::NotFound => "NOT_FOUND",
        tonic::Code::AlreadyExists => "ALREADY_EXISTS",
        tonic::Code::PermissionDenied => "PERMISSION_DENIED",
        tonic::Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        tonic::Code::FailedPrecondition => "FAILED_PRECONDITION",
        tonic::Code::Aborted => "ABORTED",
        tonic::Code::OutOfRange => "OUT_OF_RANGE",
        tonic::Code::Unimplemented => "UNIMPLEMENTED",
        tonic::Code::Internal => "INTERNAL",
        tonic::Code::Unavailable => "UNAVAILABLE",
        tonic::Code::DataLoss => "DATA_LOSS",
        tonic::Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// An answer's body.
struct Watched {
    inner: Body,
    call: Call,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { inner, call } = &mut *self;
        let trace = call.context();
        let polled = trace.within(|| Pin::new(inner).poll_frame(context));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame.trailers_ref().and_then(code) {
                    call.over(code);
                }
            }
            Poll::Ready(Some(Err(status))) => call.over(status.code()),
            Poll::Ready(None) => call.over(tonic::Code::Unknown),
            Poll::Pending => {}
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

/// Serves a call within its span.
pub async fn serve<F>(call: Call, answer: F) -> Result<Response<Body>, Infallible>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    let answered = call.context().clone().scope(answer).await;
    answered.map(|response| call.answered(response))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::is_fault;

    fn check(code: Code, served: bool, made: bool) {
        assert_eq!(is_fault(code, false), served, "{code:?} served");
        assert_eq!(is_fault(code, true), made, "{code:?} made");
    }

    #[test]
    fn what_a_caller_did_wrong_is_no_fault_of_who_serves() {
        check(Code::Ok, false, false);
        check(Code::NotFound, false, true);
        check(Code::Unauthenticated, false, true);
        check(Code::Cancelled, false, true);
        check(Code::Internal, true, true);
        check(Code::Unavailable, true, true);
    }
}
