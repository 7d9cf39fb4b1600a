//! Whether credits may serve a model, and up to what charge: never by surprise.

use keyward_money::Nanos;

use super::course::Course;
use super::obstacle::{CreditsRefusal, Own};
use super::own::{is_for, out_of_use};
use super::target::Target;
use super::{Allowance, KeyState, Obstacle, PlanInput, PlanKey};
use crate::domain::policy::{Fallback, Scope};

/// What holds for the platform's keys and one model.
pub(super) struct Credits<'a, 'b> {
    input: &'b PlanInput<'a>,
    target: &'b Target<'a>,
    refusal: Option<CreditsRefusal>,
    /// The cap where they stand in for own keys.
    pub(super) fallback: Option<Nanos>,
    /// The most that the request may cost.
    pub(super) cap: Option<Nanos>,
}

impl<'a, 'b> Credits<'a, 'b> {
    /// Where there is this much of the caller's own.
    pub(super) fn of(input: &'b PlanInput<'a>, course: &Course<'a, 'b>, own: Own) -> Self {
        let fallback = (own == Own::There).then(|| fallback_cap(input));
        let most = course.steering.max_charge;
        Self {
            input,
            target: &course.choice.target,
            refusal: refusal(input, own),
            fallback,
            cap: fallback.into_iter().chain(most).min(),
        }
    }

    /// Why one of the platform's keys may not serve.
    pub(super) fn obstacle(&self, key: &PlanKey) -> Option<Obstacle> {
        if let Some(refusal) = self.refusal {
            return Some(Obstacle::Credits(refusal));
        }
        if let Some(obstacle) = out_of_use(key, self.input.now_ms) {
            return Some(obstacle);
        }
        if matches!(key.state, KeyState::Rejected(_)) {
            // Why is not the caller's business.
            return Some(Obstacle::Credits(CreditsRefusal::KeyFailing));
        }
        if !is_for(key, self.target.all_names(self.input)) {
            return Some(Obstacle::OtherModels);
        }
        let request = self.input.request;
        let named = request.byok_provider.as_deref();
        let other = named.filter(|named| *named != key.provider && request.inline_key.is_none());
        if let Some(named) = other {
            return Some(Obstacle::OtherProviderNamed(named.to_owned()));
        }
        let prices = self.input.catalog.prices(&key.provider, self.target.id());
        let priced =
            prices.is_some_and(|prices| request.form.endpoint().is_priced_by(&prices.rates));
        let is_priced = self.target.is_listed() && priced;
        (!is_priced).then_some(Obstacle::Credits(CreditsRefusal::PriceUnknown))
    }
}

fn fallback_cap(input: &PlanInput<'_>) -> Nanos {
    let policy = input.layers().fallback_max_charge();
    let asked = input.request.fallback_max_charge;
    asked.map_or(policy, |asked| asked.min(policy))
}

/// Why credits may not be spent on a request at all.
fn refusal(input: &PlanInput<'_>, own: Own) -> Option<CreditsRefusal> {
    let (request, layers) = (input.request, input.layers());
    if let Some(scope) = layers.forbids_credits() {
        return Some(CreditsRefusal::Forbidden(scope));
    }
    if request.inline_key.is_some() && request.allowance != Allowance::Credits {
        return Some(CreditsRefusal::NotWithInline);
    }
    if own < Own::There && request.byok_provider.is_some() {
        return Some(CreditsRefusal::OwnKeyAsked);
    }
    if own == Own::Absent {
        return None;
    }
    if matches!(request.allowance, Allowance::None | Allowance::OwnKeys) {
        return Some(CreditsRefusal::NotAsked);
    }
    let (widest, scope): (Fallback, Scope) = layers.fallback();
    (widest < Fallback::Credits).then_some(CreditsRefusal::NoFallback(scope))
}
