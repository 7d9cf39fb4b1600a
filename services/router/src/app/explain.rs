//! Shows a plan without sending or charging anything.

use std::collections::HashMap;

use bytes::Bytes;
use keyward_catalog::Endpoint;
use keyward_runtime::error::{Reason, metadata};

use super::asked::{self, Asked};
use super::{Behalf, Core, Options, RouteError};
use crate::domain::form::Form;
use crate::domain::plan::{InlineKey, Plan, Refusal, RouteRequest, TaskChoice};
use crate::domain::preferences::Preferences;
use crate::domain::request::{Arrived, ModelRequest};

/// What somebody wants to know of routing.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) about: About,
    /// Empty for the model's first.
    pub(crate) endpoint: String,
    pub(crate) options: Options,
    pub(crate) tags: HashMap<String, String>,
}

/// What it is about.
#[derive(Debug)]
pub(crate) enum About {
    /// A body as it would be sent: then the plan is that of a call.
    Body(Bytes),
    /// What a body would say; of its messages nothing is known.
    Words {
        model: String,
        models: Vec<String>,
        preferences: Preferences,
    },
}

impl Question {
    /// The request, with its body where there is one.
    fn read(mut self) -> Result<(RouteRequest, Option<ModelRequest>), RouteError> {
        let (model, models, preferences) = match self.about {
            About::Body(body) => {
                let endpoint = Endpoint::named(&self.endpoint);
                let arrived = Arrived {
                    form: endpoint.map_or(Form::Chat, Form::of),
                    body,
                    ..Arrived::default()
                };
                let asked = asked::read(arrived, &mut self.options, &self.tags)?;
                let Asked { request, route, .. } = asked;
                return Ok((route, Some(request)));
            }
            About::Words {
                model,
                models,
                preferences,
            } => (model, models, preferences),
        };
        let key = self.options.inline_key.as_ref();
        let task = self.options.task;
        let route = RouteRequest {
            model,
            models,
            preferences,
            inline_key: key.map(|key| InlineKey::of(key.expose())),
            byok_provider: self.options.byok_provider,
            allowance: self.options.allowance,
            fallback_max_charge: self.options.fallback_max_charge,
            task: task.map(|task| TaskChoice { task, signal: None }),
            tags: self.tags,
            ..RouteRequest::default()
        };
        Ok((route, None))
    }
}

impl Core {
    /// The plan for a request. Unknown models, keys of the wrong provider, and refusals that are about
    /// no key, are errors; a known model that nothing can serve is an empty plan with reasons.
    pub(crate) async fn explain(
        &self,
        question: Question,
        behalf: &Behalf,
    ) -> Result<Plan, RouteError> {
        let endpoint = question.endpoint.clone();
        let (mut route, body) = question.read()?;
        if route.model.trim().is_empty() {
            let error = RouteError::new(Reason::InvalidRequest, "`model` is missing");
            return Err(error.with(metadata::PARAM, "model"));
        }
        if body.is_none() || !endpoint.is_empty() {
            route.form = self.form_of(&route.model, &endpoint)?;
        }
        let model = route.model.clone();
        let plan = self.plan(route, body.as_ref(), behalf).await?;
        let is_told = |refusal: &Refusal| {
            let is_of_request = matches!(refusal, Refusal::ModelNotFound | Refusal::KeyMismatch(_));
            plan.candidates.is_empty() && (is_of_request || plan.left_out.is_empty())
        };
        match plan.refusal.as_ref().filter(|refusal| is_told(refusal)) {
            Some(refusal) => Err(RouteError::refused(refusal, &model)),
            None => Ok(plan),
        }
    }

    /// The form to plan for: of the endpoint that is named, else of the model's first.
    fn form_of(&self, model: &str, endpoint: &str) -> Result<Form, RouteError> {
        let catalog = self.catalog.current();
        let known = catalog.resolve(model);
        if endpoint.is_empty() {
            let first = known.and_then(|model| model.endpoints.first());
            return Ok(first.copied().map_or(Form::Chat, Form::of));
        }
        let named = Endpoint::named(endpoint);
        let has_it = |endpoint: &Endpoint| {
            known.is_none_or(|model| model.endpoints.is_empty() || model.supports(*endpoint))
        };
        named.filter(has_it).map(Form::of).ok_or_else(|| {
            let message = format!("{model:?} has no endpoint {endpoint:?}");
            RouteError::new(Reason::UnsupportedParameter, message).with(metadata::PARAM, "endpoint")
        })
    }
}
