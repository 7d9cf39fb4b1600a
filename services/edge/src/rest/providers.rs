//! `/api/v1/providers[/{provider}]`: who serves models, and how the caller stands with each.

use axum::extract::State;
use keyward_proto::router::v1::{GetProviderRequest, ListProvidersRequest, Provider};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::location::At;
use super::parameters::{Nothing, Page, Query};
use super::reply::{Outcome, Reply, Resource, page};
use super::values::{Time, present};
use super::words::{ProviderBreaker, ProviderHealth};
use crate::caller::Call;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(get))
}

/// Somebody who serves models.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Provider)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each answers a question of its own"
)]
pub(crate) struct ProviderView {
    /// Its name.
    #[schema(examples("openai"))]
    provider: String,
    /// Its name for people.
    #[schema(examples("OpenAI"))]
    display_name: String,
    /// What its keys look like.
    #[schema(required)]
    key_form: Option<String>,
    /// Where to get a key.
    #[schema(required)]
    key_url: Option<String>,
    /// The form that it speaks: `openai`, `anthropic`, `google`, `azure` or `sandbox`.
    #[schema(examples("openai"))]
    dialect: String,
    /// The endpoints of its models.
    endpoints: Vec<String>,
    /// What some of its models can do.
    capabilities: Vec<String>,
    /// The ids of its models.
    models: Vec<String>,
    /// Whether it serves models of any vendor, known here or not.
    carries_everything: bool,
    /// Whether the caller has a key of its own for it, or its project or organization has.
    configured: bool,
    /// Whether such a key can serve now.
    working: bool,
    /// Why it does not, in the provider's words.
    #[schema(required)]
    problem: Option<String>,
    /// Whether the platform's own key serves it, for credits.
    on_credits: bool,
    /// How it has fared lately.
    health: ProviderHealth,
    /// Since when, where it is not well.
    #[schema(required)]
    health_since: Option<Time>,
    /// Whether it is left alone because it failed.
    breaker: ProviderBreaker,
    /// Within how many milliseconds half of its answers began lately.
    #[schema(required)]
    latency_ms: Option<u32>,
    /// How many tokens a second its streams brought lately.
    #[schema(required)]
    tokens_per_second: Option<u32>,
    /// The part of attempts that failed lately by its fault, from 0 to 1.
    #[schema(required)]
    error_rate: Option<f64>,
}

page!(
    /// A page of providers.
    ProviderList { providers: ProviderView }
);

impl Resource for Provider {
    type View = ProviderView;

    fn into_view(self) -> ProviderView {
        ProviderView {
            health: ProviderHealth::of(self.health),
            health_since: Time::from_proto(self.health_time.as_ref()),
            breaker: ProviderBreaker::of(self.breaker),
            latency_ms: self.first_byte_ms,
            tokens_per_second: self.tokens_per_second,
            error_rate: self
                .failed_of_10_000
                .map(|failed| f64::from(failed) / 10_000.0),
            provider: self.provider,
            display_name: self.display_name,
            key_form: present(self.key_form),
            key_url: present(self.key_url),
            dialect: self.dialect,
            endpoints: self.endpoints,
            capabilities: self.capabilities,
            models: self.models,
            carries_everything: self.carries_everything,
            configured: self.configured,
            working: self.working,
            problem: present(self.problem),
            on_credits: self.on_credits,
        }
    }
}

/// List providers
///
/// Who serves models, where to get a key, and how the caller stands with each.
#[utoipa::path(
    get, path = "/api/v1/providers", operation_id = "listProviders", tag = "Providers",
    params(Page), responses((status = 200, description = "A page.", body = ProviderList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(page): Query<Page>) -> Outcome {
    let request = call.request(ListProvidersRequest {
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.router().list_providers(request).await?;
    let answer = answer.into_inner();
    ProviderList::reply(answer.providers, answer.next_page_token)
}

/// Show a provider
#[utoipa::path(
    get, path = "/api/v1/providers/{provider}", operation_id = "getProvider", tag = "Providers",
    params(("provider" = String, Path, description = "Its name.", example = "sandbox")),
    responses((status = 200, description = "The provider.", body = ProviderView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(provider): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetProviderRequest { provider });
    let answer = services.router().get_provider(request).await?;
    Reply::resource(answer.into_inner().provider)
}
