//! Cost estimates, between the application's types and the messages of the contract.

use keyward_money::Usage;
use keyward_proto::metering::v1 as wire;

use super::convert;
use crate::MeteringError;
use crate::app::{Estimate, EstimateRequest, TierCost};

pub(super) fn request(asked: wire::EstimateCostRequest) -> Result<EstimateRequest, MeteringError> {
    let measured = Usage::from_disjoint(asked.usage.unwrap_or_default().into());
    if measured.inconsistent {
        let message = "`usage` has a figure below zero";
        return Err(MeteringError::invalid("usage", message));
    }
    Ok(EstimateRequest {
        model: asked.model,
        provider: asked.provider,
        usage: measured.usage,
        tier: asked.tier,
        service_tier: asked.service_tier,
    })
}

pub(super) fn response(estimate: Estimate) -> wire::EstimateCostResponse {
    wire::EstimateCostResponse {
        model: estimate.model,
        provider: estimate.provider,
        price_version: estimate.price_version,
        prices: Some(convert::rates(&estimate.rates)),
        list_cost_nanos: estimate.list_cost.get(),
        cost: Some(tier_cost(estimate.cost)),
        tiers: estimate.tiers.into_iter().map(tier_cost).collect(),
    }
}

fn tier_cost(cost: TierCost) -> wire::TierCost {
    wire::TierCost {
        tier: cost.tier,
        markup_basis_points: cost.markup.get(),
        markup_nanos: cost.charge.markup.get(),
        charge_nanos: cost.charge.charge.get(),
    }
}
