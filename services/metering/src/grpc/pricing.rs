//! `PricingService`.

use keyward_proto::metering::v1::pricing_service_server::PricingService;
use keyward_proto::metering::v1::{
    CreateTierRequest, CreateTierResponse, GetPriceRequest, GetPriceResponse, GetTierRequest,
    GetTierResponse, ListPricesRequest, ListPricesResponse, ListTiersRequest, ListTiersResponse,
    UpdateTierRequest, UpdateTierResponse,
};
use tonic::{Request, Response, Status, async_trait};

use super::{Grpc, convert, requester, status};
use crate::MeteringError;
use crate::domain::tier::Tier;

#[async_trait]
impl PricingService for Grpc {
    async fn list_tiers(
        &self,
        request: Request<ListTiersRequest>,
    ) -> Result<Response<ListTiersResponse>, Status> {
        let asked = request.into_inner();
        let (tiers, next_page_token) = self
            .app
            .tiers(asked.page_size, &asked.page_token)
            .map_err(status)?;
        Ok(Response::new(ListTiersResponse {
            tiers: tiers.into_iter().map(convert::tier).collect(),
            next_page_token,
        }))
    }

    async fn get_tier(
        &self,
        request: Request<GetTierRequest>,
    ) -> Result<Response<GetTierResponse>, Status> {
        let tier = self.app.tier(&request.into_inner().tier).map_err(status)?;
        Ok(Response::new(GetTierResponse {
            tier: Some(convert::tier(tier)),
        }))
    }

    async fn update_tier(
        &self,
        request: Request<UpdateTierRequest>,
    ) -> Result<Response<UpdateTierResponse>, Status> {
        let requester = requester(&request)?;
        let tier = asked_tier(request.into_inner()).map_err(status)?;
        let tier = self
            .app
            .update_tier(&requester, tier)
            .await
            .map_err(status)?;
        Ok(Response::new(UpdateTierResponse {
            tier: Some(convert::tier(tier)),
        }))
    }

    async fn get_price(
        &self,
        request: Request<GetPriceRequest>,
    ) -> Result<Response<GetPriceResponse>, Status> {
        let asked = request.into_inner();
        let (price_version, prices) = self
            .app
            .price(&asked.provider, &asked.model)
            .map_err(status)?;
        let prices = prices.map(convert::prices);
        Ok(Response::new(GetPriceResponse {
            price_version,
            prices,
        }))
    }

    async fn create_tier(
        &self,
        _: Request<CreateTierRequest>,
    ) -> Result<Response<CreateTierResponse>, Status> {
        Err(Status::unimplemented("not available in this version yet"))
    }

    async fn list_prices(
        &self,
        _: Request<ListPricesRequest>,
    ) -> Result<Response<ListPricesResponse>, Status> {
        Err(Status::unimplemented("not available in this version yet"))
    }
}

fn asked_tier(request: UpdateTierRequest) -> Result<Tier, MeteringError> {
    let tier = request
        .tier
        .ok_or_else(|| MeteringError::invalid("tier", "`tier` is missing"))?;
    Tier::new(&tier.tier, tier.markup_basis_points, tier.organization_keys)
        .map_err(|error| MeteringError::invalid("tier", error))
}
