//! Settles of holds that a router took from a lease itself.

use keyward_money::Nanos;
use keyward_proto::metering::v1::UsageEvent;
use keyward_runtime::time;
use uuid::Uuid;

use crate::MeteringError;
use crate::app::App;
use crate::domain::charging::{HoldRequest, Priced, Terms};
use crate::domain::event::Event;
use crate::domain::ledger::{BudgetShare, Lease, LeaseSettlement};

/// A settle under a lease.
#[derive(Debug, Clone)]
pub(crate) struct SettleLeased {
    pub(crate) request_id: String,
    pub(crate) lease_id: Uuid,
    pub(crate) hold_id: Uuid,
    /// What the router held.
    pub(crate) held: Nanos,
    pub(crate) event: Option<UsageEvent>,
}

impl App {
    /// Charges an event by the terms of its lease, which outlive it. Says what it cost, and whether
    /// it had been charged before.
    pub(crate) async fn settle_leased(
        &self,
        asked: SettleLeased,
    ) -> Result<(Priced, bool), MeteringError> {
        let event = Event::parse(&asked.request_id, asked.event.clone(), None)
            .map_err(|error| MeteringError::invalid("event", error))?;
        let lease = self.store.lease_get(asked.lease_id).await?;
        let lease = lease.filter(|lease| lease.account == event.account);
        let lease = lease.ok_or(MeteringError::NotFound("lease"))?;
        let hold_id = Some(asked.hold_id);
        let settlement = LeaseSettlement {
            lease_id: lease.id,
            hold_id: asked.hold_id,
            held: asked.held,
            terms: self.terms_of(&lease, &event).await?,
            budgets: self.shares(&lease, &event, asked.hold_id).await?,
            event: event.clone(),
            time: time::now(),
        };
        let posted = self.post(settlement, &event, hold_id).await?;
        self.meters.settle(posted);
        self.recorded(event.id, hold_id, posted)
    }

    async fn terms_of(&self, lease: &Lease, event: &Event) -> Result<Terms, MeteringError> {
        let (version, message) = (lease.price_version, &event.message);
        let book = self.book();
        let prices = if book.prices.version == version {
            let prices = book.prices.get(&message.provider, &message.model);
            prices.cloned()
        } else {
            let (provider, model) = (message.provider.clone(), message.model.clone());
            self.store.prices(version, provider, model).await?
        };
        let unpriced = || MeteringError::ModelUnpriced {
            provider: message.provider.clone(),
            model: message.model.clone(),
        };
        Ok(Terms {
            price_version: version,
            prices: prices.ok_or_else(unpriced)?,
            markup: lease.markup,
            cap: None,
        })
    }

    /// The budgets that it counts for: those of its account that there were when it was dispatched.
    async fn shares(
        &self,
        lease: &Lease,
        event: &Event,
        hold_id: Uuid,
    ) -> Result<Vec<BudgetShare>, MeteringError> {
        let budgets = self.budgets_of(lease.account).await?;
        if budgets.is_empty() {
            return Ok(Vec::new());
        }
        let message = &event.message;
        let request = HoldRequest {
            id: hold_id,
            account: lease.account,
            owner: message.owner.clone().unwrap_or_default(),
            inference_id: message.inference_id.clone(),
            provider: message.provider.clone(),
            model: message.model.clone(),
        };
        let tags = message.tags.clone().into_iter().collect();
        let dispatched = event.dispatched(time::now());
        let there = budgets
            .iter()
            .filter(|budget| budget.create_time <= dispatched);
        let shares = there.filter_map(|budget| budget.share(&request, &tags, dispatched));
        Ok(shares.collect())
    }
}
