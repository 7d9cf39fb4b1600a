//! What is counted of TLS: when certificates end, and how often they were read again.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::material::Material;
use crate::metrics::Metrics;

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Which {
    certificate: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// The meters. Clones count into the same.
#[derive(Debug, Clone, Default)]
pub struct TlsMeters {
    expiry: Family<Which, Gauge>,
    reloads: Family<Outcome, Counter>,
    cut: Counter,
}

impl TlsMeters {
    /// Meters of this process: made once for all certificates that it has.
    pub fn new(metrics: &Metrics) -> Self {
        let meters = Self::default();
        metrics.register(
            "tls_certificate_expiry_seconds",
            "When a certificate ends, in seconds since 1970",
            meters.expiry.clone(),
        );
        metrics.register(
            "tls_reloads",
            "How often changed certificates were read, and with what outcome",
            meters.reloads.clone(),
        );
        metrics.register(
            "tls_connections_cut",
            "Connections ended because their certificate was not good any more",
            meters.cut.clone(),
        );
        meters
    }

    /// Shows when the certificates of `part`, `tls` or `edge.tls`, end.
    pub(super) fn show(&self, part: &str, material: &Material) {
        let certificates = [("cert", material.expiry()), ("ca", material.ca_expiry())];
        for (name, expiry) in certificates {
            if let Some(expiry) = expiry {
                let which = Which {
                    certificate: format!("{part}.{name}"),
                };
                self.expiry.get_or_create(&which).set(expiry);
            }
        }
    }

    pub(super) fn reloaded(&self, well: bool) {
        let outcome = if well { "ok" } else { "failed" };
        self.reloads.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn cut(&self, count: usize) {
        self.cut.inc_by(count as u64);
    }
}
