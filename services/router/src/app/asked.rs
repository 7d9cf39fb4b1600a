//! What a request asks of routing: its body, its headers, and what is guessed of it where somebody
//! wants to know.

use std::collections::{HashMap, HashSet};

use super::RouteError;
use super::invoke::Options;
use crate::domain::plan::{InlineKey, PlanKey, RouteRequest, TaskChoice};
use crate::domain::policy::Layer;
use crate::domain::request::ModelRequest;
use crate::domain::task::AUTO;

/// A request as routing sees it.
pub(super) fn route(
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
    keys: &[PlanKey],
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
fn has_pool(keys: &[PlanKey]) -> bool {
    let mut seen = HashSet::with_capacity(keys.len());
    !keys
        .iter()
        .all(|key| seen.insert((key.source as i32, key.provider.as_str())))
}
