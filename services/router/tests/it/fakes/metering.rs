//! A metering.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use keyward_catalog::Catalog;
use keyward_money::{BasisPoints, Charge, Nanos, Usage};
use keyward_proto::metering::v1 as metering;
use keyward_proto::metering::v1::metering_service_server::MeteringService;
use keyward_runtime::error::{Reason, status};
use parking_lot::Mutex;
use tonic::{Request, Response, Status, Streaming};

use super::Answers;

/// Charges 5 % more than the catalogue's prices, from a balance.
#[derive(Clone)]
pub(crate) struct FakeMetering(pub(crate) Arc<MeteringState>);

pub(crate) struct MeteringState {
    catalog: Catalog,
    pub(crate) balance: Mutex<i64>,
    pub(crate) organization_keys: AtomicBool,
    pub(crate) holds: Mutex<Vec<metering::PlaceHoldRequest>>,
    /// What holds were asked to be raised to.
    pub(crate) extensions: Mutex<Vec<metering::ExtendHoldRequest>>,
    /// Loses the answer to who places a hold.
    pub(crate) loses_holds: AtomicBool,
    /// Takes nothing of what was used.
    pub(crate) is_away: AtomicBool,
    /// Holds given back without an attempt.
    pub(crate) given_back: Mutex<Vec<String>>,
    /// Charged.
    pub(crate) settled: Mutex<Vec<metering::UsageEvent>>,
    /// Held and given back.
    pub(crate) voided: Mutex<Vec<metering::UsageEvent>>,
    /// With own keys.
    pub(crate) recorded: Mutex<Vec<metering::UsageEvent>>,
}

impl FakeMetering {
    pub(crate) fn new() -> Self {
        Self(Arc::new(MeteringState {
            catalog: Catalog::embedded().unwrap(),
            balance: Mutex::new(1_000_000_000),
            organization_keys: AtomicBool::new(true),
            holds: Mutex::default(),
            extensions: Mutex::default(),
            loses_holds: AtomicBool::new(false),
            is_away: AtomicBool::new(false),
            given_back: Mutex::default(),
            settled: Mutex::default(),
            voided: Mutex::default(),
            recorded: Mutex::default(),
        }))
    }

    fn answers(&self) -> Result<(), Status> {
        match self.0.is_away.load(Ordering::SeqCst) {
            true => Err(Status::unavailable("away")),
            false => Ok(()),
        }
    }

    fn charge(&self, provider: &str, model: &str, usage: &metering::Usage) -> Charge {
        let usage = Usage {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            ..Usage::default()
        };
        let prices = self.0.catalog.prices(provider, model).unwrap();
        Charge::of(&usage, prices, BasisPoints::new(500)).unwrap()
    }
}

#[tonic::async_trait]
impl MeteringService for FakeMetering {
    async fn place_hold(
        &self,
        request: Request<metering::PlaceHoldRequest>,
    ) -> Result<Response<metering::PlaceHoldResponse>, Status> {
        let hold = request.into_inner();
        let estimate = hold.estimate.unwrap();
        let most = self.charge(&hold.provider, &hold.model, &estimate).charge;
        if hold
            .charge_cap_nanos
            .is_some_and(|cap| most > Nanos::new(cap))
        {
            return Err(status(
                Reason::FallbackCapExceeded,
                "over the cap",
                Vec::new(),
            ));
        }
        if most.get() > *self.0.balance.lock() {
            return Err(status(
                Reason::InsufficientCredits,
                "too little",
                Vec::new(),
            ));
        }
        let response = metering::PlaceHoldResponse {
            hold_id: hold.request_id.clone(),
            amount_nanos: most.get(),
            price_version: 1,
            markup_basis_points: 500,
        };
        self.0.holds.lock().push(hold);
        if self.0.loses_holds.load(Ordering::SeqCst) {
            return Err(Status::unavailable("lost"));
        }
        Ok(Response::new(response))
    }

