//! The order of candidates: precedence first, and those that rest behind those that do not.

use super::asked::is_own;
use super::found::Found;
use super::{Allowance, Candidate, LeftOut, Obstacle, PlanInput};
use crate::domain::health::Standing;
use crate::domain::policy::KeysFirst;

/// Where a candidate stands by precedence; what comes first in it counts most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which model, and whether for credits; see [`Place::group`].
    pub(super) group: (u16, u16),
    /// In the order that the request or a rule gives.
    pub(super) order: u16,
    /// By what the request sorts.
    pub(super) measure: u64,
    /// Whose key.
    pub(super) level: u8,
    /// Whether the other of OpenRouter and providers is preferred.
    pub(super) is_second: bool,
    /// By a rule's weights.
    pub(super) provider_lot: u64,
    /// In the catalogue's order.
    pub(super) listed: usize,
    /// When it was limited, if lately: the longest ago first.
    pub(super) limited_ms: u64,
    /// By the keys' weights.
    pub(super) lot: u64,
}

impl Place {
    /// Models come one after the other, each with own keys before credits; where the model was left
    /// to us, own keys for any of them before credits.
    pub(super) fn group(is_auto: bool, model: u16, is_system: bool) -> (u16, u16) {
        let credits = u16::from(is_system);
        if is_auto {
            (credits, model)
        } else {
            (model, credits)
        }
    }

    /// Before everything else for its model.
    pub(super) fn inline(is_auto: bool, model: u16) -> Self {
        Self {
            group: Self::group(is_auto, model, false),
            order: 0,
            measure: 0,
            level: 0,
            is_second: false,
            provider_lot: 0,
            listed: 0,
            limited_ms: 0,
            lot: 0,
        }
    }
}

/// Puts what was found in order, and leaves out what the request's word on fallbacks excludes.
pub(super) fn in_order(
    input: &PlanInput<'_>,
    found: &[Found<'_, '_>],
    is_refused: bool,
    left_out: &mut Vec<LeftOut>,
) -> Vec<Candidate> {
    let mut found: Vec<&Found<'_, '_>> = found.iter().collect();
    found.sort_by(|one, other| one.precedence().cmp(&other.precedence()));
    if input.allowance() == Allowance::None {
        keep(&mut found, left_out, is_refused);
    } else if !input.request.preferences.allow_fallbacks
        && input.request.preferences.order.is_empty()
    {
        keep_the_provider(&mut found, left_out);
    }
    // Stable: precedence stands among those that are equally well.
    found.sort_by_key(|found| match found.standing {
        Standing::Good => (0, 0),
        Standing::Absent => (1, 0),
        Standing::Resting { until_ms } => (2, until_ms),
    });
    let organization_first = input.layers().keys_first() == KeysFirst::Organization;
    found
        .iter()
        .map(|found| found.candidate(organization_first))
        .collect()
}

/// With no fallback at all there is one key: the first by precedence, however it stands. Where that
/// was refused by its provider, there is none.
fn keep(found: &mut Vec<&Found<'_, '_>>, left_out: &mut Vec<LeftOut>, is_refused: bool) {
    let kept = usize::from(!is_refused);
    let rest = found.split_off(found.len().min(kept));
    let without = |found: &Found<'_, '_>| found.left_out(Obstacle::NoFallback);
    left_out.extend(rest.into_iter().map(without));
}

/// Without fallbacks to other providers: the keys for the first one's.
fn keep_the_provider(found: &mut Vec<&Found<'_, '_>>, left_out: &mut Vec<LeftOut>) {
    let Some(&first) = found.first() else {
        return;
    };
    let (provider, is_firsts_own) = (&first.seller.provider, is_own(first.source()));
    found.retain(|found| {
        let is_kept = found.seller.provider == *provider && is_own(found.source()) == is_firsts_own;
        if !is_kept {
            left_out.push(found.left_out(Obstacle::FallbacksOff));
        }
        is_kept
    });
}
