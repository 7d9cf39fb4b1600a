//! Holding credits, charging what was used, giving back what was not.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward_money::{MoneyError, Nanos, Usage};
use keyward_proto::metering::v1::{UsageEvent, UsageOwner};
use keyward_runtime::time;
use uuid::Uuid;

use super::App;
use crate::MeteringError;
use crate::domain::account::AccountKey;
use crate::domain::charging::{Estimate, Hold, HoldRequest, Priced, Terms};
use crate::domain::event::Event;
use crate::domain::ledger::{
    Command, Extended, Extension, NewHold, Placed, Posted, QuarantineReason, Reject, Settlement,
    VoidHold,
};
use crate::domain::requester::{Requester, Subject};
use crate::error::BudgetRefusal;

/// How long a hold stands where nothing is said: longer than any answer takes.
const LIFETIME_DEFAULT: Duration = Duration::from_mins(10);

/// How long a hold can stand: a router that is lost for longer settles late.
const LIFETIME_MAX: Duration = Duration::from_hours(1);

/// A request for a hold.
#[derive(Debug, Clone)]
pub(crate) struct PlaceHold {
    pub(crate) id: Uuid,
    pub(crate) inference_id: String,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) estimate: Usage,
    pub(crate) service_tier: String,
    pub(crate) charge_cap: Option<Nanos>,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A request for more than a hold holds.
#[derive(Debug, Clone)]
pub(crate) struct ExtendHold {
    pub(crate) hold_id: Uuid,
    /// All in all, not what is added.
    pub(crate) estimate: Usage,
    pub(crate) service_tier: String,
}

impl App {
    /// Holds credits for a request of the caller's, at the prices and the markup of now.
    pub(crate) async fn place_hold(
        &self,
        requester: &Requester,
        asked: PlaceHold,
    ) -> Result<Hold, MeteringError> {
        let placed = self.hold(requester, asked).await;
        self.meters.hold(&placed);
        placed
    }

