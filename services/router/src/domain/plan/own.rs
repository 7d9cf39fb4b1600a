//! Why a stored key of the caller's own is no candidate for a model.

use keyward_proto::metering::v1::KeySource;

use super::course::{Course, Seller};
use super::{Allowance, KeyState, Obstacle, PlanInput, PlanKey};
use crate::domain::policy::{Named, Pattern};

/// Why not; none where it is a candidate.
pub(super) fn obstacle(
    input: &PlanInput<'_>,
    course: &Course<'_, '_>,
    seller: &Seller,
    key: &PlanKey,
) -> Option<Obstacle> {
    out_of_use(key, input.now_ms)
        .or_else(|| withheld(input, key))
        .or_else(|| {
            let is_for = is_for(key, course.choice.target.all_names(input));
            (!is_for).then_some(Obstacle::OtherModels)
        })
        .or_else(|| asked_otherwise(input, key))
        .or_else(|| seller.own_obstacle(key.base_url.as_deref()))
        .or_else(|| match &key.state {
            KeyState::Rejected(said) => Some(Obstacle::Rejected(said.clone())),
            _ => None,
        })
}

/// Whether a key is switched off or past its time.
pub(super) fn out_of_use(key: &PlanKey, now_ms: u64) -> Option<Obstacle> {
    match key.state {
        KeyState::Disabled => Some(Obstacle::Disabled),
        KeyState::Expired => Some(Obstacle::Expired),
        _ if key.expires_ms.is_some_and(|expires| expires <= now_ms) => Some(Obstacle::Expired),
        _ => None,
    }
}

/// Whether a key is for a model.
pub(super) fn is_for(key: &PlanKey, model: Named<'_>) -> bool {
    let meant = |pattern: &Pattern| model.is_meant_by(pattern);
    key.allowed_models.is_empty() || key.allowed_models.iter().any(meant)
}

/// Whether keys like it may not be used by this caller at all.
fn withheld(input: &PlanInput<'_>, key: &PlanKey) -> Option<Obstacle> {
    match key.source {
        KeySource::Organization if !input.principal.organization_keys => {
            Some(Obstacle::NoOrganizationKeys)
        }
        KeySource::User => {
            let scope = input.layers().forbids_own_keys()?;
            Some(Obstacle::OwnKeysForbidden(scope))
        }
        _ => None,
    }
}

/// What the request says of whose key is to serve.
fn asked_otherwise(input: &PlanInput<'_>, key: &PlanKey) -> Option<Obstacle> {
    let request = input.request;
    if request.inline_key.is_some() {
        let is_alone = matches!(request.allowance, Allowance::Policy | Allowance::None);
        return is_alone.then_some(Obstacle::InlineOnly);
    }
    let named = request.byok_provider.as_deref();
    let named = named.filter(|named| *named != key.provider)?;
    Some(Obstacle::OtherProviderNamed(named.to_owned()))
}
