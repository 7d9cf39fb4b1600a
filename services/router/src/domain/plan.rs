//! Whose key serves a request: `plan` gives the candidates in order, each with its reason, and what
//! was left out and why. `ResolveRoute` shows it, `Invoke` walks it.

mod input;
mod levels;
mod target;

use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;

pub use input::{
    Allowance, InlineKey, KeyState, PlanInput, PlanKey, PlanPrincipal, Policy, Prefer, RouteRequest,
};

use levels::Levels;
use target::Target;

/// A key at a provider that may serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The provider.
    pub provider: String,
    /// The model's name there.
    pub upstream_model: String,
    /// The model by its id in the catalogue, or as the caller named it.
    pub model: String,
    /// Whose key.
    pub source: KeySource,
    /// Which key.
    pub key: CandidateKey,
    /// Where requests with this key go, if not the provider's address.
    pub base_url: Option<String>,
    /// The cap on the charge, where this is a fallback to credits.
    pub charge_cap: Option<Nanos>,
    /// Why it stands where it stands.
    pub reason: String,
}

/// Which key a candidate uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CandidateKey {
    /// The one in the request.
    Inline,
    /// A stored one.
    Stored {
        /// Its id.
        id: String,
        /// Its version.
        version: u64,
        /// Whether the provider is known to have accepted it.
        connected: bool,
    },
}

/// Something that might have served, and why it will not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The provider.
    pub provider: String,
    /// The model's name there.
    pub upstream_model: String,
    /// Whose key; unspecified where there is none.
    pub source: KeySource,
    /// The key; empty where there is none.
    pub key_id: String,
    /// Why not.
    pub reason: String,
}

/// Why nothing can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody knows the model.
    ModelNotFound,
    /// The access key may not name it.
    ModelNotAllowed,
    /// The access key may not name this one of `models`.
    FallbackNotAllowed(String),
    /// No key serves it; these providers' would.
    NoKey(Vec<String>),
    /// The key named is of another provider than the model's.
    KeyMismatch(String),
    /// The only keys were refused by their provider, for this reason.
    KeyRejected(String),
}

/// What would serve a request, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Who may serve, first one first.
    pub candidates: Vec<Candidate>,
    /// Who may not.
    pub left_out: Vec<LeftOut>,
    /// What the caller is told if nobody serves: always there where there are no candidates, and
    /// where an own key that was refused earlier would have come first.
    pub refusal: Option<Refusal>,
}

/// Plans a request.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let target = Target::find(input);
    if !target.is_allowed(input) {
        return Plan {
            left_out: target.not_allowed(),
            ..refused(Refusal::ModelNotAllowed)
        };
    }
    let is_forbidden = |name: &&String| !Target::named(input, name).is_allowed(input);
    if let Some(name) = input.request.models.iter().find(is_forbidden) {
        return refused(Refusal::FallbackNotAllowed(name.clone()));
    }
    if let Some(refusal) = target.mismatch(input) {
        return refused(refusal);
    }
    let mut plan = Levels::sort(input, &target).into_plan();
    if plan.candidates.is_empty() && plan.refusal.is_none() {
        plan.refusal = Some(target.refusal(input));
    }
    plan
}

fn refused(refusal: Refusal) -> Plan {
    Plan {
        refusal: Some(refusal),
        ..Plan::default()
    }
}

#[cfg(test)]
mod tests;
