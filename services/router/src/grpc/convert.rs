//! Routing options in, plans out.

use keyward_money::Nanos;
use keyward_proto::router::v1 as proto;
use keyward_runtime::error::{Reason, metadata, status};
use keyward_secret::Secret;
use tonic::Status;

use crate::app::answer::CacheOutcome;
use crate::app::{About, Options, Question};
use crate::domain::plan::{Allowance, Candidate, LeftOut, Plan};
use crate::domain::preferences::Preferences;
use crate::domain::task::Task;

/// The message is dismantled, so that its key is overwritten with the rest of `Secret`s.
pub(super) fn options(mut options: proto::RoutingOptions) -> Result<Options, Status> {
    let key = Secret::new(std::mem::take(&mut options.inline_key));
    let allowance = allowance(&options);
    let fallback_max_charge = max_charge(&options)?;
    let task = task(&options.task)?;
    let key = key.expose().trim();
    Ok(Options {
        inline_key: (!key.is_empty()).then(|| Secret::new(key)),
        byok_provider: provider(&options.byok_provider),
        allowance,
        fallback_max_charge,
        task,
        caching: caching(options.caching()),
    })
}

fn caching(said: proto::Caching) -> Option<bool> {
    match said {
        proto::Caching::Unspecified => None,
        proto::Caching::On => Some(true),
        proto::Caching::Off => Some(false),
    }
}

/// How a request stood with the stored answers.
pub(super) fn cache(outcome: CacheOutcome) -> proto::CacheOutcome {
    match outcome {
        CacheOutcome::Bypass => proto::CacheOutcome::Unspecified,
        CacheOutcome::Hit => proto::CacheOutcome::Hit,
        CacheOutcome::Miss => proto::CacheOutcome::Miss,
    }
}

/// A question about routing: a body as it would be sent, or what it would say.
pub(super) fn question(mut request: proto::ResolveRouteRequest) -> Result<Question, Status> {
    let options = options(request.options.take().unwrap_or_default())?;
    let (endpoint, tags) = (
        std::mem::take(&mut request.endpoint),
        std::mem::take(&mut request.tags),
    );
    Ok(Question {
        about: about(request)?,
        endpoint,
        options,
        tags,
    })
}

fn about(request: proto::ResolveRouteRequest) -> Result<About, Status> {
    if request.body.is_empty() {
        return Ok(About::Words {
            model: request.model,
            models: request.models,
            preferences: preferences(&request.provider_preferences)?,
        });
    }
    let said_twice = [
        ("model", !request.model.is_empty()),
        ("models", !request.models.is_empty()),
        ("provider", !request.provider_preferences.is_empty()),
    ];
    if let Some((param, _)) = said_twice.into_iter().find(|(_, is_said)| *is_said) {
        let message = format!("`{param}` is the request's own to say");
        let facts = vec![(metadata::PARAM, param.to_owned())];
        return Err(status(Reason::InvalidRequest, &message, facts));
    }
    Ok(About::Body(request.body))
}

fn task(name: &str) -> Result<Option<Task>, Status> {
    if name.is_empty() {
        return Ok(None);
    }
    let task = Task::named(name);
    task.map(Some).ok_or_else(|| {
        let message = format!("there is no task {name:?}: expected {}", tasks());
        let facts = vec![(metadata::PARAM, "task".to_owned())];
        status(Reason::InvalidRequest, &message, facts)
    })
}

fn tasks() -> String {
    Task::ALL.map(Task::name).join(", ")
}

fn preferences(json: &str) -> Result<Preferences, Status> {
    if json.is_empty() {
        return Ok(Preferences::default());
    }
    Preferences::parse(json).map_err(|error| {
        let facts = vec![(metadata::PARAM, "provider".to_owned())];
        status(Reason::InvalidRequest, &error.message, facts)
    })
}

fn provider(name: &str) -> Option<String> {
    let name = name.trim().to_ascii_lowercase();
    (!name.is_empty()).then_some(name)
}

fn allowance(options: &proto::RoutingOptions) -> Allowance {
    match options.fallback() {
        proto::Fallback::Unspecified => Allowance::Policy,
        proto::Fallback::None => Allowance::None,
        proto::Fallback::OwnKeys => Allowance::OwnKeys,
        proto::Fallback::Credits => Allowance::Credits,
    }
}

fn max_charge(options: &proto::RoutingOptions) -> Result<Option<Nanos>, Status> {
    match options.fallback_max_charge_nanos {
        Some(nanos) if nanos < 0 => {
            let message = "the cap on a fallback's charge must not be negative";
            Err(status(Reason::InvalidRequest, message, Vec::new()))
        }
        nanos => Ok(nanos.map(Nanos::new)),
    }
}

pub(super) fn resolved(plan: &Plan) -> proto::ResolveRouteResponse {
    let mut candidates: Vec<_> = plan.candidates.iter().map(candidate).collect();
    if let Some(first) = candidates.first_mut() {
        first.chosen = true;
    }
    candidates.extend(plan.left_out.iter().map(left_out));
    proto::ResolveRouteResponse { candidates }
}

fn candidate(candidate: &Candidate) -> proto::RouteCandidate {
    let reason = candidate.told();
    proto::RouteCandidate {
        provider_key_id: candidate.key_id().to_owned(),
        provider: candidate.provider.to_string(),
        upstream_model: candidate.upstream_model.to_string(),
        key_source: candidate.source as i32,
        chosen: false,
        eligible: true,
        reason,
    }
}

fn left_out(left: &LeftOut) -> proto::RouteCandidate {
    let reason = left.reason();
    proto::RouteCandidate {
        provider: left.provider.to_string(),
        upstream_model: left.upstream_model.to_string(),
        key_source: left.source as i32,
        provider_key_id: left.key_id().to_owned(),
        chosen: false,
        eligible: false,
        reason,
    }
}