    async fn hold(&self, requester: &Requester, asked: PlaceHold) -> Result<Hold, MeteringError> {
        if !requester.may_spend {
            return Err(MeteringError::RoleNotAllowed("spend its credits"));
        }
        let terms = self.terms(requester, &asked)?;
        let estimate = Estimate {
            usage: &asked.estimate,
            service_tier: &asked.service_tier,
        };
        let amount = terms
            .amount_to_hold(&estimate)
            .map_err(|error| match error {
                MoneyError::Unpriced => unpriced(&asked),
                MoneyError::Overflow => {
                    MeteringError::invalid("estimate", "`estimate` is too large")
                }
            })?;
        if let Some(cap) = asked.charge_cap.filter(|cap| amount > *cap) {
            let shortage = terms.shortage(amount, cap, &estimate);
            return Err(MeteringError::CapExceeded(shortage.into()));
        }
        let now = time::now();
        let lifetime = asked.lifetime.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX);
        let request = hold_request(requester, &asked)?;
        let budgets = self.budgets_of(request.account).await?;
        let shares = budgets.iter();
        let shares = shares.filter_map(|budget| budget.share(&request, &asked.tags, now));
        let new = NewHold {
            budgets: shares.collect(),
            request,
            terms: terms.clone(),
            amount,
            create_time: now,
            expire_time: now.checked_add(lifetime).unwrap_or(now),
        };
        match self.placed(new).await? {
            Placed::Held(hold) => Ok(*hold),
            Placed::Conflict => Err(MeteringError::Conflict("a hold")),
            Placed::Frozen => Err(MeteringError::AccountFrozen),
            Placed::OverBudget {
                budget_id,
                available,
            } => {
                let budget = budgets.iter().find(|budget| budget.id == budget_id);
                let budget = budget.ok_or(MeteringError::NotFound("budget"))?;
                let refusal = BudgetRefusal::new(budget, (amount, available), now);
                Err(MeteringError::BudgetExceeded(refusal))
            }
            Placed::Short { available } => {
                let payer = requester
                    .billing_account()
                    .map(|(name, _)| name.to_string());
                Err(MeteringError::InsufficientCredits {
                    account: payer.unwrap_or_default(),
                    shortage: terms.shortage(amount, available, &estimate).into(),
                })
            }
        }
    }

    /// What is lent to routers is called back before a hold is refused for want of it.
    async fn placed(&self, new: NewHold) -> Result<Placed, MeteringError> {
        let account = new.request.account;
        match self.ledger.run(new.clone()).await? {
            Placed::Short { .. } if self.recall_short(account).await? => {
                Ok(self.ledger.run(new).await?)
            }
            placed => Ok(placed),
        }
    }

    /// Raises a hold to what its request is now expected to use. In the name of who placed it: a
    /// stream may last longer than the grant that began it.
    pub(crate) async fn extend_hold(&self, asked: ExtendHold) -> Result<Nanos, MeteringError> {
        let extended = self.extend(asked).await;
        self.meters.extension(&extended);
        extended
    }

    async fn extend(&self, asked: ExtendHold) -> Result<Nanos, MeteringError> {
        let hold = self.store.hold_get(asked.hold_id).await?;
        let hold = hold.ok_or(MeteringError::NotFound("hold"))?;
        let estimate = Estimate {
            usage: &asked.estimate,
            service_tier: &asked.service_tier,
        };
        let amount = hold
            .terms
            .amount_to_hold(&estimate)
            .map_err(|_| MeteringError::invalid("estimate", "`estimate` is too large"))?;
        if let Some(cap) = hold.terms.cap.filter(|cap| amount > *cap) {
            let shortage = hold.terms.shortage(amount, cap, &estimate);
            return Err(MeteringError::CapExceeded(shortage.into()));
        }
        let extension = Extension {
            id: asked.hold_id,
            account: hold.request.account,
            amount,
            time: time::now(),
        };
        let extended = match self.ledger.run(extension.clone()).await? {
            Extended::Short { .. } if self.recall_short(extension.account).await? => {
                self.ledger.run(extension).await?
            }
            extended => extended,
        };
        match extended {
            Extended::Held(amount) => Ok(amount),
            Extended::Short { available } => {
                let available = available.saturating_add(hold.amount);
                Err(MeteringError::InsufficientCredits {
                    account: hold.request.account.to_string(),
                    shortage: hold.terms.shortage(amount, available, &estimate).into(),
                })
            }
            Extended::NotOpen => Err(MeteringError::HoldClosed),
        }
    }

    fn terms(&self, requester: &Requester, asked: &PlaceHold) -> Result<Terms, MeteringError> {
        let book = self.book();
        let prices = book.prices.get(&asked.provider, &asked.model);
        let prices = prices.ok_or_else(|| match book.catalog.resolve(&asked.model) {
            Some(_) => unpriced(asked),
            None => MeteringError::model_unknown(&asked.provider, &asked.model),
        })?;
        Ok(Terms {
            price_version: book.prices.version,
            prices: prices.clone(),
            markup: self.current_tiers().markup(&requester.tier),
            cap: asked.charge_cap,
        })
    }

    /// Charges an event against its hold. Usage is a fact: neither an empty balance nor an expired
    /// hold stops it.
    pub(crate) async fn settle(
        &self,
        request_id: &str,
        hold_id: Uuid,
        event: Option<UsageEvent>,
    ) -> Result<(Priced, bool), MeteringError> {
        let event = self.event_of_hold(request_id, hold_id, event).await?;
        let mut settlement = Settlement {
            event: event.clone(),
            hold_id,
            time: time::now(),
        };
        let mut posted = self.post(settlement.clone(), &event, Some(hold_id)).await?;
        if let Posted::Elsewhere(account) = posted {
            settlement.event.account = account;
            posted = self.post(settlement, &event, Some(hold_id)).await?;
        }
        self.meters.settle(posted);
        self.recorded(event.id, Some(hold_id), posted)
    }

    /// Posts what is about an event. One that the store cannot hold is put aside instead: sent again it
    /// would be no better, and what comes after it waits.
    pub(super) async fn post(
        &self,
        command: impl Command<Answer = Posted>,
        event: &Event,
        hold_id: Option<Uuid>,
    ) -> Result<Posted, MeteringError> {
        match self.ledger.run(command).await {
            Err(MeteringError::NotStorable) => {
                let reason = QuarantineReason::Unstorable;
                let reject = Reject::of(event, hold_id, reason, time::now());
                self.store.quarantine(reject).await?;
                Ok(Posted::Quarantined(reason))
            }
            posted => posted,
        }
    }

    /// What became of an event, as its sender is told.
    pub(super) fn recorded(
        &self,
        event_id: Uuid,
        hold_id: Option<Uuid>,
        posted: Posted,
    ) -> Result<(Priced, bool), MeteringError> {
        match posted {
            Posted::Recorded { priced, duplicate } => Ok((priced, duplicate)),
            Posted::Quarantined(reason) => Err(self.put_aside(event_id, hold_id, reason)),
            Posted::Frozen => Err(MeteringError::AccountFrozen),
            Posted::Elsewhere(_) => Err(MeteringError::NotFound("hold")),
        }
    }

    /// Gives a hold back, and records the attempt that failed, if one was made. Says whether the
    /// hold had been closed before.
    pub(crate) async fn void(
        &self,
        request_id: &str,
        hold_id: Uuid,
        event: Option<UsageEvent>,
    ) -> Result<bool, MeteringError> {
        let event = match event {
            None => None,
            event => Some(self.event_of_hold(request_id, hold_id, event).await?),
        };
        let event_id = event.as_ref().map(|event| event.id);
        let Some(account) = self.account_of(hold_id, event.as_ref()).await? else {
            // There is no such hold, and nothing to record.
            return Ok(true);
        };
        let mut void = VoidHold {
            id: hold_id,
            account,
            event,
            time: time::now(),
        };
        let mut voided = self.ledger.run(void.clone()).await?;
        if let Some(Posted::Elsewhere(account)) = voided.posted {
            void.account = account;
            voided = self.ledger.run(void).await?;
        }
        if let (Some(posted), Some(event_id)) = (voided.posted, event_id) {
            self.recorded(event_id, Some(hold_id), posted)?;
        }
        Ok(voided.duplicate)
    }

    async fn account_of(
        &self,
        hold_id: Uuid,
        event: Option<&Event>,
    ) -> Result<Option<AccountKey>, MeteringError> {
        if let Some(event) = event {
            return Ok(Some(event.account));
        }
        let hold = self.store.hold_get(hold_id).await?;
        Ok(hold.map(|hold| hold.request.account))
    }

    /// An event that names no owner has that of its hold; whoever placed it counts in any case.
    async fn event_of_hold(
        &self,
        request_id: &str,
        hold_id: Uuid,
        event: Option<UsageEvent>,
    ) -> Result<Event, MeteringError> {
        let names_owner = event.as_ref().is_some_and(|event| event.owner.is_some());
        let owner = if names_owner {
            None
        } else {
            let hold = self.store.hold_get(hold_id).await?;
            hold.map(|hold| hold.request.owner)
        };
        Event::parse(request_id, event, owner)
            .map_err(|error| MeteringError::invalid("event", error))
    }

    /// Logs and counts an event that was put aside: it is a fault of the router's or of an
    /// attacker's, and nobody else will notice.
    pub(super) fn put_aside(
        &self,
        event_id: Uuid,
        hold_id: Option<Uuid>,
        reason: QuarantineReason,
    ) -> MeteringError {
        self.meters.quarantined(reason);
        tracing::error!(
            event.id = %event_id,
            hold.id = hold_id.map(tracing::field::display),
            quarantine.reason = reason.name(),
            "a usage event contradicts what is stored; it is kept in quarantine and not counted"
        );
        match reason {
            QuarantineReason::UnknownHold => MeteringError::NotFound("hold"),
            QuarantineReason::UnknownLease => MeteringError::NotFound("lease"),
            QuarantineReason::OtherFigures => {
                MeteringError::Conflict("an event with other figures")
            }
            QuarantineReason::HoldSettled => MeteringError::Conflict("the hold is settled already"),
            QuarantineReason::TooOld => {
                MeteringError::invalid("event", "the event is older than records are kept")
            }
            QuarantineReason::Overflow
            | QuarantineReason::Malformed
            | QuarantineReason::Unstorable => {
                MeteringError::invalid("event", "the event cannot be counted")
            }
        }
    }
}

fn unpriced(asked: &PlaceHold) -> MeteringError {
    MeteringError::ModelUnpriced {
        provider: asked.provider.clone(),
        model: asked.model.clone(),
    }
}

fn hold_request(requester: &Requester, asked: &PlaceHold) -> Result<HoldRequest, MeteringError> {
    let (_, account) = requester
        .billing_account()
        .ok_or(MeteringError::NotFound("account"))?;
    let uid = |subject: &Option<Subject>| {
        let uid = subject.as_ref().map(|subject| subject.uid.to_string());
        uid.unwrap_or_default()
    };
    let id = |subject: &Option<Subject>| {
        let id = subject.as_ref().map(|subject| subject.id.clone());
        id.unwrap_or_default()
    };
    Ok(HoldRequest {
        id: asked.id,
        account,
        owner: UsageOwner {
            account: account.to_string(),
            user_uid: uid(&requester.user),
            organization_uid: uid(&requester.organization),
            project_uid: uid(&requester.project),
            access_key_id: requester.access_key_id.clone(),
            user: id(&requester.user),
            project: id(&requester.project),
        },
        inference_id: asked.inference_id.clone(),
        provider: asked.provider.clone(),
        model: asked.model.clone(),
    })
}
