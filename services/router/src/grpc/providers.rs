//! Providers as callers see them.

use std::collections::{BTreeSet, HashMap};

use keyward_auth::Principal;
use keyward_catalog::{Catalog, Dialect, Model};
use keyward_proto::router::v1 as proto;
use keyward_runtime::error::{Reason, metadata, status, to_status};
use keyward_runtime::{page, time};
use tonic::Status;

use super::models;
use crate::app::{Behalf, Core, ProviderView};
use crate::domain::health::State;
use crate::domain::provider_health::Wellness;

/// The most providers of one page.
const PAGE_SIZE_MAX: u32 = 200;

/// A page of providers; the token names the last of the page before.
pub(super) async fn list(
    core: &Core,
    behalf: &Behalf,
    request: &proto::ListProvidersRequest,
) -> Result<proto::ListProvidersResponse, Status> {
    if request.page_size > PAGE_SIZE_MAX {
        let message = "page_size must be between 1 and 200, or 0 for all";
        return Err(invalid("page_size", message));
    }
    let bad_token = |_| invalid("page_token", &page::InvalidPageToken.to_string());
    let after = page::key(&request.page_token).map_err(bad_token)?;
    let catalog = core.catalog.current();
    let views = core.provider_views(&catalog, behalf, None).await;
    let mut views = views.map_err(|error| to_status(&error))?;
    if let Some(after) = after {
        let at = views.iter().position(|view| view.name == after);
        let at = at.ok_or_else(|| bad_token(page::InvalidPageToken))?;
        views.drain(..=at);
    }
    let size = match request.page_size {
        0 => u32::MAX,
        size => size,
    };
    let (views, next_page_token) = page::cut(views, size, |view| view.name.to_owned());
    let offers = Offers::of(&catalog, behalf.principal());
    let provider = |view| provider(view, &offers);
    Ok(proto::ListProvidersResponse {
        providers: views.into_iter().map(provider).collect(),
        next_page_token,
    })
}

/// One provider.
pub(super) async fn get(
    core: &Core,
    behalf: &Behalf,
    name: &str,
) -> Result<proto::GetProviderResponse, Status> {
    let catalog = core.catalog.current();
    let views = core.provider_views(&catalog, behalf, Some(name)).await;
    let views = views.map_err(|error| to_status(&error))?;
    let Some(view) = views.into_iter().next() else {
        let facts = vec![(metadata::PARAM, "provider".to_owned())];
        return Err(status(Reason::NotFound, "provider not found", facts));
    };
    let offers = Offers::of(&catalog, behalf.principal());
    Ok(proto::GetProviderResponse {
        provider: Some(provider(view, &offers)),
    })
}

fn invalid(param: &str, message: &str) -> Status {
    let facts = vec![(metadata::PARAM, param.to_owned())];
    status(Reason::InvalidRequest, message, facts)
}

/// What is offered by whom, of what a caller may name.
struct Offers<'a> {
    by_provider: HashMap<&'a str, Vec<&'a Model>>,
}

impl<'a> Offers<'a> {
    fn of(catalog: &'a Catalog, principal: &Principal) -> Self {
        let mut by_provider: HashMap<&str, Vec<&Model>> = HashMap::new();
        for model in models::listed(catalog, principal) {
            for offer in &model.offers {
                let models = by_provider.entry(&offer.provider).or_default();
                models.push(model);
            }
        }
        Self { by_provider }
    }

    fn models(&self, provider: &str) -> &[&'a Model] {
        self.by_provider.get(provider).map_or(&[], Vec::as_slice)
    }
}

fn provider(view: ProviderView<'_>, offers: &Offers<'_>) -> proto::Provider {
    let models = offers.models(view.name);
    let endpoints = models.iter().flat_map(|model| &model.endpoints);
    let endpoints: BTreeSet<&str> = endpoints.map(|endpoint| endpoint.name()).collect();
    let capabilities = models.iter().flat_map(|model| &model.capabilities);
    let capabilities: BTreeSet<&str> = capabilities.map(|what| what.name()).collect();
    let mut ids: Vec<String> = models.iter().map(|model| model.id.clone()).collect();
    ids.sort_unstable();
    let (health, since_ms) = health(view.wellness);
    let seen = view.pace.seen(view.now_ms);
    let narrow = |figure: u64| u32::try_from(figure).unwrap_or(u32::MAX);
    let info = view.info;
    proto::Provider {
        provider: view.name.to_owned(),
        display_name: info.map_or(view.name, |info| &info.display_name).to_owned(),
        key_form: info.map(|info| info.key_hint.clone()).unwrap_or_default(),
        key_url: info.and_then(|i| i.key_url.clone()).unwrap_or_default(),
        dialect: dialect(view.provider.dialect).to_owned(),
        endpoints: endpoints.into_iter().map(str::to_owned).collect(),
        capabilities: capabilities.into_iter().map(str::to_owned).collect(),
        models: ids,
        carries_everything: info.is_some_and(|info| info.carries_everything),
        configured: view.keys.configured,
        working: view.keys.working,
        problem: view.keys.problem,
        on_credits: view.keys.on_credits,
        health: health.into(),
        health_time: since_ms.map(at),
        first_byte_ms: seen.map(|seen| narrow(seen.first_byte_ms)),
        tokens_per_second: seen.and_then(|seen| seen.tokens_per_second).map(narrow),
        failed_of_10_000: view.pace.failed_of_10_000().map(narrow),
        breaker: breaker(view.breaker).into(),
    }
}

fn dialect(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAi => "openai",
        Dialect::Anthropic => "anthropic",
        Dialect::Google => "google",
        Dialect::Azure => "azure",
        Dialect::Sandbox => "sandbox",
    }
}

/// With since when, in milliseconds since 1970, where it is not well.
fn health(wellness: Wellness) -> (proto::ProviderHealth, Option<u64>) {
    match wellness {
        Wellness::Unknown => (proto::ProviderHealth::Unknown, None),
        Wellness::Ok => (proto::ProviderHealth::Ok, None),
        Wellness::Degraded { since_ms } => (proto::ProviderHealth::Degraded, Some(since_ms)),
        Wellness::Down { since_ms } => (proto::ProviderHealth::Down, Some(since_ms)),
    }
}

fn breaker(state: State) -> proto::ProviderBreaker {
    match state {
        State::Closed => proto::ProviderBreaker::Closed,
        State::Open { .. } => proto::ProviderBreaker::Open,
        State::Due | State::Probing => proto::ProviderBreaker::HalfOpen,
    }
}

fn at(millis: u64) -> prost_types::Timestamp {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    time::to_proto(time::from_millis(millis))
}
