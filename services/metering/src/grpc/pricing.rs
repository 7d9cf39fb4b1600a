//! `PricingService`.

use keyward_money::BasisPoints;
use keyward_proto::metering::v1::pricing_service_server::PricingService;
use keyward_proto::metering::v1::{
    ActivatePriceVersionRequest, ActivatePriceVersionResponse, ComparePriceVersionsRequest,
    ComparePriceVersionsResponse, CreateTierRequest, CreateTierResponse, GetPriceRequest,
    GetPriceResponse, GetTierRequest, GetTierResponse, ListPriceVersionsRequest,
    ListPriceVersionsResponse, ListPricesRequest, ListPricesResponse, ListTiersRequest,
    ListTiersResponse, ModelPrices, ProviderPrices, Tier, TierLimits, UpdateTierRequest,
    UpdateTierResponse,
};
use tonic::{Request, Response, Status, async_trait};

use super::{Grpc, convert, once, price_versions, requester, status};
use crate::MeteringError;
use crate::app::PriceFilter;
use crate::domain::prices::ByProvider;
use crate::domain::tier::{self, Terms, TermsPatch};

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
            tiers,
            next_page_token,
        }))
    }

    async fn get_tier(
        &self,
        request: Request<GetTierRequest>,
    ) -> Result<Response<GetTierResponse>, Status> {
        let tier = self.app.tier(&request.into_inner().tier).map_err(status)?;
        Ok(Response::new(GetTierResponse { tier: Some(tier) }))
    }

    async fn create_tier(
        &self,
        request: Request<CreateTierRequest>,
    ) -> Result<Response<CreateTierResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let once = once(&asked.request_id, &asked);
        let tier = given(asked.tier).map_err(status)?;
        let made = self
            .app
            .create_tier(&requester, &tier.tier, terms(&tier), once);
        let tier = made.await.map_err(status)?;
        Ok(Response::new(CreateTierResponse { tier: Some(tier) }))
    }

    async fn update_tier(
        &self,
        request: Request<UpdateTierRequest>,
    ) -> Result<Response<UpdateTierResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let once = once(&asked.request_id, &asked);
        let tier = given(asked.tier).map_err(status)?;
        let paths = asked.update_mask.unwrap_or_default().paths;
        let patch = patch(&terms(&tier), &paths).map_err(status)?;
        let change = (patch, asked.etag.as_str());
        let changed = self.app.update_tier(&requester, &tier.tier, change, once);
        let tier = changed.await.map_err(status)?;
        Ok(Response::new(UpdateTierResponse { tier: Some(tier) }))
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
        Ok(Response::new(GetPriceResponse {
            price_version,
            prices: prices.as_ref().map(convert::prices),
        }))
    }

    async fn list_prices(
        &self,
        request: Request<ListPricesRequest>,
    ) -> Result<Response<ListPricesResponse>, Status> {
        let asked = request.into_inner();
        let filter = PriceFilter {
            model: &asked.model,
            provider: &asked.provider,
        };
        let page = self
            .app
            .prices(filter, asked.page_size, &asked.page_token)
            .map_err(status)?;
        Ok(Response::new(ListPricesResponse {
            price_version: page.version,
            models: page
                .models
                .into_iter()
                .map(|(model, prices)| model_prices(model, &prices))
                .collect(),
            next_page_token: page.next_page_token,
        }))
    }

    async fn list_price_versions(
        &self,
        request: Request<ListPriceVersionsRequest>,
    ) -> Result<Response<ListPriceVersionsResponse>, Status> {
        let asked = request.into_inner();
        let page = self.app.price_versions(asked.page_size, &asked.page_token);
        let (price_versions, next_page_token) = page.await.map_err(status)?;
        Ok(Response::new(ListPriceVersionsResponse {
            price_versions,
            next_page_token,
        }))
    }

    async fn compare_price_versions(
        &self,
        request: Request<ComparePriceVersionsRequest>,
    ) -> Result<Response<ComparePriceVersionsResponse>, Status> {
        let asked = request.into_inner();
        let versions = (asked.from_version, asked.to_version);
        let page = self
            .app
            .compare_prices(versions, asked.page_size, &asked.page_token)
            .await
            .map_err(status)?;
        Ok(Response::new(price_versions::comparison(page)))
    }

    async fn activate_price_version(
        &self,
        request: Request<ActivatePriceVersionRequest>,
    ) -> Result<Response<ActivatePriceVersionResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let once = once(&asked.request_id, &asked);
        let activated = self
            .app
            .activate_prices(&requester, asked.price_version, once);
        Ok(Response::new(activated.await.map_err(status)?))
    }
}

fn model_prices(model: String, prices: &ByProvider) -> ModelPrices {
    let providers = prices.iter().map(|(provider, prices)| ProviderPrices {
        provider: provider.clone(),
        prices: Some(convert::prices(prices)),
    });
    ModelPrices {
        model,
        providers: providers.collect(),
    }
}

/// What a request is known by: its id, and all that it says.
fn given(tier: Option<Tier>) -> Result<Tier, MeteringError> {
    tier.ok_or_else(|| MeteringError::invalid("tier", "`tier` is missing"))
}

fn terms(tier: &Tier) -> Terms {
    let limits = tier.default_limits.unwrap_or_default();
    let TierLimits {
        requests_per_minute,
        tokens_per_minute,
        concurrency,
    } = limits;
    Terms {
        markup: BasisPoints::new(tier.markup_basis_points),
        organization_keys: tier.organization_keys,
        limits: tier::TierLimits {
            requests_per_minute,
            tokens_per_minute,
            concurrency,
        },
    }
}

/// Those of the terms that are named.
fn patch(terms: &Terms, paths: &[String]) -> Result<TermsPatch, MeteringError> {
    let mut patch = TermsPatch::default();
    for path in paths {
        match path.as_str() {
            "markup_basis_points" => patch.markup = Some(terms.markup),
            "organization_keys" => patch.organization_keys = Some(terms.organization_keys),
            "default_limits" => patch.limits = Some(terms.limits),
            other => {
                let message = format!("`{other}` of a tier cannot be changed");
                return Err(MeteringError::invalid("update_mask", message));
            }
        }
    }
    if paths.is_empty() {
        let message = "`update_mask` must name what to change";
        return Err(MeteringError::invalid("update_mask", message));
    }
    Ok(patch)
}
