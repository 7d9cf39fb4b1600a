//! Sends spans to a collector. They wait in a bounded queue for a task of its own, so that no request
//! ever waits for a collector; what does not fit is dropped, and counted.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::names;
use crate::ids;
use crate::metrics::Metrics;
use crate::settings::{ExportSettings, SettingsError};
use crate::trace::{Recorder, Sampler, record_with};

/// The longest that a stopping process waits for the collector, within its grace.
const LAST_EXPORT_MAX: Duration = Duration::from_secs(5);

/// The exporter of a process; exports nothing where nothing is to be exported.
#[derive(Debug, Default)]
pub struct Exporter {
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Exporter {
    /// Begins to export, if the settings say where to; to be called within the runtime.
    ///
    /// # Errors
    /// [`SettingsError::Invalid`] if the collector's address or certificate cannot be used.
    pub fn start(
        settings: Option<&ExportSettings>,
        roles: &[&'static str],
        metrics: &Metrics,
    ) -> Result<Self, SettingsError> {
        let exporter = Self::default();
        // Nothing but the one task below is ever waited for, and it can be spawned on a closed tracker.
        exporter.tracker.close();
        let Some(settings) = settings else {
            return Ok(exporter);
        };
        let counts = Counts::new(metrics);
        let (sender, waiting) = mpsc::channel(settings.queue);
        let enough = Arc::new(Notify::new());
        let mut sending = build(settings)?;
        sending.set_resource(&resource(settings, roles));
        let task = Task {
            sending,
            waiting,
            enough: Arc::clone(&enough),
            batch: settings.batch,
            delay: settings.delay,
            counts: counts.clone(),
            collector: settings.endpoint.host_str().unwrap_or_default().to_owned(),
            is_away: false,
        };
        let queue = Queue {
            sampler: settings.sampler,
            sender,
            enough,
            batch: settings.batch,
            counts,
        };
        if record_with(Box::new(queue)) {
            exporter.tracker.spawn(task.run(exporter.stopping.clone()));
        }
        Ok(exporter)
    }

    /// Sends what still waits, for at most `limit`.
    pub async fn finish(&self, limit: Duration) {
        self.stopping.cancel();
        let sent = tokio::time::timeout(limit.min(LAST_EXPORT_MAX), self.tracker.wait());
        if sent.await.is_err() {
            tracing::warn!("the last spans could not be exported in time");
        }
    }
}

fn build(settings: &ExportSettings) -> Result<SpanExporter, SettingsError> {
    let invalid = |name: &str, message: String| SettingsError::Invalid {
        name: name.to_owned(),
        origin: "as set".to_owned(),
        message,
    };
    let mut builder = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(settings.endpoint.as_str().trim_end_matches('/'));
    if settings.endpoint.scheme() == "https" {
        let mut tls = ClientTlsConfig::new().with_enabled_roots();
        if let Some(path) = &settings.certificate {
            let pem = fs::read(path).map_err(|error| {
                let message = format!("cannot read {}: {error}", path.display());
                invalid("OTEL_EXPORTER_OTLP_CERTIFICATE", message)
            })?;
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        }
        builder = builder.with_tls_config(tls);
    }
    builder
        .build()
        .map_err(|error| invalid("telemetry.otlp_endpoint", error.to_string()))
}

/// Who exports. What `OTEL_RESOURCE_ATTRIBUTES` says comes first.
fn resource(settings: &ExportSettings, roles: &[&'static str]) -> Resource {
    let roles = roles.iter().map(|role| (*role).into()).collect::<Vec<_>>();
    let given = Resource::builder();
    let ours = [
        KeyValue::new("service.name", settings.service_name.clone()),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new(
            names::ROLES,
            opentelemetry::Value::Array(opentelemetry::Array::String(roles)),
        ),
    ];
    let instance = KeyValue::new("service.instance.id", ids::new_text());
    let resource = given.with_attributes(ours);
    match Resource::builder().build().get(&instance.key) {
        Some(_) => resource.build(),
        None => resource.with_attribute(instance).build(),
    }
}

/// What became of spans.
#[derive(Debug, Clone)]
struct Counts(Family<OutcomeLabels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

impl Counts {
    fn new(metrics: &Metrics) -> Self {
        let help =
            "Spans by what became of them: exported, dropped as the queue was full, or failed";
        let counts = Self(metrics.register("trace_spans", help, Family::default()));
        for outcome in ["exported", "dropped", "failed"] {
            counts.add(outcome, 0);
        }
        counts
    }

    fn add(&self, outcome: &'static str, spans: usize) {
        let count = u64::try_from(spans).unwrap_or(u64::MAX);
        self.0
            .get_or_create(&OutcomeLabels { outcome })
            .inc_by(count);
    }
}

/// The way in.
struct Queue {
    sampler: Sampler,
    sender: mpsc::Sender<SpanData>,
    enough: Arc<Notify>,
    batch: usize,
    counts: Counts,
}

impl Recorder for Queue {
    fn sampler(&self) -> Sampler {
        self.sampler
    }

    fn take(&self, span: SpanData) {
        if self.sender.try_send(span).is_err() {
            self.counts.add("dropped", 1);
        }
        // The task is woken for a whole batch only, not for every span.
        if self.sender.max_capacity() - self.sender.capacity() >= self.batch {
            self.enough.notify_one();
        }
    }
}

/// The way out.
struct Task {
    sending: SpanExporter,
    waiting: mpsc::Receiver<SpanData>,
    enough: Arc<Notify>,
    batch: usize,
    delay: Duration,
    counts: Counts,
    collector: String,
    is_away: bool,
}

impl Task {
    async fn run(mut self, stopping: CancellationToken) {
        while !stopping.is_cancelled() {
            tokio::select! {
                () = self.enough.notified() => {}
                () = tokio::time::sleep(self.delay) => {}
                () = stopping.cancelled() => {}
            }
            while let Some(batch) = self.next_batch() {
                // Nobody waits at the end for a collector that is known to be away.
                match stopping.is_cancelled() && self.is_away {
                    true => self.counts.add("failed", batch.len()),
                    false => self.export(batch).await,
                }
            }
        }
    }

    fn next_batch(&mut self) -> Option<Vec<SpanData>> {
        let waiting = std::iter::from_fn(|| self.waiting.try_recv().ok());
        let batch: Vec<_> = waiting.take(self.batch).collect();
        (!batch.is_empty()).then_some(batch)
    }

    /// Exports a batch. That a collector is away is said once, and once that it is back.
    async fn export(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len();
        match self.sending.export(batch).await {
            Ok(()) => {
                self.counts.add("exported", spans);
                if std::mem::take(&mut self.is_away) {
                    tracing::info!(collector = %self.collector, "spans are exported again");
                }
            }
            Err(error) => {
                self.counts.add("failed", spans);
                if !std::mem::replace(&mut self.is_away, true) {
                    tracing::warn!(
                        collector = %self.collector,
                        %error,
                        "spans cannot be exported; they are dropped until the collector is back"
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use futures::FutureExt as _;
    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
    use opentelemetry::{InstrumentationScope, Key};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    fn span() -> SpanData {
        SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "a".into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_dropped_and_counted() {
        let metrics = Metrics::new();
        let (sender, mut waiting) = mpsc::channel(2);
        let enough = Arc::new(Notify::new());
        let queue = Queue {
            sampler: Sampler::default(),
            sender,
            enough: Arc::clone(&enough),
            batch: 2,
            counts: Counts::new(&metrics),
        };
        for _ in 0..5 {
            queue.take(span());
        }
        // A whole batch wakes who sends it.
        enough.notified().await;
        assert!(waiting.try_recv().is_ok() && waiting.try_recv().is_ok());
        assert!(waiting.try_recv().is_err());
        let text = metrics.encode().unwrap();
        let expect = "keyward_trace_spans_total{outcome=\"dropped\"} 3";
        assert!(text.contains(expect), "{text}");
    }

    #[tokio::test]
    async fn an_end_without_anything_to_export_is_not_waited_for() {
        let exporter = Exporter::start(None, &[], &Metrics::new()).unwrap();
        let finished = exporter.finish(Duration::from_secs(30)).now_or_never();
        assert_eq!(finished, Some(()));
    }

    #[test]
    fn the_resource_says_who_exports() {
        let settings = ExportSettings {
            endpoint: "http://127.0.0.1:4317".parse().unwrap(),
            certificate: None,
            service_name: "gateway".to_owned(),
            sampler: Sampler::default(),
            queue: 1,
            batch: 1,
            delay: Duration::from_secs(1),
        };
        let resource = resource(&settings, &["router", "edge"]);
        let value = |name: &'static str| {
            let value = resource.get(&Key::from_static_str(name));
            value.map(|value| value.to_string()).unwrap_or_default()
        };
        assert_eq!(value("service.name"), "gateway");
        assert_eq!(value("service.version"), env!("CARGO_PKG_VERSION"));
        assert_eq!(value(names::ROLES), "[\"router\",\"edge\"]");
        assert!(!value("service.instance.id").is_empty());
    }
}
