//! A collector that keeps what it is sent, and the form in which a trace is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_opentelemetry_collector::{ExportedSpan, FakeCollectorServer};

/// How often what came is taken in: the receiver holds few spans by itself.
const TAKEN_EVERY: Duration = Duration::from_millis(20);

/// Attributes that differ from run to run.
const VARYING: [&str; 4] = [
    "gen_ai.response.time_to_first_chunk",
    "keyward.key.id",
    "keyward.request.id",
    "server.port",
];

/// A running collector.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    spans: Arc<Mutex<Vec<ExportedSpan>>>,
}

impl Collector {
    #[allow(
        clippy::disallowed_methods,
        reason = "the task ends with the test's runtime, and nothing waits for it"
    )]
    pub(crate) async fn start() -> Self {
        let mut server = FakeCollectorServer::start().await.expect("a port");
        let endpoint = server.endpoint();
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&spans);
        tokio::spawn(async move {
            loop {
                let more = server.exported_spans(1, TAKEN_EVERY).await;
                kept.lock().unwrap().extend(more);
                tokio::time::sleep(TAKEN_EVERY).await;
            }
        });
        Self { endpoint, spans }
    }

    /// Everything that came so far.
    pub(crate) fn spans(&self) -> Vec<ExportedSpan> {
        self.spans.lock().unwrap().clone()
    }

    /// The spans of one trace, once what was under way has arrived.
    pub(crate) async fn trace(&self, trace_id: &str) -> Trace {
        let mut before = usize::MAX;
        loop {
            let spans = self.spans();
            if spans.len() == before {
                let of_trace = |span: &ExportedSpan| span.trace_id == trace_id;
                return Trace(spans.into_iter().filter(of_trace).collect());
            }
            before = spans.len();
            tokio::time::sleep(5 * TAKEN_EVERY).await;
        }
    }
}

/// The spans of one trace.
#[derive(Debug)]
pub(crate) struct Trace(pub(crate) Vec<ExportedSpan>);

impl Trace {
    /// The spans below `parent`, each followed by those below it; attempts in their order, after other
    /// siblings by name, since some of those run at once.
    pub(crate) fn tree(&self, parent: &str) -> String {
        let mut tree = String::new();
        self.write(parent, 0, &mut tree);
        tree
    }

    fn write(&self, parent: &str, depth: usize, tree: &mut String) {
        let is_child = |span: &&ExportedSpan| span.parent_span_id == parent;
        let mut children: Vec<_> = self.0.iter().filter(is_child).collect();
        children.sort_by_key(|span| (span.attributes.get("keyward.attempt"), &span.name));
        for span in children {
            let indent = "  ".repeat(depth);
            let _ = writeln!(tree, "{indent}{} ({})", span.name, kind(span));
            for (name, value) in values(span) {
                let _ = writeln!(tree, "{indent}    {name} = {value}");
            }
            self.write(&span.span_id, depth + 1, tree);
        }
    }

    /// What the spans of that name say under an attribute.
    pub(crate) fn said(&self, span: &str, attribute: &str) -> Vec<String> {
        let named = self.0.iter().filter(|candidate| candidate.name == span);
        let value = |span: &ExportedSpan| span.attributes.get(attribute).map(|value| plain(value));
        named.filter_map(value).collect()
    }

    /// The spans that are marked as errors, by name.
    pub(crate) fn faults(&self) -> Vec<String> {
        let shown = self.0.iter().map(|span| (&span.name, kind(span)));
        let faults = shown.filter(|(_, kind)| kind.ends_with(", error"));
        let mut names: Vec<_> = faults
            .map(|(name, kind)| format!("{name} ({kind})"))
            .collect();
        names.sort();
        names
    }

    /// Whether every span is below `parent`, so that the tree shows all of them.
    pub(crate) fn is_whole(&self, parent: &str) -> bool {
        let known = |id: &str| id == parent || self.0.iter().any(|span| span.span_id == id);
        self.0.iter().all(|span| known(&span.parent_span_id))
    }
}

fn kind(span: &ExportedSpan) -> String {
    let kind = span.kind.trim_start_matches("SPAN_KIND_").to_lowercase();
    match &span.status {
        Some(status) if status.code == "STATUS_CODE_ERROR" => format!("{kind}, error"),
        _ => kind,
    }
}

/// A value as it is read: `Some(AnyValue { value: Some(StringValue("a")) })` is `"a"`.
fn plain(value: &str) -> String {
    let start = value.find("Value(").map_or(0, |at| at + "Value(".len());
    value[start..].trim_end_matches([')', '}', ' ']).to_owned()
}

/// The attributes of a span.
fn values(span: &ExportedSpan) -> BTreeMap<&str, String> {
    span.attributes
        .iter()
        .map(|(name, value)| {
            let shown = match VARYING.contains(&name.as_str()) {
                true => "…".to_owned(),
                false => plain(value),
            };
            (name.as_str(), shown)
        })
        .collect()
}
