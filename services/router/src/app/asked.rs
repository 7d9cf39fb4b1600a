//! What a request asks of routing: its body, its headers, and what is guessed of it where somebody
//! wants to know.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use keyward_runtime::error::{Reason, metadata};
use keyward_secret::Secret;

use super::RouteError;
use super::invoke::Options;
use crate::domain::plan::{InlineKey, PlanKey, RouteRequest, TaskChoice};
use crate::domain::policy::Layer;
use crate::domain::request::{Arrived, ModelRequest};
use crate::domain::task::AUTO;

/// A request that was read.
pub(super) struct Asked {
    pub(super) request: ModelRequest,
    /// The key in it, from its head or its body.
    pub(super) inline_key: Option<Secret>,
    pub(super) route: RouteRequest,
}

/// Reads a request. Takes the key out of `options`.
pub(super) fn read(
    arrived: Arrived,
    options: &mut Options,
    tags: &HashMap<String, String>,
) -> Result<Asked, RouteError> {
    let mut request = ModelRequest::parse(arrived)?;
    let header_key = options.inline_key.take();
    let inline_key = inline_key(header_key, request.take_inline_key())?;
    let inline = inline_key.as_ref().map(|key| InlineKey::of(key.expose()));
    let route = route(&request, options, inline, tags)?;
    Ok(Asked {
        request,
        inline_key,
        route,
    })
}

/// The one inline key: a header's, or the body's.
fn inline_key(header: Option<Secret>, body: Option<Secret>) -> Result<Option<Secret>, RouteError> {
    match (header, body) {
        (Some(header), Some(body)) if header != body => Err(RouteError::new(
            Reason::InvalidRequest,
            "the header x-byok-api-key and the body's byok_api_key differ",
        )
        .with(metadata::PARAM, "byok_api_key")),
        (Some(key), _) | (None, Some(key)) => Ok(Some(key)),
        (None, None) => Ok(None),
    }
}

/// A request as routing sees it.
fn route(
    request: &ModelRequest,
    options: &Options,
    inline_key: Option<InlineKey>,
    tags: &HashMap<String, String>,
) -> Result<RouteRequest, RouteError> {
    let preferences = request.preferences()?;
    let is_auto = request.model() == AUTO;
    let needs = match is_auto || preferences.require_parameters {
        true => request.needs(),
        false => Vec::new(),
    };
    let said = options.task.map(|task| TaskChoice { task, signal: None });
    Ok(RouteRequest {
        model: request.model().to_owned(),
        models: request.models().to_vec(),
        form: request.form(),
        inline_key,
        byok_provider: options.byok_provider.clone(),
        allowance: options.allowance,
        fallback_max_charge: options.fallback_max_charge,
        preferences,
        task: said.or_else(|| is_auto.then(|| guessed(request))),
        tags: tags.clone(),
        prompt_tokens: request.prompt_tokens(),
        output_tokens: request.output_tokens(),
        needs,
        affinity: 0,
    })
}

fn guessed(request: &ModelRequest) -> TaskChoice {
    let guess = request.guess();
    TaskChoice {
        task: guess.task,
        signal: Some(guess.signal),
    }
}

/// Adds what only some plans look at: whether rules ask for the task, whether there are equals to
/// choose from.
pub(super) fn complete(
    route: &mut RouteRequest,
    request: &ModelRequest,
    keys: &[Arc<PlanKey>],
    layers: &[Layer],
) {
    let mut rules = layers.iter().flat_map(|layer| &layer.policy.rules);
    if route.task.is_none() && rules.any(|rule| rule.when.task.is_some()) {
        route.task = Some(guessed(request));
    }
    let mut rules = layers.iter().flat_map(|layer| &layer.policy.rules);
    if rules.any(|rule| !rule.then.weights.is_empty()) || has_pool(keys) {
        route.affinity = request.affinity();
    }
}

/// Whether somebody has several keys for a provider.
fn has_pool(keys: &[Arc<PlanKey>]) -> bool {
    let mut seen = HashSet::with_capacity(keys.len());
    !keys
        .iter()
        .all(|key| seen.insert((key.source as i32, key.provider.as_str())))
}
