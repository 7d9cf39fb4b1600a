//! What is held and what is charged, from what was pinned and what was measured.

use jiff::Timestamp;
use keyward_money::{
    BasisPoints, Charge, MoneyError, Nanos, Prices, Rates, Usage, affordable_output_tokens,
};
use uuid::Uuid;

use super::account::AccountKey;
use super::event::{Event, Outcome};
use super::ledger::HeldBudget;
use keyward_proto::metering::v1 as wire;

/// What a hold pins: whatever changes later, the request is charged by these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) price_version: u64,
    pub(crate) prices: Prices,
    pub(crate) markup: BasisPoints,
    /// The most that the account is charged; what is beyond is the platform's.
    pub(crate) cap: Option<Nanos>,
}

/// What a hold is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HoldRequest {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    pub(crate) owner: wire::UsageOwner,
    pub(crate) inference_id: String,
    pub(crate) provider: String,
    pub(crate) model: String,
}

/// A hold as it stands in the store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hold {
    pub(crate) request: HoldRequest,
    pub(crate) terms: Terms,
    pub(crate) amount: Nanos,
    /// The budgets that hold the same amount.
    pub(crate) budgets: Vec<HeldBudget>,
    pub(crate) state: HoldState,
    /// The event that it was charged for. One that has expired keeps that state.
    pub(crate) event_id: Option<Uuid>,
    pub(crate) create_time: Timestamp,
    pub(crate) expire_time: Timestamp,
}

/// What a request is expected to use at most, before it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimate<'a> {
    pub(crate) usage: &'a Usage,
    /// The provider's service tier that is asked for; empty for the usual one.
    pub(crate) service_tier: &'a str,
}

/// Where a hold is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HoldState {
    /// Its amount is held.
    Open,
    /// Charged.
    Settled,
    /// Given back.
    Void,
    /// Given back because nobody settled it in time. A late settle still posts.
    Expired,
}

impl HoldState {
    const ALL: [Self; 4] = [Self::Open, Self::Settled, Self::Void, Self::Expired];

    /// Its name in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
            Self::Void => "void",
            Self::Expired => "expired",
        }
    }

    /// By its name in the store.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What an attempt costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Priced {
    /// At list price; `None` where unpriced.
    pub(crate) list_cost: Option<Nanos>,
    /// What the account pays.
    pub(crate) charge: Nanos,
    /// What the platform pays beyond a cap.
    pub(crate) absorbed: Nanos,
}

/// Why no hold is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// What the request would need.
    pub(crate) needed: Nanos,
    /// What there is.
    pub(crate) available: Nanos,
    /// How many output tokens that would pay for; `None` where they cost nothing.
    pub(crate) affordable_output_tokens: Option<i64>,
}

impl Terms {
    /// What an estimate would be charged in a service tier: what is held for it.
    pub(crate) fn amount_to_hold(&self, estimate: &Estimate<'_>) -> Result<Nanos, MoneyError> {
        let charge = Charge::by_rates(estimate.usage, &self.rates_for(estimate), self.markup);
        charge.map(|charge| charge.charge)
    }

    /// Says what an amount that does not cover an estimate would cover.
    pub(crate) fn shortage(
        &self,
        needed: Nanos,
        available: Nanos,
        estimate: &Estimate<'_>,
    ) -> Shortage {
        let rates = self.rates_for(estimate);
        let affordable = affordable_output_tokens(available, estimate.usage, &rates, self.markup);
        Shortage {
            needed,
            available,
            affordable_output_tokens: affordable.unwrap_or(Some(0)),
        }
    }

    fn rates_for(&self, estimate: &Estimate<'_>) -> Rates {
        let prompt_tokens = estimate.usage.prompt_tokens();
        self.prices.rates_for(prompt_tokens, estimate.service_tier)
    }

    /// What an attempt with the platform's key costs.
    pub(crate) fn price(&self, event: &Event) -> Result<Priced, MoneyError> {
        let charge = charge(event, &self.prices, self.markup)?;
        let list_cost = Some(charge.list_cost);
        let cap = match event.outcome {
            Outcome::Delivered => self.cap,
            Outcome::Hedged => Some(Nanos::ZERO),
            Outcome::Failed => {
                return Ok(Priced {
                    list_cost,
                    ..Priced::default()
                });
            }
        };
        let capped = charge.capped(cap);
        Ok(Priced {
            list_cost,
            charge: capped.charged,
            absorbed: capped.absorbed,
        })
    }
}

/// What an attempt would be charged in the service tier that served it, whatever became of it.
pub(crate) fn charge(
    event: &Event,
    prices: &Prices,
    markup: BasisPoints,
) -> Result<Charge, MoneyError> {
    Charge::in_service_tier(&event.usage, prices, &event.message.service_tier, markup)
}

/// What an attempt without a hold costs: nothing, whatever it would at list price.
pub(crate) fn price_own_key(event: &Event, prices: Option<&Prices>) -> Priced {
    let list_cost = prices
        .and_then(|prices| charge(event, prices, BasisPoints::ZERO).ok())
        .map(|charge| charge.list_cost);
    Priced {
        list_cost,
        ..Priced::default()
    }
}

