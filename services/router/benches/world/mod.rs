//! A catalogue, keys and policies of any size to plan over.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyward_catalog::{Catalog, CatalogError, CatalogFile};
use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;
use keyward_router::domain::health::{HealthView, Seen, Standing};
use keyward_router::domain::plan::{
    KeyState, Plan, PlanInput, PlanKey, PlanPrincipal, RouteRequest, plan,
};
use keyward_router::domain::policy::{
    Layer, Match, Operator, Pattern, Policy, Prefer, Rule, Scope, Steer,
};
use keyward_router::domain::providers::Providers;
use keyward_router::domain::task::Cheapest;

/// Providers that every model is at.
const PROVIDERS: [&str; 5] = ["openai", "openrouter", "groq", "together", "mistral"];

/// Nothing is known against any key.
struct Well;

impl HealthView for Well {
    fn standing(&self, _: &str, _: u64, _: &str, _: u64) -> Standing {
        Standing::Good
    }

    fn limited_ms(&self, _: &str, _: u64, _: &str, _: u64) -> u64 {
        0
    }

    fn seen(&self, _: &str, _: &str, _: u64) -> Option<Seen> {
        None
    }
}

/// All that plans are made from.
pub(crate) struct World {
    catalog: Catalog,
    cheapest: Cheapest,
    providers: Providers,
    keys: Vec<Arc<PlanKey>>,
    layers: Vec<Layer>,
    principal: PlanPrincipal,
    operator: Operator,
}

impl World {
    /// So many models at each provider, keys, and rules of an organisation.
    pub(crate) fn new(models: usize, keys: usize, rules: usize) -> Result<Self, CatalogError> {
        let catalog = Catalog::of(file(models)?, &[])?;
        Ok(Self {
            cheapest: Cheapest::of(&catalog),
            providers: Providers::new(&catalog, &BTreeMap::new()).unwrap_or_default(),
            keys: (0..keys).map(key).map(Arc::new).collect(),
            layers: vec![layer(rules)],
            principal: PlanPrincipal {
                organization_keys: true,
                allowed_models: Vec::new(),
            },
            operator: Operator {
                prefer: Prefer::OpenRouter,
                fallback_to_credits: true,
                fallback_max_charge: Nanos::new(50_000_000),
            },
            catalog,
        })
    }

    /// Plans a request.
    pub(crate) fn plan(&self, request: &RouteRequest) -> Plan {
        plan(&PlanInput {
            request,
            principal: &self.principal,
            keys: &self.keys,
            operator: &self.operator,
            layers: &self.layers,
            catalog: &self.catalog,
            cheapest: &self.cheapest,
            providers: &self.providers,
            health: &Well,
            now_ms: 1_800_000_000_000,
        })
    }
}

/// A request for a model.
pub(crate) fn request(model: &str) -> RouteRequest {
    RouteRequest {
        model: model.to_owned(),
        prompt_tokens: 800,
        output_tokens: 200,
        affinity: 17,
        ..RouteRequest::default()
    }
}

fn file(models: usize) -> Result<CatalogFile, CatalogError> {
    let prices = |number: usize| format!(r#"{{"input":{},"output":900}}"#, 100 + number);
    let offer = |number, provider| {
        let prices = prices(number);
        format!(r#"{{"provider":"{provider}","prices":{prices}}}"#)
    };
    let model = |number: usize| {
        let offers = PROVIDERS.map(|provider| offer(number, provider)).join(",");
        format!(r#"{{"id":"openai/model-{number}","context_tokens":8000,"offers":[{offers}]}}"#)
    };
    let models = (0..models).map(model).collect::<Vec<_>>().join(",");
    let file = format!(r#"{{"schema":1,"models":[{models}]}}"#);
    Ok(CatalogFile {
        providers: CatalogFile::hand()?.providers,
        ..CatalogFile::parse(&file)?
    })
}

fn key(number: usize) -> PlanKey {
    let sources = [
        KeySource::User,
        KeySource::Project,
        KeySource::Organization,
        KeySource::System,
    ];
    PlanKey {
        id: format!("019a0000-0000-7000-8000-{number:012}"),
        version: 1,
        source: sources[number % sources.len()],
        provider: PROVIDERS[number % PROVIDERS.len()].to_owned(),
        base_url: None,
        api_version: String::new(),
        deployments: std::collections::BTreeMap::new(),
        state: KeyState::Connected,
        expires_ms: None,
        weight: 1 + u32::try_from(number % 3).unwrap_or(0),
        allowed_models: Vec::new(),
    }
}

fn layer(rules: usize) -> Layer {
    let rule = |number: usize| Rule {
        name: format!("rule {number}").into(),
        when: Match {
            model: Some(Pattern::new(&format!("openai/model-{number}*"))),
            ..Match::default()
        },
        then: Steer {
            order: vec!["groq".to_owned(), "together".to_owned()],
            ..Steer::default()
        },
    };
    Layer {
        scope: Scope::Organization,
        policy: Arc::new(Policy {
            rules: (0..rules).map(rule).collect(),
            ..Policy::default()
        }),
    }
}
