//! Takes a request in: reads it, plans, and hands it to a task of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use keyward_money::Nanos;
use keyward_runtime::error::metadata;
use keyward_runtime::ids;
use keyward_secret::Secret;

use super::answer::{self, AnswerHead, AnswerReceiver, Parts};
use super::asked::Asked;
use super::dispatch::Dispatch;
use super::limits::Admission;
use super::{Behalf, Core, RouteError, asked, now_ms, spans};
use crate::domain::plan::{Allowance, Plan, PlanInput, PlanKey, PlanPrincipal, RouteRequest, plan};
use crate::domain::request::{Arrived, ModelRequest};
use crate::domain::shown::Shown;
use crate::domain::task::Task;

/// What is asked of routing, beside the body.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) inline_key: Option<Secret>,
    pub(crate) byok_provider: Option<String>,
    pub(crate) allowance: Allowance,
    pub(crate) fallback_max_charge: Option<Nanos>,
    /// What the request is for, if it says so.
    pub(crate) task: Option<Task>,
    /// Whether its answer may be stored and come from the store, if it says so.
    pub(crate) caching: Option<bool>,
}

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) behalf: Behalf,
    pub(crate) options: Options,
    pub(crate) tags: HashMap<String, String>,
    pub(crate) client_request_id: String,
    /// Headers of the caller's for who is spoken to in its form.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body_metadata: bool,
    /// What makes it repeatable; empty for nothing.
    pub(crate) idempotency_key: String,
    /// When the caller is to be answered, where it says so.
    pub(crate) due: Option<tokio::time::Instant>,
    pub(crate) arrived: Arrived,
}

impl Core {
    /// Serves a request until its answer begins, or its deadline passes: then it is as if the caller
    /// had left. Once it is begun it is seen through, whoever reads the answer.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        invocation: Invocation,
    ) -> Result<(AnswerHead, Parts), RouteError> {
        let inference_id = ids::new_text();
        let attempts = Arc::new(AtomicU32::new(0));
        let due = invocation.due;
        let opening = async {
            let begun = self.begin(invocation, &inference_id, &attempts).await;
            begun?.opened().await
        };
        let opened = within(due, opening).await;
        opened.map_err(|error| {
            let attempts = attempts.load(Ordering::Relaxed);
            error
                .with(metadata::INFERENCE_ID, inference_id)
                .with(metadata::ATTEMPTS, attempts.to_string())
        })
    }

    async fn begin(
        self: &Arc<Self>,
        invocation: Invocation,
        inference_id: &str,
        attempts: &Arc<AtomicU32>,
    ) -> Result<AnswerReceiver, RouteError> {
        let Invocation {
            behalf,
            mut options,
            tags,
            client_request_id,
            headers,
            body_metadata,
            idempotency_key,
            due,
            arrived,
        } = invocation;
        let Asked {
            request,
            inline_key,
            route,
        } = asked::read(arrived, &mut options, &tags)?;
        self.metering.admits()?;
        let plan = self.plan(route, Some(&request), &behalf).await?;
        if let Some(refusal) = plan.refusal.as_ref().filter(|_| plan.candidates.is_empty()) {
            return Err(RouteError::refused(refusal, request.model()));
        }
        let tier = &behalf.principal().tier;
        let span = spans::asked(request.model(), inference_id, tier);
        let closing = Arc::new(self.closing.for_request());
        let (sender, receiver) = answer::channel(Arc::clone(&closing), due);
        let dispatch = Dispatch {
            core: Arc::clone(self),
            behalf,
            request: Arc::new(request),
            inline_key: inline_key.map(Arc::new),
            inference_id: inference_id.to_owned(),
            tags,
            client_request_id,
            headers,
            body_metadata,
            answer: sender,
            closing,
            attempts: Arc::clone(attempts),
            hedged: AtomicBool::new(false),
            began: Instant::now(),
            admission: Admission::default(),
            shown: Shown::of(&plan),
            caching_said: options.caching,
            caching: Arc::default(),
            idempotency_key,
            turn: None,
            span: Arc::new(span),
        };
        self.tracker.spawn(Box::pin(dispatch.run(plan)));
        Ok(receiver)
    }

    /// Plans a request with what is known now, and with what its body shows where there is one.
    pub(super) async fn plan(
        &self,
        mut route: RouteRequest,
        body: Option<&ModelRequest>,
        behalf: &Behalf,
    ) -> Result<Plan, RouteError> {
        let listing = self.vault.keys(behalf).await;
        let none: &[Arc<PlanKey>] = &[];
        let keys = match &listing {
            Ok(listing) => listing.keys.as_slice(),
            // An inline key needs no vault.
            Err(_) if route.inline_key.is_some() => none,
            Err(error) => return Err(error.clone()),
        };
        let principal = PlanPrincipal {
            organization_keys: self.has_organization_keys(keys, behalf).await,
            allowed_models: behalf.principal().allowed_models.clone(),
        };
        let layers = self.policies.layers(behalf.principal()).await?;
        if let Some(body) = body {
            asked::complete(&mut route, body, keys, &layers);
        }
        let catalog = self.catalog.current();
        Ok(plan(&PlanInput {
            request: &route,
            principal: &principal,
            keys,
            operator: &self.operator,
            layers: &layers,
            catalog: &catalog,
            cheapest: &self.prices.of(&catalog).1,
            providers: &self.providers,
            health: &*self.health,
            now_ms: now_ms(),
        }))
    }
}

/// Does something as long as there is time.
async fn within<T>(
    due: Option<tokio::time::Instant>,
    work: impl Future<Output = Result<T, RouteError>>,
) -> Result<T, RouteError> {
    match due {
        None => work.await,
        Some(due) => {
            let worked = tokio::time::timeout_at(due, work).await;
            worked.unwrap_or_else(|_| Err(RouteError::late()))
        }
    }
}
