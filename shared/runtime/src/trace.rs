//! Where a request stands in a trace (W3C Trace Context): read from a caller, passed on to services,
//! given back in the answer, kept in audit events and log lines. It is the same trace whether or not
//! spans are exported.

mod sampler;
mod span;

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

pub use sampler::Sampler;
pub use span::{Kind, Span, Value};
pub(crate) use span::{Recorder, record_with};

/// The header and metadata name.
pub const TRACEPARENT: &str = "traceparent";

/// The header and metadata name of what other systems keep beside it.
pub const TRACESTATE: &str = "tracestate";

const TRACEPARENT_NAME: HeaderName = HeaderName::from_static(TRACEPARENT);
const TRACESTATE_NAME: HeaderName = HeaderName::from_static(TRACESTATE);

/// The longest `tracestate` that is passed on; the specification asks for this much at least.
const STATE_BYTES_MAX: usize = 512;

/// A span in a trace, as others are told of it.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    sampled: bool,
    state: Option<Arc<str>>,
}

thread_local! {
    /// The span that the running task is in.
    static CURRENT: Cell<Option<TraceContext>> = const { Cell::new(None) };
}

impl TraceContext {
    /// The beginning of a trace of our own, which nobody records.
    pub fn new_root() -> Self {
        Self {
            trace_id: RandomIdGenerator::default().new_trace_id(),
            span_id: RandomIdGenerator::default().new_span_id(),
            sampled: false,
            state: None,
        }
    }

    /// The next span of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: RandomIdGenerator::default().new_span_id(),
            ..self.clone()
        }
    }

    /// The span that the running task is in, if it is in one.
    pub fn current() -> Option<Self> {
        CURRENT.with(|current| {
            let context = current.take();
            current.set(context.clone());
            context
        })
    }

    /// What a caller sent, if it is well formed.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT_NAME).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        let context: Self = value.to_str().ok()?.parse().ok()?;
        Some(Self {
            state: state(headers),
            ..context
        })
    }

    /// Tells the next one.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT_NAME, self.header());
        let state = self.state.as_deref().map(HeaderValue::from_str);
        match state {
            Some(Ok(state)) => headers.insert(TRACESTATE_NAME, state),
            _ => headers.remove(TRACESTATE_NAME),
        };
    }

    /// The value of `traceparent`.
    pub fn header(&self) -> HeaderValue {
        // It consists of digits and hyphens.
        HeaderValue::try_from(self.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The trace's id in hexadecimal.
    pub fn trace_id(&self) -> String {
        self.trace_id.to_string()
    }

    /// The span's id in hexadecimal.
    pub fn span_id(&self) -> String {
        self.span_id.to_string()
    }

    /// Runs a future in this span: what it calls and logs belongs to it.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| self.within(|| future.as_mut().poll(context))).await
    }

    /// Runs a function in this span.
    pub fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        let _entered = Entered(CURRENT.replace(Some(self.clone())));
        act()
    }

    fn to_span_context(&self) -> SpanContext {
        let state = self
            .state
            .as_deref()
            .and_then(|state| TraceState::from_str(state).ok());
        SpanContext::new(
            self.trace_id,
            self.span_id,
            TraceFlags::default().with_sampled(self.sampled),
            false,
            state.unwrap_or_default(),
        )
    }
}

/// A future that runs in the span that is current now, whoever runs it.
pub fn carry<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let current = TraceContext::current();
    async move {
        match current {
            Some(current) => current.scope(future).await,
            None => future.await,
        }
    }
}

/// Gives the span back that was current before, also when what ran in between panicked.
struct Entered(Option<TraceContext>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Several headers are one list. One that is too long or no text is left out, as the specification
/// allows.
fn state(headers: &HeaderMap) -> Option<Arc<str>> {
    let values = headers.get_all(TRACESTATE_NAME).iter();
    let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let state = texts.join(",");
    let is_kept =
        !state.is_empty() && state.len() <= STATE_BYTES_MAX && TraceState::from_str(&state).is_ok();
    is_kept.then(|| state.into())
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "00-{}-{}-{flags:02x}", self.trace_id, self.span_id)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceparent> {
        let mut parts = text.trim().splitn(5, '-');
        let mut next = || parts.next().unwrap_or_default();
        let (version, trace, span, flags) = (next(), next(), next(), next());
        // Later versions may add parts after the flags; this one has none.
        let more = parts.next();
        let [version] = bytes(version)?;
        let [flags] = bytes(flags)?;
        let trace_id = TraceId::from_bytes(bytes(trace)?);
        let span_id = SpanId::from_bytes(bytes(span)?);
        let is_valid = match version {
            0 => more.is_none(),
            version => version != 0xff,
        };
        if !is_valid || trace_id == TraceId::INVALID || span_id == SpanId::INVALID {
            return Err(InvalidTraceparent);
        }
        Ok(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
            state: None,
        })
    }
}

/// A `traceparent` that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct InvalidTraceparent;

/// Bytes in hexadecimal, in lower case as the specification asks.
fn bytes<const N: usize>(text: &str) -> Result<[u8; N], InvalidTraceparent> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * N || !text.bytes().all(is_digit) {
        return Err(InvalidTraceparent);
    }
    let mut out = [0; N];
    for (index, byte) in out.iter_mut().enumerate() {
        let digits = &text[2 * index..2 * index + 2];
        *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidTraceparent)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