    async fn extend_hold(
        &self,
        request: Request<metering::ExtendHoldRequest>,
    ) -> Result<Response<metering::ExtendHoldResponse>, Status> {
        let asked = request.into_inner();
        let held = self.0.holds.lock().iter().find_map(|hold| {
            let is_it = hold.request_id == asked.hold_id;
            is_it.then(|| (hold.provider.clone(), hold.model.clone()))
        });
        let (provider, model) = held.ok_or_else(|| Status::not_found("no such hold"))?;
        let estimate = asked.estimate.unwrap_or_default();
        let most = self.charge(&provider, &model, &estimate).charge.get();
        self.0.extensions.lock().push(asked);
        if most > *self.0.balance.lock() {
            return Err(status(
                Reason::InsufficientCredits,
                "too little",
                Vec::new(),
            ));
        }
        Ok(Response::new(metering::ExtendHoldResponse {
            amount_nanos: most,
        }))
    }

    async fn renew_lease(
        &self,
        _: Request<metering::RenewLeaseRequest>,
    ) -> Result<Response<metering::RenewLeaseResponse>, Status> {
        let nothing = metering::RenewLeaseResponse::default();
        Ok(Response::new(nothing))
    }

    async fn return_lease(
        &self,
        _: Request<metering::ReturnLeaseRequest>,
    ) -> Result<Response<metering::ReturnLeaseResponse>, Status> {
        Ok(Response::new(metering::ReturnLeaseResponse {}))
    }

    type WatchLeasesStream = Answers<metering::WatchLeasesResponse>;

    async fn watch_leases(
        &self,
        _: Request<Streaming<metering::WatchLeasesRequest>>,
    ) -> Result<Response<Self::WatchLeasesStream>, Status> {
        Err(Status::unimplemented("nothing is lent"))
    }

    async fn settle_usage(
        &self,
        request: Request<metering::SettleUsageRequest>,
    ) -> Result<Response<metering::SettleUsageResponse>, Status> {
        self.answers()?;
        let event = request.into_inner().event.unwrap();
        let cost = self.charge(&event.provider, &event.model, &event.usage.unwrap());
        let is_hedged = event.status() == metering::AttemptStatus::Hedged;
        let charge = cost.capped(is_hedged.then_some(Nanos::ZERO)).charged;
        *self.0.balance.lock() -= charge.get();
        self.0.settled.lock().push(event);
        Ok(Response::new(metering::SettleUsageResponse {
            charge_nanos: charge.get(),
            list_cost_nanos: Some(cost.list_cost.get()),
            duplicate: false,
        }))
    }

    async fn void_hold(
        &self,
        request: Request<metering::VoidHoldRequest>,
    ) -> Result<Response<metering::VoidHoldResponse>, Status> {
        self.answers()?;
        let void = request.into_inner();
        match void.event {
            Some(event) => self.0.voided.lock().push(event),
            None => self.0.given_back.lock().push(void.hold_id),
        }
        Ok(Response::new(metering::VoidHoldResponse {
            duplicate: false,
        }))
    }

    type RecordUsageStream = Answers<metering::RecordUsageResponse>;

    async fn record_usage(
        &self,
        request: Request<Streaming<metering::RecordUsageRequest>>,
    ) -> Result<Response<Self::RecordUsageStream>, Status> {
        self.answers()?;
        let state = Arc::clone(&self.0);
        let acknowledgements = request.into_inner().map(move |record| {
            let record = record?;
            if record
                .event
                .as_ref()
                .is_some_and(|event| event.model.contains("poison"))
            {
                return Err(status(Reason::InvalidRequest, "poison", Vec::new()));
            }
            state.recorded.lock().extend(record.event);
            Ok(metering::RecordUsageResponse {
                acknowledged_sequence: record.sequence,
            })
        });
        Ok(Response::new(Box::pin(acknowledgements)))
    }
}
