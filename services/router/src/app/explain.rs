//! Shows a plan without sending or charging anything.

use keyward_catalog::Endpoint;
use keyward_runtime::error::{Reason, metadata};

use super::{Behalf, Core, RouteError};
use crate::domain::form::Form;
use crate::domain::plan::{Plan, Refusal, RouteRequest};

impl Core {
    /// The plan for a request. Unknown models, and keys of the wrong provider, are errors; a known
    /// model that nothing can serve is an empty plan with reasons.
    pub(crate) async fn explain(
        &self,
        mut route: RouteRequest,
        endpoint: &str,
        behalf: &Behalf,
    ) -> Result<Plan, RouteError> {
        if route.model.trim().is_empty() {
            let error = RouteError::new(Reason::InvalidRequest, "`model` is missing");
            return Err(error.with(metadata::PARAM, "model"));
        }
        route.form = self.form_of(&route.model, endpoint)?;
        let model = route.model.clone();
        let plan = self.plan(route, None, behalf).await?;
        match &plan.refusal {
            Some(refusal @ (Refusal::ModelNotFound | Refusal::KeyMismatch(_)))
                if plan.candidates.is_empty() =>
            {
                Err(RouteError::refused(refusal, &model))
            }
            _ => Ok(plan),
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
