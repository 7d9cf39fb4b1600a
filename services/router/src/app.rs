//! The router's use cases, and its ports to the vault and to metering. The only place with control
//! flow across them; makes ids and takes the time.

pub(crate) mod answer;
mod asked;
mod attempt;
mod behalf;
mod body;
mod cache;
mod cached;
mod checkpoints;
pub(crate) mod closing;
mod dispatch;
mod drains;
mod error;
mod explain;
mod growth;
mod health;
mod idempotency;
mod invoke;
mod key_tests;
mod ledger;
mod lengths;
mod limits;
pub(crate) mod metering;
pub(crate) mod meters;
mod passed;
mod plain;
mod policies;
mod price_order;
mod providers;
mod race;
mod sealing;
mod serve;
mod spans;
mod streamed;
mod tokens;
mod usage;
pub(crate) mod vault;
mod voice;

use std::sync::Arc;

use keyward_catalog::CatalogHandle;
use keyward_limits::Gate;
use tokio_util::task::TaskTracker;

use crate::config::{Failover, OnCreditExhausted, Timeouts};
use crate::domain::policy::Operator;
use crate::domain::providers::Providers;
use crate::store::answers::AnswerStore;
use crate::upstream::Egress;
pub(crate) use behalf::Behalf;
pub(crate) use cache::{CacheMeters, RedisShelf, ResponseCache};
use closing::Closing;
pub(crate) use drains::Drains;
pub(crate) use error::RouteError;
pub(crate) use explain::{About, Question};
pub(crate) use health::{HINTS_MAX, HealthBook, HealthMeters, share as share_health};
pub(crate) use idempotency::forget_answers;
pub(crate) use invoke::{Invocation, Options};
pub(crate) use key_tests::{Subject, Tested, keep_tested};
pub(crate) use lengths::LengthBook;
use metering::MeteringPort;
use meters::Meters;
pub(crate) use policies::PolicyBook;
pub(crate) use price_order::PriceOrder;
pub(crate) use providers::ProviderView;
pub(crate) use tokens::Tokens;
use vault::VaultPort;

/// What all requests share. Nothing in it is locked across an await.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) catalog: CatalogHandle,
    pub(crate) providers: Providers,
    pub(crate) operator: Operator,
    pub(crate) prices: PriceOrder,
    pub(crate) health: Arc<HealthBook>,
    pub(crate) vault: Arc<VaultPort>,
    pub(crate) policies: Arc<PolicyBook>,
    pub(crate) metering: MeteringPort,
    pub(crate) gate: Arc<Gate>,
    pub(crate) cache: ResponseCache,
    pub(crate) answers: Arc<dyn AnswerStore>,
    pub(crate) egress: Egress,
    pub(crate) timeouts: Timeouts,
    pub(crate) failover: Failover,
    pub(crate) meters: Meters,
    pub(crate) tokens: Tokens,
    pub(crate) lengths: LengthBook,
    pub(crate) drains: Drains,
    pub(crate) on_credit_exhausted: OnCreditExhausted,
    /// Whether settings that a provider lacks are left out of requests that say nothing of it.
    pub(crate) drop_params: bool,
    pub(crate) closing: Closing,
    /// Whether providers are told of the trace.
    pub(crate) trace_providers: bool,
    /// Requests in flight, which shutdown waits for.
    pub(crate) tracker: TaskTracker,
}

/// The present, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(keyward_runtime::time::now().as_millisecond()).unwrap_or(0)
}
