//! The models that a request may be served by: the one that it names, those in its `models`, or with
//! `auto` those for its task.

use std::collections::HashSet;

use keyward_catalog::Model;
use keyward_proto::metering::v1::KeySource;

use super::input::TaskChoice;
use super::reason::Chosen;
use super::target::Target;
use super::{LeftOut, Obstacle, Plan, PlanInput, Refusal, refused};
use crate::domain::policy::Named;
use crate::domain::task::{self, AUTO, Fit, Task};

/// So many of the cheapest models of a provider are looked at for a task,
const CHEAPEST_OF_PROVIDER: usize = 2;
/// and so many in all.
const CHEAPEST_MAX: usize = 4;

/// A model that may serve.
pub(super) struct Choice<'a> {
    pub(super) target: Target<'a>,
    /// What it was chosen for, where it was.
    pub(super) task: Option<(TaskChoice, Chosen)>,
}

impl Choice<'_> {
    /// Whether its price is why it was chosen.
    pub(super) fn is_cheapest(&self) -> bool {
        matches!(self.task, Some((_, Chosen::Cheapest)))
    }
}

/// What a request asks for.
pub(super) struct Asked<'a> {
    /// The best first.
    pub(super) models: Vec<Choice<'a>>,
    /// Whether the caller left the choice to us: then own keys go before credits whatever the model.
    pub(super) is_auto: bool,
    /// Models that were considered and cannot serve.
    pub(super) left_out: Vec<LeftOut>,
}

impl<'a> Asked<'a> {
    /// Reads what is asked for; a model that may not be named refuses the request.
    pub(super) fn read(input: &PlanInput<'a>) -> Result<Self, Box<Plan>> {
        let request = input.request;
        let mut asked = Self {
            models: Vec::with_capacity(1 + request.models.len()),
            is_auto: request.model == AUTO,
            left_out: Vec::new(),
        };
        if asked.is_auto {
            asked.add_for_task(input);
        } else {
            let target = Target::named(input, &request.model);
            if let Some(refusal) = forbidden(input, &target) {
                return Err(Box::new(refusal));
            }
            if let Some(refusal) = target.mismatch(input) {
                return Err(Box::new(refused(refusal)));
            }
            asked.add(target, None);
        }
        for name in &request.models {
            asked.add_fallback(input, name)?;
        }
        Ok(asked)
    }

    /// Why nobody can serve any of it.
    pub(super) fn refusal(&self, input: &PlanInput<'_>) -> Refusal {
        let first = self.models.first();
        first.map_or(Refusal::NoKey(Vec::new()), |choice| {
            choice.target.refusal(input)
        })
    }

    /// Each model once.
    fn add(&mut self, target: Target<'a>, task: Option<(TaskChoice, Chosen)>) {
        let is_there = |choice: &Choice<'_>| choice.target.id() == target.id();
        if !self.models.iter().any(is_there) {
            self.models.push(Choice { target, task });
        }
    }

    /// One of `models`. Those that nobody here knows are OpenRouter's, which gets the list whole.
    fn add_fallback(&mut self, input: &PlanInput<'a>, name: &'a str) -> Result<(), Box<Plan>> {
        let target = Target::named(input, name);
        if obstacle(input, &target).is_some() {
            let refusal = Refusal::FallbackNotAllowed(name.to_owned());
            return Err(Box::new(refused(refusal)));
        }
        if !target.is_unknown() {
            self.add(target, None);
        }
        Ok(())
    }

    /// The models for the request's task: the table's that fit, then the cheapest that do.
    fn add_for_task(&mut self, input: &PlanInput<'a>) {
        let choice = input.request.task.unwrap_or(TaskChoice {
            task: Task::Chat,
            signal: None,
        });
        let fit = fit(input);
        let own = input.layers().task(choice.task);
        let own = own.map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        let names = own.unwrap_or_else(|| task::ranked(choice.task).to_vec());
        for (place, name) in (1..).zip(names) {
            let target = Target::named(input, name);
            let lack = target.model().and_then(|model| fit.lacks(model));
            let obstacle = lack.map(Obstacle::Lacks).or(obstacle(input, &target));
            match obstacle {
                Some(obstacle) => self.left_out.extend(target.left_out(&obstacle)),
                None if target.is_unknown() => {}
                None => self.add(target, Some((choice, Chosen::Ranked(place)))),
            }
        }
        for model in cheapest(input, &fit) {
            self.add(Target::of(input, model), Some((choice, Chosen::Cheapest)));
        }
    }
}

/// What a model has to be for a request whose model is to be chosen.
fn fit<'a>(input: &PlanInput<'a>) -> Fit<'a> {
    let request = input.request;
    Fit {
        endpoint: request.form.endpoint(),
        needs: &request.needs,
        context_tokens: request.prompt_tokens.saturating_add(request.output_tokens),
    }
}

/// The cheapest models that fit, at the providers for which there are keys: by price, by how often they
/// failed lately, and by how long they took.
fn cheapest<'a>(input: &PlanInput<'a>, fit: &Fit<'_>) -> impl Iterator<Item = &'a Model> + use<'a> {
    let mut found = Vec::new();
    let mut providers: Vec<&str> = input.keys.iter().map(|key| key.provider.as_str()).collect();
    providers.sort_unstable();
    providers.dedup();
    for provider in providers {
        let suits = |model: &Model| fit.lacks(model).is_none() && is_allowed(input, model);
        let models = input.cheapest.find(input.catalog, provider, suits);
        found.extend(models.take(CHEAPEST_OF_PROVIDER).map(|(price, model)| {
            let seen = input.health.seen(provider, &model.id, input.now_ms);
            (task::weighed(price, seen), model)
        }));
    }
    found.sort_by_key(|(price, model)| (*price, model.id.as_str()));
    // Several providers may sell the same one, at prices of their own.
    let mut seen = HashSet::with_capacity(found.len());
    found.retain(|(_, model)| seen.insert(model.id.as_str()));
    found.into_iter().map(|(_, model)| model).take(CHEAPEST_MAX)
}

/// Whether neither the access key nor a policy forbids a model of the catalogue.
fn is_allowed(input: &PlanInput<'_>, model: &Model) -> bool {
    let allowed = &input.principal.allowed_models;
    let named = Named::new(&model.id, Some(model), input.catalog);
    (allowed.is_empty() || Target::of(input, model).is_allowed(input))
        && input.layers().forbids_model(named).is_none()
}

/// Who forbids a model, to the caller or to everybody concerned.
fn obstacle<'a>(input: &PlanInput<'a>, target: &Target<'a>) -> Option<Obstacle> {
    if !target.is_allowed(input) {
        return Some(Obstacle::ModelNotAllowed);
    }
    let scope = input.layers().forbids_model(target.all_names(input))?;
    Some(Obstacle::ModelForbidden(scope))
}

fn forbidden<'a>(input: &PlanInput<'a>, target: &Target<'a>) -> Option<Plan> {
    let obstacle = obstacle(input, target)?;
    let refusal = match obstacle {
        Obstacle::ModelForbidden(scope) => Refusal::ModelForbidden(scope),
        _ => Refusal::ModelNotAllowed,
    };
    Some(Plan {
        left_out: target.left_out(&obstacle),
        ..refused(refusal)
    })
}

/// Whether a key is one that the caller need not pay for with credits.
pub(super) fn is_own(source: KeySource) -> bool {
    source != KeySource::System
}