#[cfg(test)]
mod tests {
    use keyward_money::ServiceTier;

    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn terms(cap: Option<i64>) -> Terms {
        Terms {
            price_version: 1,
            prices: Prices::per_million(2_500_000_000, 10_000_000_000),
            markup: BasisPoints::new(500),
            cap: cap.map(Nanos::new),
        }
    }

    fn event(input_tokens: i64, output_tokens: i64, status: wire::AttemptStatus) -> Event {
        let message = wire::UsageEvent {
            inference_id: ID.to_owned(),
            attempt: 1,
            owner: Some(wire::UsageOwner {
                account: format!("users/{ID}"),
                ..wire::UsageOwner::default()
            }),
            status: status.into(),
            usage: Some(wire::Usage {
                input_tokens,
                output_tokens,
                ..wire::Usage::default()
            }),
            ..wire::UsageEvent::default()
        };
        Event::parse(ID, Some(message), None).expect("valid")
    }

    fn usual(usage: &Usage) -> Estimate<'_> {
        Estimate {
            usage,
            service_tier: "",
        }
    }

    #[test]
    fn an_estimate_in_a_service_tier_is_held_and_refused_by_its_prices() {
        let mut terms = terms(None);
        terms.prices.service_tiers = vec![ServiceTier {
            service_tier: "priority".to_owned(),
            rates: Prices::per_million(5_000_000_000, 20_000_000_000).rates,
            long_context: Vec::new(),
        }];
        let estimate = Usage {
            input_tokens: 1_000,
            output_tokens: 500,
            ..Usage::default()
        };
        let available = Nanos::new(7_875_000);
        for (service_tier, expect, affordable) in [
            ("", 7_875_000, 500),
            ("priority", 15_750_000, 125),
            ("flex", 7_875_000, 500),
        ] {
            let asked = Estimate {
                usage: &estimate,
                service_tier,
            };
            let held = terms.amount_to_hold(&asked);
            assert_eq!(held, Ok(Nanos::new(expect)), "{service_tier}");
            let shortage = terms.shortage(Nanos::new(expect), available, &asked);
            let tokens = shortage.affordable_output_tokens;
            assert_eq!(tokens, Some(affordable), "{service_tier}");
        }
    }

    #[test]
    fn an_estimate_is_held_as_it_would_be_charged() {
        let estimate = Usage {
            input_tokens: 1_000,
            output_tokens: 500,
            ..Usage::default()
        };
        assert_eq!(
            terms(None).amount_to_hold(&usual(&estimate)),
            Ok(Nanos::new(7_875_000))
        );
        let free = Terms {
            prices: Prices::per_million(0, 0),
            ..terms(None)
        };
        assert_eq!(free.amount_to_hold(&usual(&estimate)), Ok(Nanos::ZERO));
        let unpriced = Terms {
            prices: Prices::default(),
            ..terms(None)
        };
        assert_eq!(
            unpriced.amount_to_hold(&usual(&estimate)),
            Err(MoneyError::Unpriced)
        );
    }

    #[test]
    fn what_was_used_is_charged_up_to_the_cap() {
        let used = event(900, 200, wire::AttemptStatus::Ok);
        let charge = |cap| {
            let priced = terms(cap).price(&used).expect("priced");
            (
                priced.list_cost.map(Nanos::get),
                priced.charge.get(),
                priced.absorbed.get(),
            )
        };
        assert_eq!(charge(None), (Some(4_250_000), 4_462_500, 0));
        assert_eq!(charge(Some(5_000_000)), (Some(4_250_000), 4_462_500, 0));
        assert_eq!(
            charge(Some(4_000_000)),
            (Some(4_250_000), 4_000_000, 462_500)
        );
    }

    #[test]
    fn an_attempt_that_delivered_nothing_is_not_charged() {
        let failed = event(900, 0, wire::AttemptStatus::Failed);
        let priced = terms(None).price(&failed).expect("priced");
        assert_eq!(priced.charge, Nanos::ZERO);
        for status in [wire::AttemptStatus::Cut, wire::AttemptStatus::Abandoned] {
            let priced = terms(None).price(&event(900, 10, status)).expect("priced");
            assert!(priced.charge > Nanos::ZERO);
        }
    }

    #[test]
    fn what_another_attempt_made_needless_is_the_platforms_whatever_the_cap() {
        let lost = event(900, 200, wire::AttemptStatus::Hedged);
        for cap in [None, Some(0), Some(4_000_000)] {
            let expect = Priced {
                list_cost: Some(Nanos::new(4_250_000)),
                charge: Nanos::ZERO,
                absorbed: Nanos::new(4_462_500),
            };
            assert_eq!(terms(cap).price(&lost), Ok(expect), "{cap:?}");
        }
    }

    #[test]
    fn own_keys_cost_nothing_whatever_the_list_says() {
        let used = event(900, 200, wire::AttemptStatus::Ok);
        let known = price_own_key(&used, Some(&terms(None).prices));
        assert_eq!(
            (known.list_cost, known.charge),
            (Some(Nanos::new(4_250_000)), Nanos::ZERO)
        );
        assert_eq!(price_own_key(&used, None), Priced::default());
    }
}
