//! Holds what an attempt with the platform's key may cost, until there is one.

use std::sync::Arc;

use keyward_auth::OrganizationRole;
use keyward_proto::metering::v1::{KeySource, PlaceHoldRequest};
use keyward_runtime::ids;

use super::Dispatch;
use crate::app::RouteError;
use crate::app::metering::leases::{LeasedHold, Wanted};
use crate::app::metering::{Hold, MeteringPort};
use crate::domain::estimate::Expected;
use crate::domain::plan::Candidate;

/// A hold stands for the longest answer there is.
const HOLD_LIFETIME_SECONDS: i64 = 900;

/// What is held for an attempt, and what for; nothing with an own key. Given back where none is begun.
pub(super) struct Reserved<'a> {
    metering: &'a MeteringPort,
    held: Option<(Hold, Expected)>,
}

impl Reserved<'_> {
    pub(super) fn is_something(&self) -> bool {
        self.held.is_some()
    }

    /// An attempt is begun, which settles it.
    pub(super) fn take(mut self) -> (Option<Hold>, Option<Expected>) {
        self.held.take().unzip()
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let Some((hold, _)) = self.held.take() {
            self.metering.give_back(hold);
        }
    }
}

impl Dispatch {
    /// Holds what a candidate may cost, if it costs credits.
    pub(super) async fn reserve(&self, candidate: &Candidate) -> Result<Reserved<'_>, RouteError> {
        let held = match candidate.source {
            KeySource::System => Some(self.hold(candidate).await?),
            _ => None,
        };
        let metering = &self.core.metering;
        Ok(Reserved { metering, held })
    }

    async fn hold(&self, candidate: &Candidate) -> Result<(Hold, Expected), RouteError> {
        let expected = self.expected(candidate).await;
        if let Some(hold) = self.hold_from_lease(candidate, &expected) {
            return Ok((Hold::Leased(Arc::new(hold)), expected));
        }
        let request = PlaceHoldRequest {
            request_id: ids::new_text(),
            inference_id: self.inference_id.clone(),
            provider: candidate.provider.to_string(),
            model: candidate.model.to_string(),
            estimate: Some(expected.usage.into()),
            service_tier: self.asked_tier(candidate),
            charge_cap_nanos: candidate.charge_cap.map(keyward_money::Nanos::get),
            lifetime: Some(prost_types::Duration {
                seconds: HOLD_LIFETIME_SECONDS,
                nanos: 0,
            }),
            tags: self.tags.clone(),
        };
        let held = self.core.metering.hold(request, &self.behalf).await;
        held.map(|hold| (hold, expected))
            .map_err(|error| Self::about(error, candidate))
    }

    /// A hold without a call, if a lease covers it. What is special about a request is metering's to
    /// judge: a cap, or a caller who may not spend.
    fn hold_from_lease(&self, candidate: &Candidate, expected: &Expected) -> Option<LeasedHold> {
        let principal = self.behalf.principal();
        let only_looks = principal.organization_role == Some(OrganizationRole::Viewer);
        if candidate.charge_cap.is_some() || only_looks {
            return None;
        }
        let wanted = Wanted {
            account: &principal.billing_account()?.key(),
            tier: &principal.tier,
            provider: &candidate.provider,
            model: &candidate.model,
            service_tier: &self.asked_tier(candidate),
            usage: &expected.usage,
        };
        let catalog = self.core.catalog.current();
        self.core.metering.leases().hold(wanted, &catalog)
    }
}
