//! Whose key serves a request: `plan` gives the candidates in order, each with its reason, and what
//! was left out and why. `ResolveRoute` shows it, `Invoke` walks it.

mod asked;
mod course;
mod credits;
mod found;
mod input;
mod obstacle;
mod own;
mod rank;
mod reason;
mod steering;
mod survey;
mod target;

use std::sync::Arc;

use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;

pub use input::{
    Allowance, InlineKey, KeyState, PlanInput, PlanKey, PlanPrincipal, RouteRequest, TaskChoice,
};
pub use obstacle::{CreditsRefusal, Obstacle};
pub use reason::{Chosen, Ordered, Reason};

use crate::domain::form::Form;
use crate::domain::policy::{Fallback, Layers, Scope};
use asked::Asked;
use course::Course;
use survey::Survey;

/// A key at a provider that may serve.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The provider.
    pub provider: Arc<str>,
    /// The model's name there.
    pub upstream_model: Arc<str>,
    /// The model by its id in the catalogue, or as the caller named it.
    pub model: Arc<str>,
    /// Whose key.
    pub source: KeySource,
    /// Which key.
    pub key: CandidateKey,
    /// The most that it may cost in credits, where somebody said so.
    pub charge_cap: Option<Nanos>,
    /// Why it stands where it stands.
    pub reason: Reason,
}

impl Candidate {
    /// The stored key; none for the one in the request.
    pub fn stored(&self) -> Option<&PlanKey> {
        match &self.key {
            CandidateKey::Inline => None,
            CandidateKey::Stored(key) => Some(key),
        }
    }

    /// The id of its key; empty for the one in the request.
    pub fn key_id(&self) -> &str {
        self.stored().map_or("", |key| &key.id)
    }

    /// Where requests with its key go, if not the provider's address.
    pub fn base_url(&self) -> Option<&str> {
        self.stored()?.base_url.as_deref()
    }

    /// Which version of the provider's interface its key is for; empty for the usual one.
    pub fn api_version(&self) -> &str {
        self.stored().map_or("", |key| &key.api_version)
    }

    /// Whether it is the same call as another: of the same model, with the same version of a key.
    pub(crate) fn is_same_call(&self, other: &Self) -> bool {
        let version = |one: &Self| one.stored().map(|key| key.version);
        self.provider == other.provider
            && self.upstream_model == other.upstream_model
            && self.key_id() == other.key_id()
            && version(self) == version(other)
    }

    /// Whether credits stand in for own keys here.
    pub fn is_fallback(&self) -> bool {
        self.reason.fallback.is_some()
    }

    /// Why it stands where it stands, in words.
    pub fn told(&self) -> String {
        self.reason.told(&self.provider)
    }

    /// The same without a provider's words.
    pub(crate) fn in_our_words(&self) -> String {
        let ours = Reason {
            no_credit: None,
            ..self.reason.clone()
        };
        ours.told(&self.provider)
    }
}

/// Which key a candidate uses.
#[derive(Debug, Clone, PartialEq)]
pub enum CandidateKey {
    /// The one in the request.
    Inline,
    /// A stored one.
    Stored(Arc<PlanKey>),
}

/// Something that might have served, and why it will not.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// The provider.
    pub provider: Arc<str>,
    /// The model's name there.
    pub upstream_model: Arc<str>,
    /// Whose key; unspecified where there is none.
    pub source: KeySource,
    /// The stored key; none where there is none, or it is the request's own.
    pub key: Option<Arc<PlanKey>>,
    /// Why not.
    pub obstacle: Obstacle,
}

impl LeftOut {
    /// The id of its key; empty where there is none.
    pub fn key_id(&self) -> &str {
        self.key.as_ref().map_or("", |key| &key.id)
    }

    /// Why not, in words.
    pub fn reason(&self) -> String {
        self.obstacle.told(&self.provider)
    }
}

/// Why nothing can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody knows the model.
    ModelNotFound,
    /// The access key may not name it.
    ModelNotAllowed,
    /// A policy forbids it.
    ModelForbidden(Scope),
    /// The access key may not name this one of `models`.
    FallbackNotAllowed(String),
    /// No key serves it; these providers' would.
    NoKey(Vec<String>),
    /// Only these providers have it, and none of them can be called in this form, whatever the key.
    NotCallable(Vec<String>, Form),
    /// The key named is of another provider than the model's.
    KeyMismatch(String),
    /// The only keys were refused by their provider, for this reason.
    KeyRejected(String),
}

/// What would serve a request, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Who may serve, first one first.
    pub candidates: Vec<Candidate>,
    /// Who may not.
    pub left_out: Vec<LeftOut>,
    /// What the caller is told if nobody serves: always there where there are no candidates, and
    /// where an own key that was refused earlier would have come first.
    pub refusal: Option<Refusal>,
}

impl<'a> PlanInput<'a> {
    /// The policies in force.
    fn layers(&self) -> Layers<'a> {
        Layers::new(self.operator, self.layers)
    }

    /// What may serve when the first key fails: nothing, if request or policy says so.
    fn allowance(&self) -> Allowance {
        match self.layers().fallback() {
            (Fallback::None, _) => Allowance::None,
            _ => self.request.allowance,
        }
    }
}

/// Plans a request.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let mut asked = match Asked::read(input) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    let mut left_out = std::mem::take(&mut asked.left_out);
    let courses = Course::all(input, &asked);
    let survey = Survey::of(input, asked.is_auto, &courses);
    left_out.extend(survey.left_out);
    let refusal = survey.refusal;
    let candidates = rank::in_order(input, &survey.found, refusal.is_some(), &mut left_out);
    let refusal = match candidates.is_empty() {
        true => refusal.or_else(|| Some(asked.refusal(input))),
        false => refusal,
    };
    Plan {
        candidates,
        left_out,
        refusal,
    }
}

fn refused(refusal: Refusal) -> Plan {
    Plan {
        refusal: Some(refusal),
        ..Plan::default()
    }
}

#[cfg(test)]
mod tests;
