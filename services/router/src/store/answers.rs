//! Answers to requests that came with an `Idempotency-Key`. What lies here is sealed by who puts it
//! there.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::repeatable::Place;

/// How many answers are forgotten in one step: they are up to 8 MiB each.
pub(crate) const FORGET_STEP: u32 = 100;

/// A request's place, and who wants it until when.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) place: Place,
    /// Differs where the body does.
    pub(crate) matches: [u8; 32],
    /// The request.
    pub(crate) holder: String,
    pub(crate) now_ms: i64,
    /// When the place is free again, if its holder says nothing more.
    pub(crate) expire_ms: i64,
}

/// What a request finds in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing: it is the first, and holds the place.
    Free,
    /// The first is under way.
    Running,
    /// Another request came under the same key.
    Other,
    /// The sealed answer to the first.
    Answer(Vec<u8>),
}

/// A sealed answer on its way to the place that its request holds.
#[derive(Debug, Clone)]
pub(crate) struct Finish {
    pub(crate) place: Place,
    pub(crate) holder: String,
    pub(crate) answer: Vec<u8>,
    /// Until when it is remembered.
    pub(crate) expire_ms: i64,
}

/// Answers of all routers that share the store.
#[async_trait]
pub(crate) trait AnswerStore: std::fmt::Debug + Send + Sync {
    /// Takes a place, if it is free: of those who want it at once, one gets it. A place whose time is
    /// over is free.
    async fn claim(&self, claim: Claim) -> Result<Found, StoreError>;

    /// Holds a place without an answer for longer; nothing where it is held no more.
    async fn renew(&self, place: Place, holder: String, expire_ms: i64) -> Result<(), StoreError>;

    /// Puts the answer into a place that is held; nothing where it is held no more. Durable once it
    /// returns.
    async fn finish(&self, finish: Finish) -> Result<(), StoreError>;

    /// Frees a place that is held and has no answer.
    async fn release(&self, place: Place, holder: String) -> Result<(), StoreError>;

    /// Forgets at most [`FORGET_STEP`] of those whose time is over; says how many.
    async fn forget(&self, now_ms: i64) -> Result<u32, StoreError>;
}

/// What lies in a place that was not free.
pub(super) fn found(claim: &Claim, matches: &[u8], answer: Option<Vec<u8>>) -> Found {
    match answer {
        _ if matches != claim.matches => Found::Other,
        Some(answer) => Found::Answer(answer),
        None => Found::Running,
    }
}
