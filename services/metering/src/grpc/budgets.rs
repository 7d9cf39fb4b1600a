//! `BudgetService`.

use keyward_money::Nanos;
use keyward_proto::metering::v1::budget_service_server::BudgetService;
use keyward_proto::metering::v1::{
    self as wire, CreateBudgetRequest, CreateBudgetResponse, DeleteBudgetRequest,
    DeleteBudgetResponse, GetBudgetRequest, GetBudgetResponse, ListBudgetsRequest,
    ListBudgetsResponse, UpdateBudgetRequest, UpdateBudgetResponse,
};
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;

use super::{Grpc, once, requester, status};
use crate::MeteringError;
use crate::app::NewBudget;
use crate::domain::budget::{BudgetAction, BudgetPatch, BudgetScope, BudgetTerms};
use crate::domain::calendar::{Calendar, Every};
use crate::domain::filter::TagFilter;

/// The zone of a budget that names none.
const ZONE_DEFAULT: &str = "UTC";

#[async_trait]
impl BudgetService for Grpc {
    async fn create_budget(
        &self,
        request: Request<CreateBudgetRequest>,
    ) -> Result<Response<CreateBudgetResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let once = once(&asked.request_id, &asked);
        let new = new_budget(given(asked.budget).map_err(status)?).map_err(status)?;
        let made = self.app.create_budget(&requester, new, once);
        let budget = Some(made.await.map_err(status)?);
        Ok(Response::new(CreateBudgetResponse { budget }))
    }

    async fn get_budget(
        &self,
        request: Request<GetBudgetRequest>,
    ) -> Result<Response<GetBudgetResponse>, Status> {
        let requester = requester(&request)?;
        let id = id(&request.get_ref().budget_id).map_err(status)?;
        let found = self.app.budget(&requester, id).await.map_err(status)?;
        let budget = Some(found);
        Ok(Response::new(GetBudgetResponse { budget }))
    }

    async fn list_budgets(
        &self,
        request: Request<ListBudgetsRequest>,
    ) -> Result<Response<ListBudgetsResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let (size, token) = (asked.page_size, &asked.page_token);
        let listed = self
            .app
            .list_budgets(&requester, &asked.account, size, token);
        let (budgets, next_page_token) = listed.await.map_err(status)?;
        Ok(Response::new(ListBudgetsResponse {
            budgets,
            next_page_token,
        }))
    }

    async fn update_budget(
        &self,
        request: Request<UpdateBudgetRequest>,
    ) -> Result<Response<UpdateBudgetResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let once = once(&asked.request_id, &asked);
        let budget = given(asked.budget).map_err(status)?;
        let id = id(&budget.budget_id).map_err(status)?;
        let paths = asked.update_mask.unwrap_or_default().paths;
        let patch = patch(&budget, &paths).map_err(status)?;
        let change = (patch, asked.etag.as_str());
        let changed = self.app.update_budget(&requester, id, change, once);
        let budget = Some(changed.await.map_err(status)?);
        Ok(Response::new(UpdateBudgetResponse { budget }))
    }

    async fn delete_budget(
        &self,
        request: Request<DeleteBudgetRequest>,
    ) -> Result<Response<DeleteBudgetResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let once = once(&asked.request_id, &asked);
        let id = id(&asked.budget_id).map_err(status)?;
        let deleted = self.app.delete_budget(&requester, id, &asked.etag, once);
        deleted.await.map_err(status)?;
        Ok(Response::new(DeleteBudgetResponse {}))
    }
}

/// What is no id is that of nothing.
fn id(text: &str) -> Result<Uuid, MeteringError> {
    text.parse().map_err(|_| MeteringError::NotFound("budget"))
}

fn given(budget: Option<wire::Budget>) -> Result<wire::Budget, MeteringError> {
    budget.ok_or_else(|| MeteringError::invalid("budget", "`budget` is missing"))
}

fn new_budget(budget: wire::Budget) -> Result<NewBudget, MeteringError> {
    let zone = match budget.time_zone.as_str() {
        "" => ZONE_DEFAULT,
        zone => zone,
    };
    let calendar = Calendar::new(every(budget.period)?, zone)
        .map_err(|error| MeteringError::invalid("time_zone", error))?;
    let present = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(NewBudget {
        terms: BudgetTerms {
            amount: Nanos::new(budget.amount_nanos),
            action: action(budget.action)?,
        },
        account: budget.account,
        calendar,
        scope: BudgetScope {
            user: present(budget.user),
            project: present(budget.project),
            access_key: present(budget.access_key_id),
            model: present(budget.model),
            tag: present(budget.tag).map(|tag| TagFilter::parse(&tag)),
        },
    })
}

fn every(period: i32) -> Result<Every, MeteringError> {
    match wire::BudgetPeriod::try_from(period) {
        Ok(wire::BudgetPeriod::Hour) => Ok(Every::Hour),
        Ok(wire::BudgetPeriod::Day) => Ok(Every::Day),
        Ok(wire::BudgetPeriod::Week) => Ok(Every::Week),
        Ok(wire::BudgetPeriod::Month) => Ok(Every::Month),
        Ok(wire::BudgetPeriod::Unspecified) | Err(_) => {
            let message = "`period` is one of hour, day, week and month";
            Err(MeteringError::invalid("period", message))
        }
    }
}

fn action(action: i32) -> Result<BudgetAction, MeteringError> {
    match wire::BudgetAction::try_from(action) {
        Ok(wire::BudgetAction::Unspecified | wire::BudgetAction::Block) => Ok(BudgetAction::Block),
        Ok(wire::BudgetAction::Notify) => Ok(BudgetAction::Notify),
        Err(_) => {
            let message = "`action` is one of block and notify";
            Err(MeteringError::invalid("action", message))
        }
    }
}

/// Those of the terms that are named.
fn patch(budget: &wire::Budget, paths: &[String]) -> Result<BudgetPatch, MeteringError> {
    if paths.is_empty() {
        let message = "`update_mask` must name what to change";
        return Err(MeteringError::invalid("update_mask", message));
    }
    let mut patch = BudgetPatch::default();
    for path in paths {
        match path.as_str() {
            "amount_nanos" => patch.amount = Some(Nanos::new(budget.amount_nanos)),
            "action" => patch.action = Some(action(budget.action)?),
            other => {
                let message = format!("`{other}` of a budget cannot be changed");
                return Err(MeteringError::invalid("update_mask", message));
            }
        }
    }
    Ok(patch)
}
