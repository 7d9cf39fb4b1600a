//! Shows a plan without sending or charging anything.

use keyward_catalog::Endpoint;
use keyward_runtime::error::{Reason, metadata};

use super::attempt::ENDPOINT;
use super::{Behalf, Core, RouteError};
use crate::domain::plan::{Plan, Refusal, RouteRequest};

impl Core {
    /// The plan for a request. Unknown models, and keys of the wrong provider, are errors; a known
    /// model that nothing can serve is an empty plan with reasons.
    pub(crate) async fn explain(
        &self,
        route: RouteRequest,
        endpoint: &str,
        behalf: &Behalf,
    ) -> Result<Plan, RouteError> {
        if route.model.trim().is_empty() {
            let error = RouteError::new(Reason::InvalidRequest, "`model` is missing");
            return Err(error.with(metadata::PARAM, "model"));
        }
        self.check_endpoint(&route, endpoint)?;
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

    fn check_endpoint(&self, route: &RouteRequest, endpoint: &str) -> Result<(), RouteError> {
        if endpoint.is_empty() || endpoint == ENDPOINT {
            return Ok(());
        }
        let catalog = self.catalog.current();
        let model = catalog.resolve(&route.model);
        let supported = model.is_some_and(|model| {
            model
                .endpoints
                .iter()
                .any(|known: &Endpoint| known.name() == endpoint)
        });
        let message = match supported {
            true => format!("the endpoint {endpoint:?} is not served yet"),
            false => format!("{:?} has no endpoint {endpoint:?}", route.model),
        };
        Err(RouteError::new(Reason::UnsupportedParameter, message)
            .with(metadata::PARAM, "endpoint"))
    }
}
