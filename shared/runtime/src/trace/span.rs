//! Spans: made and ended here, recorded only where traces are exported and the trace is sampled. They
//! do not go through `tracing`, so that nothing of what libraries log can reach a collector, and that
//! one which is not recorded costs no more than its id.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::SystemTime;

use opentelemetry::trace::{SpanId, Status};
use opentelemetry::{InstrumentationScope, Key, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use parking_lot::Mutex;

use super::{Sampler, TraceContext};
use crate::telemetry::names;

pub use opentelemetry::Value;
pub use opentelemetry::trace::SpanKind as Kind;

/// The name under which all spans are exported.
const SCOPE: &str = "keyward";

/// Who takes the spans that are over. One for a process, set once.
static RECORDER: OnceLock<Box<dyn Recorder>> = OnceLock::new();

/// Takes spans that are over.
pub(crate) trait Recorder: Send + Sync {
    /// Which traces are recorded.
    fn sampler(&self) -> Sampler;
    /// Takes a span. Never waits.
    fn take(&self, span: SpanData);
}

/// Records spans from now on; says whether it is the first time.
pub(crate) fn record_with(recorder: Box<dyn Recorder>) -> bool {
    RECORDER.set(recorder).is_ok()
}

/// A step of a request. Over when it is ended or dropped.
#[derive(Debug)]
pub struct Span {
    context: TraceContext,
    /// What is recorded; none where nothing is, or when it is over.
    recorded: Mutex<Option<Box<SpanData>>>,
}

impl Span {
    /// A step of what the running task does; the beginning of a trace where it is in none. `name` is
    /// asked for only if the span is recorded.
    pub fn new(kind: Kind, name: impl FnOnce() -> Cow<'static, str>) -> Self {
        match TraceContext::current() {
            Some(parent) => {
                let context = parent.child();
                let is_recorded = parent.sampled && RECORDER.get().is_some();
                Self::begin(context, is_recorded, kind, name, parent.span_id, false)
            }
            None => Self::remote(None, kind, name),
        }
    }

    /// A request that enters the process, in the trace that the caller told of, if it did.
    pub fn remote(
        parent: Option<TraceContext>,
        kind: Kind,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Self {
        let parent_span = parent.as_ref().map(|parent| parent.span_id);
        let parent_sampled = parent.as_ref().map(|parent| parent.sampled);
        let mut context = parent.map_or_else(TraceContext::new_root, |parent| parent.child());
        let recorder = RECORDER.get();
        if let Some(recorder) = recorder {
            context.sampled = recorder.sampler().decide(context.trace_id, parent_sampled);
        }
        let is_recorded = context.sampled && recorder.is_some();
        let parent = parent_span.unwrap_or(SpanId::INVALID);
        Self::begin(
            context,
            is_recorded,
            kind,
            name,
            parent,
            parent_span.is_some(),
        )
    }

    fn begin(
        context: TraceContext,
        is_recorded: bool,
        kind: Kind,
        name: impl FnOnce() -> Cow<'static, str>,
        parent: SpanId,
        parent_is_remote: bool,
    ) -> Self {
        let recorded = is_recorded.then(|| {
            let now = SystemTime::now();
            Box::new(SpanData {
                span_context: context.to_span_context(),
                parent_span_id: parent,
                parent_span_is_remote: parent_is_remote,
                span_kind: kind,
                name: name(),
                start_time: now,
                end_time: now,
                attributes: Vec::with_capacity(ATTRIBUTES_EXPECTED),
                dropped_attributes_count: 0,
                events: SpanEvents::default(),
                links: SpanLinks::default(),
                status: Status::Unset,
                instrumentation_scope: scope(),
            })
        });
        Self {
            context,
            recorded: Mutex::new(recorded),
        }
    }

    /// Where it stands in its trace.
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// Whether it is recorded and not over: if not, attributes need not be made.
    pub fn is_recording(&self) -> bool {
        self.recorded.lock().is_some()
    }

    /// Says something of it. Names are those of [`names`]; values hold no secret and no content.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = self.recorded.lock().as_mut() {
            let value = KeyValue::new(Key::from_static_str(name), value);
            span.attributes.push(value);
        }
    }

    /// It is somebody's fault, of this kind.
    pub fn fault(&self, kind: impl Into<Value>) {
        self.set(names::ERROR_TYPE, kind);
        if let Some(span) = self.recorded.lock().as_mut() {
            span.status = Status::error("");
        }
    }

    /// It is over. What is said of it later is not heard.
    pub fn end(&self) {
        let over = self.recorded.lock().take();
        if let Some((mut span, recorder)) = over.zip(RECORDER.get()) {
            span.end_time = SystemTime::now();
            recorder.take(*span);
        }
    }
}

/// How many attributes a span has, mostly.
const ATTRIBUTES_EXPECTED: usize = 12;

fn scope() -> InstrumentationScope {
    static INSTANCE: OnceLock<InstrumentationScope> = OnceLock::new();
    INSTANCE
        .get_or_init(|| {
            InstrumentationScope::builder(SCOPE)
                .with_version(env!("CARGO_PKG_VERSION"))
                .with_schema_url(names::SCHEMA_URL)
                .build()
        })
        .clone()
}

impl Drop for Span {
    fn drop(&mut self) {
        self.end();
    }
}
