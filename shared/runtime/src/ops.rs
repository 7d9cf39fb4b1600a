//! The ops port: `/metrics`, `/healthz` (alive), `/readyz` (ready, with reasons).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use parking_lot::RwLock;
use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::Metrics;

/// What a process waits for before it is ready, and why it is not. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    reasons: Arc<RwLock<BTreeMap<&'static str, Option<String>>>>,
}

impl Readiness {
    /// Nothing to wait for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition, not met until [`Condition::met`].
    pub fn condition(&self, name: &'static str, reason: &str) -> Condition {
        let condition = Condition {
            name,
            readiness: self.clone(),
        };
        condition.unmet(reason);
        condition
    }

    /// Whether every condition is met.
    pub fn is_ready(&self) -> bool {
        self.reasons.read().values().all(Option::is_none)
    }

    /// Whether every condition but this one is met: for the one that announces readiness elsewhere
    /// first.
    pub fn is_ready_but_for(&self, last: &Condition) -> bool {
        let reasons = self.reasons.read();
        reasons
            .iter()
            .all(|(name, why)| *name == last.name || why.is_none())
    }

    /// The conditions that are not met, with the reasons.
    pub fn unmet(&self) -> BTreeMap<&'static str, String> {
        let reasons = self.reasons.read();
        reasons
            .iter()
            .filter_map(|(name, why)| Some((*name, why.clone()?)))
            .collect()
    }
}

/// One thing that a process waits for.
#[derive(Clone, Debug)]
pub struct Condition {
    name: &'static str,
    readiness: Readiness,
}

impl Condition {
    /// It is there.
    pub fn met(&self) {
        self.readiness.reasons.write().insert(self.name, None);
    }

    /// It is missing, and why.
    pub fn unmet(&self, reason: &str) {
        self.readiness
            .reasons
            .write()
            .insert(self.name, Some(reason.to_owned()));
    }
}

/// The routes of the ops port.
pub fn routes(metrics: Metrics, readiness: Readiness) -> Router {
    let scraped = Scraped {
        ready: metrics.register(
            "ready",
            "Whether the process is ready: 1, or 0 as long as /readyz gives reasons",
            Gauge::default(),
        ),
        metrics,
        readiness: readiness.clone(),
    };
    Router::new()
        .route("/metrics", get(scrape))
        .with_state(scraped)
        .route(
            "/healthz",
            get(|| async { Json(serde_json::json!({"status": "alive"})) }),
        )
        .route("/readyz", get(ready))
        .with_state(readiness)
}

/// What a scrape reads.
#[derive(Clone, Debug)]
struct Scraped {
    ready: Gauge,
    metrics: Metrics,
    readiness: Readiness,
}

async fn scrape(State(scraped): State<Scraped>) -> Response {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    scraped.ready.set(i64::from(scraped.readiness.is_ready()));
    match scraped.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The answer of `/readyz`, here and on the edge's own port.
pub async fn ready(State(readiness): State<Readiness>) -> Response {
    let unmet = readiness.unmet();
    let (status, word) = match unmet.is_empty() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    (
        status,
        Json(serde_json::json!({"status": word, "reasons": unmet})),
    )
        .into_response()
}
