//! Its tiers. Nothing else of prices is asked for.

use std::sync::atomic::Ordering;

use keyward_proto::metering::v1 as metering;
use keyward_proto::metering::v1::pricing_service_server::PricingService;
use tonic::{Request, Response, Status};

use super::FakeMetering;

#[tonic::async_trait]
impl PricingService for FakeMetering {
    async fn get_tier(
        &self,
        request: Request<metering::GetTierRequest>,
    ) -> Result<Response<metering::GetTierResponse>, Status> {
        let tier = metering::Tier {
            tier: request.into_inner().tier,
            markup_basis_points: 500,
            organization_keys: self.0.organization_keys.load(Ordering::SeqCst),
            ..metering::Tier::default()
        };
        Ok(Response::new(metering::GetTierResponse {
            tier: Some(tier),
        }))
    }

    async fn list_tiers(
        &self,
        _: Request<metering::ListTiersRequest>,
    ) -> Result<Response<metering::ListTiersResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn update_tier(
        &self,
        _: Request<metering::UpdateTierRequest>,
    ) -> Result<Response<metering::UpdateTierResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn create_tier(
        &self,
        _: Request<metering::CreateTierRequest>,
    ) -> Result<Response<metering::CreateTierResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_prices(
        &self,
        _: Request<metering::ListPricesRequest>,
    ) -> Result<Response<metering::ListPricesResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn get_price(
        &self,
        _: Request<metering::GetPriceRequest>,
    ) -> Result<Response<metering::GetPriceResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_price_versions(
        &self,
        _: Request<metering::ListPriceVersionsRequest>,
    ) -> Result<Response<metering::ListPriceVersionsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn compare_price_versions(
        &self,
        _: Request<metering::ComparePriceVersionsRequest>,
    ) -> Result<Response<metering::ComparePriceVersionsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn activate_price_version(
        &self,
        _: Request<metering::ActivatePriceVersionRequest>,
    ) -> Result<Response<metering::ActivatePriceVersionResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}
